"""Each format there and back, and read by its own library where there is one."""

import gzip
import json
from dataclasses import replace

import pyarrow.parquet
import pytest
import soundfile
from praatio import textgrid as praatio
from pympi import Elan

from speechxl.cli import main
from speechxl.data.audio import read_utterance
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.export import export
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_tone

KINDS = ("kaldi", "nemo", "lhotse", "audiofolder", "parquet", "eaf", "textgrid")


@pytest.fixture
def manifest(tmp_path):
    """Stretches of a long recording that overlap, and a whole one; odd names."""
    long = write_tone(tmp_path / "my tapes" / "sesión 1, días.wav")
    short = write_tone(tmp_path / "my tapes" / "b.wav", 1.0)
    rows = [
        Utterance(long, "x 1", 0.5, 1.0, "quy", "Ana", "train", 'ñan, "rin"', "ɲ a n", extra={"snr": "3"}),
        Utterance(long, "x/2", 1.25, 0.75, "quy", "Eva", "train", "arí"),
        Utterance(long, "x3", 1.4, 1.1, "quy", "Ana", "train", "wasi"),
        Utterance(short, "b.wav", 0.0, 1.0, "spa", "", "dev", "uno dos", label="topic:numbers"),
    ]
    write_manifest(tmp_path / "m.tsv", rows)
    return tmp_path / "m.tsv"


def there_and_back(manifest, kind, out, **options):
    assert export(kind, str(manifest), out).code == 0
    outcome = prepare(kind if kind != "eaf" else "elan", out, out.with_name("back.tsv"), **options)
    assert outcome.document["dropped"] == 0
    return sorted(read_manifest(out.with_name("back.tsv")), key=lambda row: (row.language, row.start, row.text))


def described(row, *columns):
    said = (row.text, row.language, row.speaker, round(row.start, 3), round(row.duration, 3))
    return said, *(getattr(row, column) for column in columns)


@pytest.mark.parametrize("kind", ["nemo", "lhotse"])
def test_nemo_and_lhotse_keep_everything(manifest, tmp_path, kind):
    out = tmp_path / ("nemo.json" if kind == "nemo" else "lhotse")
    back = there_and_back(manifest, kind, out)
    expected = read_manifest(manifest)
    columns = ("id", "path", "phonemes", "split", "label", "extra")
    assert [described(row, *columns) for row in back] == [described(row, *columns) for row in expected]


def test_kaldi_keeps_texts_times_and_speakers(manifest, tmp_path):
    assert export("kaldi", str(manifest), tmp_path / "k").document["utterances"] == 4
    expected = read_manifest(manifest)
    for split in ("train", "dev"):
        folder = tmp_path / "k" / split
        prepare("kaldi", folder, tmp_path / f"{split}.tsv")
        rows = sorted(read_manifest(tmp_path / f"{split}.tsv"), key=lambda row: row.start)
        assert [described(row, "path") for row in rows] == [described(r, "path") for r in expected if r.split == split]
        for table in folder.iterdir():
            lines = table.read_bytes().splitlines()
            assert lines == sorted(lines)
            assert len({line.split()[0] for line in lines}) == len(lines)
    assert (tmp_path / "k" / "train" / "spk2utt").read_text() == "Ana Ana-x3 Ana-x_1\nEva Eva-x/2\n"
    outcome = export("kaldi", str(manifest), tmp_path / "p", split="train", column="phonemes")
    assert outcome.document["utterances"] == 3
    assert (tmp_path / "p" / "text").read_text() == "Ana-x_1 ɲ a n\n"


@pytest.mark.parametrize("kind", ["audiofolder", "parquet"])
def test_data_sets_keep_audio_and_columns(manifest, tmp_path, kind):
    back = (
        there_and_back(manifest, kind if kind != "parquet" else "parquet", tmp_path / "out")
        if kind != "parquet"
        else None
    )
    if back is None:
        assert export("parquet", str(manifest), tmp_path / "out").code == 0
        assert prepare("hub", tmp_path / "out", tmp_path / "back.tsv").document["dropped"] == 0
        back = read_manifest(tmp_path / "back.tsv")
    expected = {row.text: row for row in read_manifest(manifest)}
    assert len(back) == len(expected)
    for row in back:
        own = expected[row.text]
        assert (row.language, row.speaker, row.split, row.phonemes, row.label) == (
            own.language, own.speaker, own.split, own.phonemes, own.label,
        )  # fmt: skip
        assert row.id.endswith(own.id)
        assert row.extra.get("snr") == own.extra.get("snr")
        assert read_utterance(row) == pytest.approx(read_utterance(own), abs=1e-4)
    whole = next(row for row in back if row.text == "uno dos")
    assert whole.path.read_bytes() == expected["uno dos"].path.read_bytes()


