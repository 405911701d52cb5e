"""`speechxl report`."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from speechxl.cli import main
from speechxl.config import Data, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.verbs.classify_train import classify_train
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.finetune import finetune
from speechxl.verbs.pretrain import pretrain
from speechxl.verbs.report import report
from tests.conftest import SMALL, make_corpus
from tests.verbs.test_classify import make_tones

QUICK = {"max_steps": 2, "batch_seconds": 4.0, "device": "cpu", "watch": Watch(log_every=1, eval_every=1)}
SAID = {
    "u10.wav": ("ba <b>", "ba <b>"), "u11.wav": ("do la", "to la"), "u12.wav": ("lo", "loo"), "u13.wav": ("ba bo", "ba"),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A corpus, a recogniser and a classifier."""
    folder = tmp_path_factory.mktemp("runs")
    make_corpus(folder / "corpus")
    finetune(train=[folder / "corpus"], out=folder / "m", preset="tiny", architecture=SMALL, **QUICK)
    make_tones(folder / "tones")
    classify_train(train=[folder / "tones"], out=folder / "c", preset="tiny", architecture=SMALL, **QUICK)
    return folder


@pytest.fixture
def bare(monkeypatch):
    """Reports without curves, which take a second."""
    monkeypatch.setattr("speechxl.verbs.report_curves.curve_sections", lambda run: [])


@pytest.fixture
def transcripts(tmp_path):
    path = tmp_path / "said.tsv"
    path.write_text("id\treference\thypothesis\n" + "".join(f"{id}\t{a}\t{b}\n" for id, (a, b) in SAID.items()))
    return path


class Page(HTMLParser):
    """What a page asks for, and its text."""

    def __init__(self, path):
        super().__init__()
        self.asked, self.tags, self.words = [], [], []
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.asked += [
            value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset", "data", "action")
        ]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def titles(self):
        return re.findall("<h2>(.*?)</h2>", self.text)

    @property
    def players(self):
        return [attributes["src"] for tag, attributes in self.tags if tag == "audio"]


def assert_alone(page):
    assert page.asked
    assert all(value.startswith(("data:", "#")) for value in page.asked)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert not re.search(r"@import|url\((?!#)", page.text)


def test_a_recogniser_s_page_needs_nothing_but_itself(runs, tmp_path):
    outcome = report(runs / "m", out=tmp_path / "r.html", device="cpu")
    page = Page(tmp_path / "r.html")
    assert_alone(page)
    wanted = [
        "Character error rate",
        "Languages",
        "Speakers",
        "Confusions",
        "Worst utterances",
        "Learning curves",
        "Settings",
    ]
    assert [title for title in page.titles if title in wanted] == wanted
    assert page.text.count("<svg") >= 8
    measured = evaluate(str(runs / "m"), [runs / "m" / "dev.tsv"], device="cpu").document
    document = json.loads(json.dumps(outcome.document))
    assert document["errors"]["rate"] == pytest.approx(measured["cer"])
    assert document["errors"]["interval"] == pytest.approx(measured["intervals"]["cer"])
    assert {name: own["rate"] for name, own in document["per_language"].items()} == pytest.approx(
        {name: own["cer"] for name, own in measured["per_language"].items()}
    )
    assert document["wer"]["rate"] == pytest.approx(measured["wer"])
    assert len(page.players) == len(document["worst"]) > 0
    assert "by which the model was chosen" in page.text
    assert "optim.lr" in page.text


@pytest.mark.usefixtures("bare")
def test_transcripts_are_taken_apart_by_language_speaker_and_duration(runs, transcripts, tmp_path):
    assert (
        main(
            ["report", str(runs / "m"), "--transcripts", str(transcripts), "--out", str(tmp_path / "r.html"), "--json"]
        )
        == 0
    )
    document = report(runs / "m", transcripts=transcripts, out=tmp_path / "r.html").document
    assert document["errors"] | {"interval": 0} == {
        "utterances": 4, "units": 18, "rate": 5 / 18, "interval": 0, "substitutions": 1, "deletions": 3, "insertions": 1,
    }  # fmt: skip
    assert {name: own["units"] for name, own in document["per_language"].items()} == {"quy": 8, "swh": 10}
    assert document["per_language"]["swh"]["rate"] == pytest.approx(4 / 10)
    assert {name: own["units"] for name, own in document["per_speaker"].items()} == {"s0": 2, "s1": 11, "s2": 5}
    assert sum(own["units"] for own in document["per_duration"].values()) == 18
    assert all(re.fullmatch(r"0 to 1 s|1 to 2 s", name) for name in document["per_duration"])
    wrong = [row for row in document["confusions"] if row[0] != row[1]]
    assert wrong == [["", "o", 1], [" ", "", 1], ["b", "", 1], ["d", "t", 1], ["o", "", 1]]
    assert [own["id"] for own in document["worst"]] == ["u13.wav", "u12.wav", "u11.wav"]
    assert document["worst"][0]["deletions"] == 3
    page = Page(tmp_path / "r.html")
    assert_alone(page)
    assert '<span class="substituted"><b>d</b><i>t</i></span>' in page.text
    assert '<span class="inserted"><b>\u00a0</b><i>o</i></span>' in page.text
    assert '<span class="deleted"><b>␣</b><i>\u00a0</i></span>' in page.text
    assert 'title="1 of 1: d as t"' in page.text
    assert document["notes"] == []


