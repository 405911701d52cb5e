import hashlib
import json
import subprocess
import sys

import pytest

from speechxl.cli import main
from speechxl.errors import InputError, NothingMatched
from speechxl.phonology.inventory import read_inventory
from speechxl.phonology.phoible import open_phoible
from speechxl.verbs.inventory import inventory
from tests.phonology.conftest import write_release


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path / "release")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SPEECHXL_PHOIBLE", raising=False)
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


def test_list(release):
    outcome = inventory("list", phoible=release)
    assert outcome.text.splitlines()[0].split() == [
        "language", "glottocode", "name", "dialect", "source", "inventory", "phonemes",
    ]  # fmt: skip
    assert [entry["inventory"] for entry in outcome.document["inventories"]] == [3, 1, 2]
    assert [
        x["dialect"] for x in inventory("list", ["ayacucho", "NORTH"], phoible=release).document["inventories"]
    ] == ["north"]
    with pytest.raises(NothingMatched, match="no language with 'swahili' in its names or codes"):
        inventory("list", ["swahili"], phoible=release)


def test_show_draws_the_chart_writes_a_page_and_a_file(release, tmp_path):
    outcome = inventory("show", ["quy"], phoible=release, html=tmp_path / "a.html", out=tmp_path / "a.txt")
    lines = outcome.text.splitlines()
    assert lines[0] == "quy Ayacucho Quechua (phoible:union)"
    assert "plosive     p b" in lines
    assert "nasal       m" in lines
    assert "diphthongs: ai" in lines
    assert "Tones, which are left out: ˥." in lines
    assert outcome.document["phones"] == ["a", "ai", "b", "i", "m", "p"]
    assert outcome.document["counts"]["p"] == 2
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert '<td class="number">p b</td>' in page
    assert "(unknown" not in page
    assert read_inventory(tmp_path / "a.txt").symbols == tuple(outcome.document["phones"])


def test_marginal_phonemes_can_be_left_out(release):
    assert "b" not in inventory("show", ["quy"], phoible=release, marginal=False).document["phones"]


def test_diff_names_the_nearest(release, tmp_path):
    (tmp_path / "own.txt").write_text("p\npʰ\na\n", encoding="utf-8")
    outcome = inventory("diff", [str(tmp_path / "own.txt"), "phoible:1"], phoible=release)
    assert outcome.document["both"] == ["a", "p"]
    (entry,) = outcome.document["only"]["first"]
    assert (entry["phone"], entry["nearest"], entry["features"]) == ("pʰ", "p", ["aspirated"])
    assert [x["phone"] for x in outcome.document["only"]["second"]] == ["b", "i"]
    assert "2 (40% of all)" in outcome.text


def test_diff_does_without_phoible(tmp_path):
    for name, text in (("a.txt", "p\na\n"), ("b.txt", "pʰ\na\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    outcome = inventory("diff", [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    assert outcome.document["distance"] == "panphon"


def test_install_and_use(release, capsys):
    path = release / "phoible.csv"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    code = main(["inventory", "install", "--url", path.as_uri(), "--sha256", digest, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (code, document["inventories"], document["segments"]) == (0, 3, 9)
    open_phoible.cache_clear()
    assert main(["inventory", "show", "arb"]) == 0
    assert capsys.readouterr().out.startswith("arb Árabe (phoible:union)")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("show", []), {}, "inventory show takes 1 names, got 0"),
        (("diff", ["a"]), {}, "inventory diff takes 2 names, got 1: a"),
        (("list", []), {"html": "x.html"}, "--html is of inventory show, not of list"),
        (("install", []), {"url": "x"}, "--url and --sha256 go together"),
    ],
)
def test_what_does_not_fit_together(arguments, options, message):
    with pytest.raises(InputError, match=message):
        inventory(*arguments, **options)


def test_without_phoible_it_says_what_to_do(capsys):
    assert main(["inventory", "show", "swh"]) == 2
    assert "PHOIBLE is not installed: speechxl inventory install fetches it" in capsys.readouterr().err


def test_it_does_without_torch(release):
    code = (
        "import sys; from speechxl.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules and code == 0"
    )
    arguments = ["inventory", "show", "arb", "--phoible", str(release)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