def test_parquet_is_what_datasets_and_the_hub_read(manifest, tmp_path):
    outcome = export("parquet", str(manifest), tmp_path / "out")
    assert [file.rpartition("/")[2] for file in outcome.document["files"]] == [
        "train-00000-of-00001.parquet", "validation-00000-of-00001.parquet",
    ]  # fmt: skip
    from datasets import Audio, load_dataset

    found = load_dataset(
        "parquet", data_files=outcome.document["files"], cache_dir=str(tmp_path / "cache"), split="train"
    )
    rows = list(found.cast_column("audio", Audio(decode=False)))
    assert [row["text"] for row in rows] == [row.text for row in read_manifest(manifest)]
    assert rows[0]["audio"]["bytes"][:4] == b"fLaC"
    assert rows[3]["audio"]["path"] == "b.wav"
    table = pyarrow.parquet.read_metadata(outcome.document["files"][0])
    assert json.loads(table.metadata[b"huggingface"])["info"]["features"]["audio"]["_type"] == "Audio"
    assert export("parquet", str(manifest), tmp_path / "out", split="dev", overwrite=True).document["utterances"] == 1
    assert len(list((tmp_path / "out" / "data").iterdir())) == 1


def test_elan_keeps_times_speakers_languages_and_phonemes(manifest, tmp_path):
    back = there_and_back(manifest, "eaf", tmp_path / "eafs", tier_type="utterance")
    expected = read_manifest(manifest)
    assert [described(row, "path") for row in back] == [described(row, "path") for row in expected]
    eaf = Elan.Eaf(str(tmp_path / "eafs" / "sesión 1, días.eaf"))
    assert set(eaf.get_tier_names()) == {"Ana", "Ana-2", "Eva", "phonemes Ana"}
    assert eaf.get_annotation_data_for_tier("Ana") == [(500, 1500, 'ñan, "rin"')]
    assert eaf.get_ref_annotation_data_for_tier("phonemes Ana")[0][:3] == (500, 1500, "ɲ a n")
    assert eaf.media_descriptors[0]["RELATIVE_MEDIA_URL"] == "../my tapes/sesión 1, días.wav"
    prepare("elan", tmp_path / "eafs", tmp_path / "p.tsv", tier_type="phonemes", column="phonemes")
    assert [(row.phonemes, row.start) for row in read_manifest(tmp_path / "p.tsv")] == [("ɲ a n", 0.5)]


