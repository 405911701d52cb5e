"""Phones of any language in Python."""

import subprocess
import sys

import pytest
import soundfile

import speechxl
from speechxl import Inventory, PhoneMap, Phones, find_inventory, load
from speechxl.errors import InputError
from speechxl.phonology.phoible import open_phoible
from speechxl.shapes import Phone
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs.transcribe import transcribe
from tests.conftest import save_phones
from tests.phonology.conftest import write_release


@pytest.fixture(autouse=True)
def release(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(write_release(tmp_path / "release")))
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


@pytest.fixture
def folder(tmp_path):
    return save_phones(tmp_path / "phones", Vocabulary.from_texts(["p pʰ a i mb ã"], "phoneme"))


def test_a_language_gives_what_transcribe_gives(folder, recording):
    model = load(folder, precision="32", alternatives=2, attributes=True)
    settings = {"precision": "32", "alternatives": 2, "attributes": True}
    for options in ({"language": "quy"}, {"language": "arb", "phones": Phones(strategy="nearest")}, {}):
        (expected,) = transcribe(folder, [recording], **options, **settings).document["results"]
        result = model.transcribe(recording, **options)
        assert result.document == expected
        assert len(result.phones) > 3
        samples, rate = soundfile.read(recording, dtype="float32")
        assert model.transcribe(samples, rate, **options).document == expected | {"audio": "array"}
        (many,) = model.transcribe_all([recording], **options)
        assert many.document == expected
    phone = model.transcribe(recording, language="quy").phones[0]
    assert isinstance(phone, Phone)
    assert len(phone.alternatives) == 2
    assert 0 < phone.alternatives[0][1] <= 1
    assert {"oral", "nasal"} & set(phone.attributes)
    plain = load(folder, precision="32").transcribe(recording, language="quy").phones[0]
    assert (plain.alternatives, plain.attributes) == ((), None)


def test_an_inventory_is_a_list_a_name_or_a_file(folder, recording, tmp_path):
    model = load(folder, precision="32")
    (tmp_path / "own.txt").write_text("p\nai\nb\n")
    (expected,) = transcribe(folder, [recording], inventory=str(tmp_path / "own.txt"), precision="32").document[
        "results"
    ]
    for inventory in (Inventory(["b", "ai", "p"]), tmp_path / "own.txt", find_inventory(str(tmp_path / "own.txt"))):
        assert model.transcribe(recording, inventory=inventory).document == expected
    named = model.transcribe(recording, inventory="phoible:3", language="quy")
    assert set(named.text.split()) <= {"b", "m", "mb", "i", "ã"}
    assert named.language == "quy"
    assert model.transcribe(recording, inventory="phoible:3").text == named.text


def test_a_map_says_what_becomes_of_phones(folder):
    model = load(folder)
    mapping = model.map(language="quy")
    assert isinstance(mapping, PhoneMap)
    assert mapping.inventory.symbols == find_inventory("quy").symbols
    statuses = {target.target: target.status for target in mapping.report.targets}
    assert (statuses["p"], statuses["b"]) == ("exact", "near")
    assert model.map(Inventory(["p", "m"]), phones=Phones(strategy="exact")).matrix.sum() == 2  # blank and p
    with pytest.raises(InputError, match="Name the phones by language=, or by inventory="):
        model.map()


def test_a_model_with_a_vocabulary_for_each_language_takes_that(tmp_path, recording):
    vocabularies = Vocabularies.from_texts({"swh": ["p a i"], "quy": ["b m pʰ ã"]}, "phoneme")
    model = load(save_phones(tmp_path / "separate", vocabularies), precision="32")
    assert set(model.transcribe(recording, language="quy").text.split()) <= {"b", "m", "pʰ", "ã"}
    mapped = model.transcribe(recording, language="quy", inventory=Inventory(["b", "ai"]))
    assert set(mapped.text.split()) <= {"b", "ai"}
    assert model.map(Inventory(["p", "b"]), language="swh").report.targets[1].status == "exact"
    for ask in (
        lambda: model.transcribe(recording, language="arb"),
        lambda: model.transcribe(recording, language="arb", inventory=Inventory(["b"])),
        lambda: model.map(Inventory(["b"]), language="arb"),
    ):
        with pytest.raises(InputError, match="vocabulary for each of swh, quy, and none for 'arb'"):
            ask()


def test_a_model_of_characters_has_no_phones(ctc_folder, recording):
    model = load(ctc_folder, precision="32")
    assert model.transcribe(recording, language="quy").language == "quy"
    with pytest.raises(InputError, match="ctc: The model writes characters, not phones"):
        model.transcribe(recording, inventory=Inventory(["a"]))
    with pytest.raises(InputError, match="ctc: attributes are those of phones, and the model writes characters"):
        load(ctc_folder, attributes=True)
    with pytest.raises(InputError, match="ctc: --alternatives are those of phones"):
        load(ctc_folder, alternatives=1)


def test_a_language_that_has_no_inventory_is_no_reason_for_all_phones(folder, recording, monkeypatch):
    with pytest.raises(InputError, match=r"PHOIBLE .* has no inventory of 'zzz'"):
        load(folder).transcribe(recording, language="zzz")
    monkeypatch.delenv("SPEECHXL_PHOIBLE")
    open_phoible.cache_clear()
    with pytest.raises(InputError, match="PHOIBLE is not installed"):
        load(folder).transcribe(recording, language="quy")


def test_public_names_do_without_torch():
    code = (
        "import sys; from speechxl import Inventory, PhoneMap, Phones, find_inventory\n"
        "print(Inventory(['g', 'tʃ', 'a˥']).symbols); assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "('a', 't͡ʃ', 'ɡ')"
    assert all(getattr(speechxl, name) for name in speechxl.__all__)
