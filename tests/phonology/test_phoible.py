import pytest

from speechxl.errors import InputError
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.inventory import phoible_inventory
from speechxl.phonology.phoible import Phoible, need_phoible, open_phoible


def test_the_official_table_is_read(small):
    assert [(d.id, d.iso, d.dialect) for d in small.find("quy")] == [(1, "quy", ""), (2, "quy", "north")]
    first = small.rows(1)
    assert [row.phoneme for row in first] == ["p", "b", "a", "i", "˥"]
    assert first[0].allophones == ("p", "pʰ")
    assert first[1].allophones == ()
    assert [row.marginal for row in first] == [False, True, False, False, False]
    assert isinstance(small.table, FeatureTable)
    assert small.table.names == ("syllabic", "nasal", "periodicGlottalSource", "high", "spreadGlottis")
    assert small.table.count("p") == small.table.count("a") == 2


def test_the_compact_form_says_the_same(small, tmp_path):
    small.write(tmp_path / "compact")
    compact = Phoible(tmp_path / "compact")
    assert compact.doculects == small.doculects
    assert [compact.rows(id) for id in (1, 2, 3)] == [small.rows(id) for id in (1, 2, 3)]
    assert compact.table.symbols == small.table.symbols
    assert (compact.table.end == small.table.end).all()
    assert compact.version == small.version


@pytest.mark.parametrize("query", ["arb", "Árabe", "arabe", "ARABE", "bbbb1234"])
def test_a_language_is_found_by_code_and_name(small, query):
    assert [doculect.id for doculect in small.find(query)] == [3]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ara", "'ara', a macrolanguage; of its members it has arb Árabe"),
        ("que", "'que', a macrolanguage; of its members it has quy Ayacucho Quechua"),
        ("qux", "of que, the macrolanguage that it belongs to, it has quy Ayacucho Quechua"),
        ("arc", "nearest are arb Árabe"),
        ("arabi", "nearest are arb Árabe"),
        ("zzzzzz", "speechxl inventory list shows all"),
    ],
)
def test_for_an_unknown_language_there_are_others(small, query, message):
    with pytest.raises(InputError, match=f"has no inventory of .*{message}"):
        small.find(query)


def test_a_member_whose_macrolanguage_is_there(phoible):
    with pytest.raises(InputError, match="'nno'; it belongs to nor Norwegian, of which there is one"):
        phoible.find("nno")
    assert phoible.find("de") == phoible.find("deu")


def test_an_unknown_version_is_told(small, caplog):
    assert small.version.startswith("unknown ")
    assert "of an unknown version (SHA-256" in caplog.text


def test_a_version_with_other_columns_is_refused(release):
    path = release / "phoible.csv"
    path.write_text(path.read_text().replace("Allophones", "Variants", 1))
    with pytest.raises(
        InputError, match=r"phoible.csv: of an unknown version: no column Allophones .*Known are phoible/dev"
    ):
        Phoible(release).doculects  # noqa: B018


def test_a_damaged_table_is_refused(release):
    path = release / "phoible.csv"
    path.write_text(path.read_text() + "not a row\n")
    with pytest.raises(InputError, match=r"'not a row.*' is not the number of an inventory; is the file whole"):
        Phoible(release).find("quy")


def test_where_there_is_none(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"there is no PHOIBLE; phoible.csv is expected, or inventories.csv with"):
        Phoible(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPEECHXL_PHOIBLE", raising=False)
    open_phoible.cache_clear()
    assert open_phoible() is None
    with pytest.raises(InputError, match="PHOIBLE is not installed: speechxl inventory install fetches it"):
        need_phoible()
    open_phoible.cache_clear()


def test_the_variable_names_a_folder(release, monkeypatch):
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(release / "phoible.csv"))
    open_phoible.cache_clear()
    assert [d.id for d in need_phoible().find("arb")] == [3]
    open_phoible.cache_clear()


def test_a_whole_release_is_loaded(phoible):
    fresh = Phoible(phoible.folder)
    assert len(phoible_inventory(fresh, "swh")) == 49
    assert len(fresh.table.symbols) == 3142