def test_praat_keeps_times_and_texts(manifest, tmp_path):
    assert export("textgrid", str(manifest), tmp_path / "grids").code == 0
    grid = praatio.openTextgrid(str(tmp_path / "grids" / "sesión 1, días.TextGrid"), includeEmptyIntervals=False)
    assert grid.maxTimestamp == 4.0
    assert {name: [tuple(entry) for entry in grid.getTier(name).entries] for name in grid.tierNames} == {
        "Ana": [(0.5, 1.5, 'ñan, "rin"')], "phonemes Ana": [(0.5, 1.5, "ɲ a n")], "Ana-2": [(1.4, 2.5, "wasi")],
        "Eva": [(1.25, 2.0, "arí")],
    }  # fmt: skip
    prepare(
        "textgrid", tmp_path / "grids", tmp_path / "t.tsv", tier=["Ana*", "Eva", "speech"], audio_root=manifest.parent
    )
    back = read_manifest(tmp_path / "t.tsv")
    expected = {row.text: row for row in read_manifest(manifest)}
    assert len(back) == 4
    for row in back:
        own = expected[row.text]
        assert (row.path, row.start) == (own.path, own.start)
        assert row.duration == pytest.approx(own.duration, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_used_is_reported_and_nothing_is_written_outside(manifest, tmp_path, kind, capsys):
    rows = read_manifest(manifest)
    evil = ["../../evil", "/etc/evil", "a/../../../evil", "..", "x" * 300]
    rows += [replace(rows[3], id=name, speaker=name, split="../up", text=name) for name in evil]
    rows += [replace(rows[0], id="late", start=3.5), replace(rows[0], id="gone", path=tmp_path / "gone.wav")]
    write_manifest(tmp_path / "n.tsv", rows)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert main(["export", kind, str(tmp_path / "n.tsv"), str(tmp_path / "deep" / "out"), "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(tmp_path / "deep" / "out") for path in made)
    assert document["utterances"] == 4 + len(evil)
    dropped = (tmp_path / "deep" / "out" / f"{kind}.dropped.tsv").read_text()
    assert "gone.wav: there is no such file" in dropped
    assert "from 3.500 s to 4.500 s is not within" in dropped
    assert main(["export", kind, str(tmp_path / "n.tsv"), str(tmp_path / "deep" / "out")]) == 2
    assert "stands there already; replace what is in it with --overwrite" in capsys.readouterr().err


def test_settings_are_of_their_kinds(manifest, tmp_path):
    for options, message in (
        ({"kind": "onnx", "split": "dev"}, "--split is not of onnx"),
        ({"kind": "nemo", "column": "text"}, "--column is not of nemo"),
        ({"kind": "eaf", "opset": 18}, "--model_language and --opset are of onnx, not of eaf"),
    ):
        with pytest.raises(InputError, match=message):
            export(source=str(manifest), out=tmp_path / "o", **options)
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="is a file, a folder was expected"):
        export("kaldi", str(manifest), tmp_path / "f")


def test_rows_that_a_format_cannot_hold_are_reported(manifest, tmp_path, caplog):
    rows = read_manifest(manifest)
    flac = tmp_path / "c.flac"
    soundfile.write(flac, soundfile.read(rows[3].path)[0], 16_000)
    pipe = tmp_path / "b.wav|"
    pipe.write_bytes(rows[3].path.read_bytes())
    more = [
        replace(rows[3], path=flac, id="c", text="", label=""),
        replace(rows[3], path=pipe, id="p"),
        replace(rows[0], id="x_1"),
    ]
    write_manifest(tmp_path / "n.tsv", [*rows, *more])
    assert export("textgrid", str(tmp_path / "n.tsv"), tmp_path / "t").code == 4
    assert "no text, which in a TextGrid is silence" in (tmp_path / "t" / "textgrid.dropped.tsv").read_text()
    assert export("kaldi", str(tmp_path / "n.tsv"), tmp_path / "k").code == 4
    dropped = (tmp_path / "k" / "kaldi.dropped.tsv").read_text()
    assert "b.wav| names a command to Kaldi" in dropped
    assert "Ana-x_1 as an id stands twice where spaces are underscores" in dropped
    assert "wav.scp names .flac" in caplog.text


def test_lhotse_s_manifests_are_read_by_lhotse(manifest, tmp_path):
    lhotse = pytest.importorskip("lhotse")
    export("lhotse", str(manifest), tmp_path / "out")
    cuts = list(lhotse.load_manifest(tmp_path / "out" / "cuts.jsonl.gz"))
    assert [(cut.supervisions[0].text, cut.start, cut.duration) for cut in cuts] == [
        (row.text, row.start, row.duration) for row in read_manifest(manifest)
    ]
    lhotse.validate(lhotse.CutSet.from_cuts(cuts))


def test_lhotse_s_manifests_have_its_keys(manifest, tmp_path):
    export("lhotse", str(manifest), tmp_path / "out")
    with gzip.open(tmp_path / "out" / "cuts.jsonl.gz", "rt", encoding="utf-8") as file:
        cut = json.loads(file.readline())
    assert cut.keys() == {"id", "start", "duration", "channel", "supervisions", "recording", "type"}
    assert (cut["type"], cut["recording"]["num_samples"], cut["recording"]["sampling_rate"]) == (
        "MonoCut",
        64_000,
        16_000,
    )