@pytest.mark.usefixtures("bare")
def test_what_is_not_in_a_manifest_has_errors_all_the_same(runs, transcripts, tmp_path):
    transcripts.write_text(transcripts.read_text().replace("u13.wav", "other.wav"))
    document = report(runs / "m", transcripts=transcripts, out=tmp_path / "r.html").document
    assert document["errors"]["utterances"] == 4
    assert sum(own["utterances"] for own in document["per_language"].values()) == 3
    assert document["notes"][0].startswith("1 of 4 ids are in no manifest")
    rows = [
        replace(row, id="other.wav") if row.id == "u13.wav" else row
        for row in read_manifest(runs / "corpus" / "manifest.tsv")
    ]
    write_manifest(tmp_path / "all.tsv", rows)
    document = report(
        runs / "m", transcripts=transcripts, manifest=[tmp_path / "all.tsv"], out=tmp_path / "r.html"
    ).document
    assert document["notes"] == []


@pytest.mark.usefixtures("bare")
def test_audio_stays_below_the_limit(runs, transcripts, tmp_path):
    out = tmp_path / "r.html"
    report(runs / "m", transcripts=transcripts, out=out)
    sizes = [len(src.partition("base64,")[2]) for src in Page(out).players]
    assert len(sizes) == 3
    assert all(1000 < size < 40_000 for size in sizes)
    limit = (sum(sizes) - 1) / 1e6
    report(runs / "m", transcripts=transcripts, out=out, audio_mb=limit)
    kept = [len(src.partition("base64,")[2]) for src in Page(out).players]
    assert len(kept) == 2
    assert "1 recordings have no player" in out.read_text()
    report(runs / "m", transcripts=transcripts, out=out, audio_mb=0)
    assert Page(out).players == []
    assert "have no player" not in out.read_text()


