from pathlib import Path

import iso639
import pytest

from speechxl.data.families import language_families
from speechxl.data.languages import retired
from speechxl.errors import InputError
from speechxl.shapes import Utterance

CORPORA = Path(__file__).parents[3] / "shared" / "corpora" / "languages.tsv"
PHOIBLE = CORPORA.parents[1] / "phoible" / "languages.csv"
XLS_R = """ab af am ar as az ba be bg bn bo br bs ca ceb cs cv cy da de dv el en eo es et eu fa fi fo fr fy ga gl gn gu gv ha
haw he hi hr hsb ht hu hy ia id is it ja jv ka kab kk km kmr kn ko ky la lb lg ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn
no oc or pa pl ps pt rm ro ru rw sa sah sco sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tpi tr tt uk ur uz vi vot war yi
yo yue zh zu"""


def test_every_code_is_one_of_iso_639_3():
    known = language_families()
    assert len(known) > 1000
    assert all(iso639.is_language(code, "pt3") or retired(code) for code in known)


def test_the_languages_of_xls_r_are_there():
    known = language_families()
    codes = XLS_R.split()
    assert len(codes) > 120
    assert not [code for code in codes if (code if len(code) == 3 else iso639.Lang(code).pt3) not in known]
    assert [known[code] for code in ("swh", "quy", "fin", "eus", "yue")] == [
        "Atlantic-Congo", "Quechuan", "Uralic", "Basque", "Sino-Tibetan"
    ]  # fmt: skip


@pytest.mark.skipif(not CORPORA.exists() or not PHOIBLE.exists(), reason="needs shared/corpora and shared/phoible")
def test_families_are_those_of_glottolog():
    own, others = language_families(), language_families(path=PHOIBLE)
    assert not {code: (family, others[code]) for code, family in own.items() if others[code] != family}
    lines = [line.split("\t") for line in CORPORA.read_text(encoding="utf-8").splitlines()[1:]]
    assert {line[0] for line in lines} - own.keys() == {"mis"}


def test_the_manifest_goes_before_the_table_and_the_users_table_before_both(tmp_path):
    rows = [
        Utterance(Path("a"), "a", language="swh", extra={"family": "Bantu"}),
        Utterance(Path("b"), "b", language="mis", extra={"family": "Tangkhulic"}),
        Utterance(Path("c"), "c", language="deu", extra={"family": ""}),
    ]
    known = language_families(rows)
    assert [known[code] for code in ("swh", "mis", "deu")] == ["Bantu", "Tangkhulic", "Indo-European"]
    path = tmp_path / "f.csv"
    path.write_text(
        'Glottocode,ISO639P3code,Name,Family_Name\nswah1253,swh,"Swahili, coastal",Benue-Congo\nx,xyz,None,\n'
    )
    known = language_families(rows, path)
    assert known["swh"] == "Benue-Congo"
    assert known["mis"] == "Tangkhulic"
    assert "xyz" not in known


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "f.tsv"
    with pytest.raises(InputError, match=r"--families .*f.tsv: there is no such table"):
        language_families(path=path)
    path.write_text("code\tgroup\nswh\tBantu\n")
    with pytest.raises(InputError, match="found columns 'code, group'; columns language and family were expected"):
        language_families(path=path)
    path.write_bytes(b"language\tfamily\nswh\t\xff\n")
    with pytest.raises(InputError, match="is not UTF-8"):
        language_families(path=path)
