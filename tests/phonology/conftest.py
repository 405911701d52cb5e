"""PHOIBLE beside the repository, and a small one of the same form."""

from pathlib import Path

import pytest

from speechxl.phonology.phoible import Phoible

SHARED = Path(__file__).parents[3] / "shared"
FEATURES = ["syllabic", "nasal", "periodicGlottalSource", "high", "spreadGlottis"]
SEGMENTS = {
    "p": "-,-,-,0,-",
    "pʰ": "-,-,-,0,+",
    "b": "-,-,+,0,-",
    "m": "-,+,+,0,-",
    "mb": '-,"+,-",+,0,-',
    "a": "+,-,+,-,-",
    "i": "+,-,+,+,-",
    "ai": '+,-,+,"-,+",-',
    "ã": "+,+,+,-,-",
    "˥": "0,0,0,0,0",
}
INVENTORIES = [
    # id, Glottocode, ISO, name, dialect, source, phonemes with their allophones
    (1, "aaaa1234", "quy", "Ayacucho Quechua", "NA", "spa", {"p": "p pʰ", "b": "NA", "a": "a ã", "i": "i", "˥": "NA"}),
    (2, "aaaa1234", "quy", "AYACUCHO", "north", "ph", {"p": "p", "m": "m", "a": "a", "ai": "ai"}),
    (3, "bbbb1234", "arb", "Árabe", "NA", "ph", {"b": "b", "m": "m", "mb": "mb", "i": "i", "ã": "ã"}),
]


@pytest.fixture(scope="session")
def phoible():
    """PHOIBLE itself."""
    folder = SHARED / "phoible"
    if not folder.is_dir():
        pytest.skip(f"no PHOIBLE in {folder}")
    return Phoible(folder)


def write_release(folder):
    """Writes a small phoible.csv into a new folder."""
    folder.mkdir()
    header = "InventoryID,Glottocode,ISO6393,LanguageName,SpecificDialect,GlyphID,Phoneme,Allophones,Marginal,SegmentClass,Source"
    lines = [",".join([header, *FEATURES])]
    for id, glottocode, iso, name, dialect, source, phonemes in INVENTORIES:
        for phoneme, allophones in phonemes.items():
            kind = "tone" if phoneme == "˥" else "vowel" if phoneme[0] in "ai" else "consonant"
            marginal = "TRUE" if (id, phoneme) == (1, "b") else "FALSE"
            cells = [id, glottocode, iso, name, dialect, "0061", phoneme, allophones, marginal, kind, source]
            lines.append(",".join([*map(str, cells), SEGMENTS[phoneme]]))
    (folder / "phoible.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def release(tmp_path):
    """A folder with a small phoible.csv."""
    return write_release(tmp_path / "release")


@pytest.fixture
def small(release):
    """The small PHOIBLE."""
    return Phoible(release)