@pytest.mark.usefixtures("bare")
def test_speakers_of_any_name_do_no_harm(runs, transcripts, tmp_path):
    names = {"u10.wav": r"$\frac{", "u11.wav": "<script>alert(1)</script>", "u12.wav": "a$b$", "u13.wav": "&"}
    rows = [replace(row, speaker=names.get(row.id, "s")) for row in read_manifest(runs / "corpus" / "manifest.tsv")]
    write_manifest(tmp_path / "all.tsv", rows)
    report(runs / "m", transcripts=transcripts, manifest=[tmp_path / "all.tsv"], out=tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    assert_alone(page)
    assert "<script>alert(1)</script>" in "".join(page.words)


@pytest.mark.usefixtures("bare")
def test_models_of_phones_have_their_confusions_by_class(runs, transcripts, tmp_path):
    shutil.copytree(runs / "m", tmp_path / "p")
    settings = (tmp_path / "p" / "config.yaml").read_text().replace("units: char", "units: phoneme")
    (tmp_path / "p" / "config.yaml").write_text(settings)
    (tmp_path / "p" / "config.json").unlink()
    transcripts.write_text("id\treference\thypothesis\nu10.wav\tp a tʃ\tb a t͡ʃ\nu11.wav\tm i @\tm i\n")
    document = report(tmp_path / "p", transcripts=transcripts).document
    assert document["classes"] == {
        "plosive": ["p", "b"], "nasal": ["m"], "affricate": ["t͡ʃ"], "close vowels": ["i"], "open vowels": ["a"], "not IPA": ["@"],
    }  # fmt: skip
    assert [row for row in document["confusions"] if row[0] != row[1]] == [["@", "", 1], ["p", "b", 1]]
    assert document["wer"] is None
    text = (tmp_path / "p" / "report.html").read_text()
    assert "Phones by articulatory class" in text
    assert '<th class="class" rowspan="2">plosive</th>' in text


def test_a_pretraining_run_has_curves_codes_and_languages(runs, tmp_path):
    pretrain(
        train=[runs / "corpus"], out=tmp_path / "p", preset="tiny", architecture=SMALL, **QUICK, data=Data(min_seconds=0.1)
    )  # fmt: skip
    document = report(tmp_path / "p").document
    page = Page(tmp_path / "p" / "report.html")
    assert_alone(page)
    assert page.titles == ["Learning curves", "Languages during training", "Code usage per language", "Settings"]
    assert document["kind"] == "pretraining"
    assert document["last"]["contrastive"] > 0
    assert "<th>dev loss</th>" in page.text


@pytest.mark.usefixtures("bare")
def test_a_classifier_s_page_says_what_is_taken_for_what(runs, tmp_path):
    document = report(runs / "c", out=tmp_path / "c.html", device="cpu").document
    page = Page(tmp_path / "c.html")
    assert_alone(page)
    counts = document["kinds"]["pitch"]["confusion"]["counts"]
    assert sum(map(sum, counts)) == 4
    right = sum(counts[place][place] for place in range(3))
    assert len(document["mistakes"]) == 4 - right == len(page.players) > 0
    assert {"pitch: classes", "Surest mistakes: pitch"} <= set(page.titles)


@pytest.mark.usefixtures("bare")
def test_a_run_that_has_lost_its_recordings_says_so(runs, tmp_path):
    (tmp_path / "away").mkdir()
    shutil.copytree(runs / "m", tmp_path / "away" / "m")
    outcome = report(tmp_path / "away" / "m")
    assert "None of the recordings of dev.tsv is where it was" in outcome.text
    assert Page(tmp_path / "away" / "m" / "report.html").titles == ["Settings"]
    (tmp_path / "away" / "m" / "dev.tsv").unlink()
    assert "dev.tsv is not in the folder" in report(tmp_path / "away" / "m").text
    (tmp_path / "away" / "m" / "config.json").unlink()
    assert "has not kept a model yet" in report(tmp_path / "away" / "m").text
    shutil.copytree(runs / "c", tmp_path / "away" / "c")
    assert "None of the recordings" in report(tmp_path / "away" / "c").text
    for name in ("config.json", "labels.json"):
        (tmp_path / "away" / "c" / name).unlink()
    assert "has not kept a model yet" in report(tmp_path / "away" / "c").text


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (None, "there is no such file; speechxl evaluate MODEL MANIFEST --transcripts"),
        (b"id\xff", "is not UTF-8 text"),
        (b"path\ttext\n", ":1: the header is 'path\\\\ttext', not id reference hypothesis"),
        (b"id\treference\thypothesis\na\tb\n", ":2: 2 fields, 3 were expected"),
        (b"id\treference\thypothesis\n", "holds no utterance"),
    ],
)
def test_transcripts_that_are_none(runs, tmp_path, text, match):
    if text is not None:
        (tmp_path / "t.tsv").write_bytes(text)
    with pytest.raises(InputError, match=match):
        report(runs / "m", transcripts=tmp_path / "t.tsv", out=tmp_path / "r.html")


def test_what_is_no_run(runs, transcripts, tmp_path):
    with pytest.raises(InputError, match="nothing-here: there is no such folder"):
        report(tmp_path / "nothing-here")
    with pytest.raises(InputError, match="neither a model nor a run of speechxl is there"):
        report(tmp_path)
    with pytest.raises(
        InputError, match=r"--transcripts .*said.tsv: are of a recogniser, and .* holds a run of classification"
    ):
        report(runs / "c", transcripts=transcripts, out=tmp_path / "r.html")
    with pytest.raises(InputError, match="--audio_mb must be at least 0, got -1"):
        report(runs / "m", audio_mb=-1)
    with pytest.raises(InputError, match="--worst must be at least 0, got -1"):
        report(runs / "m", worst=-1)
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    with pytest.raises(InputError, match=r"mine.html: something stands there that speechxl has not written"):
        report(runs / "m", out=tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("config.yaml", "a: [", "config.yaml: is not YAML"),
        ("config.yaml", "- a", "config.yaml: a mapping of settings was expected"),
        ("metrics.csv", "step,measure,value\n1,loss,much\n", "metrics.csv: is not a table of step, measure and value"),
        (
            "languages.csv",
            "step,language\n1,quy\n",
            "languages.csv: is not a table of step, language, measure and value",
        ),
    ],
)
def test_damaged_files_are_named(runs, tmp_path, transcripts, name, text, match):
    shutil.copytree(runs / "m", tmp_path / "m")
    (tmp_path / "m" / name).write_text(text)
    with pytest.raises(InputError, match=match):
        report(tmp_path / "m", transcripts=transcripts)
