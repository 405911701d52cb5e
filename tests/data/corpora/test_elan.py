import json

import pytest
from pympi import Elan

from speechxl.cli import main
from speechxl.data.corpora.elan import read
from speechxl.data.elan import read_elan
from speechxl.data.manifest import Fault, read_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_eaf, write_tone

NAME = "sesión 1 (días)"


@pytest.fixture
def session(tmp_path):
    write_tone(tmp_path / "field notes" / f"{NAME}.wav")
    return write_eaf(tmp_path / "field notes" / f"{NAME}.eaf").parent


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


def test_all_tiers_of_a_type_are_merged_and_speakers_are_participants(session):
    rows, faults = parted(read(session, tier_type="utterance"))
    assert [(row.text, row.speaker, row.extra["tier"]) for row in rows] == [
        ("ñan rin", "Ana María", "tx@Ana"),
        ("wasi", "Ana María", "tx@Ana"),
        ("arí", "Ñusta", "tx@Ñusta"),
    ]
    own = Elan.Eaf(str(session / f"{NAME}.eaf")).get_annotation_data_for_tier("tx@Ana")
    assert (rows[0].start, rows[0].start + rows[0].duration) == pytest.approx([t / 1000 for t in sorted(own)[0][:2]])
    assert sorted(fault.message for fault in faults) == ["annotation of no length", "empty annotation"]
    assert all(row.path == session / f"{NAME}.wav" and row.path.exists() for row in rows)


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"tier": ["tx@A*"]}, ["ñan rin", "wasi"]),
        ({"tier": ["tx@n*", "notes"]}, ["wind"]),
        ({"participant": "Ana María", "tier": ["tx*"]}, ["ñan rin", "wasi"]),
        ({"tier_number": 5}, ["wind"]),
        ({"tier": ["ft@*"]}, ["the road goes"]),
        ({"tier": ["wd@*"], "column": "phonemes"}, ["ñan rin", "wasi"]),
    ],
)
def test_tiers_are_chosen_by_name_participant_or_order(session, options, texts):
    rows, _ = parted(read(session, **options))
    assert [row.phonemes or row.text for row in rows] == texts


def test_dependent_tiers_have_the_times_of_their_parents(session):
    (translation,), _ = parted(read(session, tier=["ft@*"]))
    words, _ = parted(read(session, tier=["wd@*"]))
    assert (translation.start, translation.duration) == pytest.approx((0.1, 0.8))
    assert [(row.start, row.duration) for row in words] == [pytest.approx((0.1, 0.8)), pytest.approx((2.0, 0.6))]


def test_slots_without_a_time_are_spread_evenly(tmp_path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "a.eaf").write_text(
        '<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/>'
        '<TIME_SLOT TIME_SLOT_ID="t2"/><TIME_SLOT TIME_SLOT_ID="t3"/>'
        '<TIME_SLOT TIME_SLOT_ID="t4" TIME_VALUE="2500"/></TIME_ORDER>'
        '<TIER TIER_ID="w">'
        + "".join(
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{n}" TIME_SLOT_REF1="t{n}" TIME_SLOT_REF2="t{n + 1}">'
            f"<ANNOTATION_VALUE>w{n}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            for n in (1, 2, 3)
        )
        + '</TIER><TIER TIER_ID="d"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a8" ANNOTATION_REF="a9"/></ANNOTATION>'
        '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a9" ANNOTATION_REF="a8"/></ANNOTATION></TIER></ANNOTATION_DOCUMENT>'
    )
    rows, _ = parted(read(tmp_path, tier=["w"]))
    assert [(row.start, row.duration) for row in rows] == [pytest.approx((1 + n / 2, 0.5)) for n in range(3)]
    _, faults = parted(read(tmp_path, tier=["d"]))
    assert [fault.message for fault in faults] == ["its time is not in the document"] * 2


def test_without_a_choice_the_tiers_are_listed(session):
    with pytest.raises(InputError, match=r"several kinds of tiers(.|\n)*'notes', type 'note': 1 annotations in 1 file"):
        list(read(session))
    with pytest.raises(
        InputError, match=r"no tier is --tier xx --participant Eva --tier_number 3; there are:\n.*'tx@Ana'"
    ):
        list(read(session, tier=["xx"], participant="Eva", tier_number=3))
    with pytest.raises(InputError, match="no tier is --tier_type gloss"):
        list(read(session, tier_type="gloss"))


@pytest.mark.parametrize(
    ("media", "place"),
    [
        ("file:///C:/Users/ana/my%20tapes/the%20tape.wav", "sessions/the tape.wav"),
        ("../audio/the tape.wav", "audio/the tape.wav"),
        ("..\\audio\\the tape.wav", "audio/the tape.wav"),
        ("./nope.wav", "sessions/a.flac"),
        ("file:///D:/the%20tape.wav", "elsewhere/disc 2/the tape.wav"),
        ("./cafe\u0301.wav", "sessions/caf\u00e9.wav"),
    ],
)
def test_the_recording_is_found_by_address_name_stem_or_below_the_root(tmp_path, media, place):
    write_tone(tmp_path / place)
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    write_eaf(tmp_path / "sessions" / "a.eaf", [(media, None)])
    rows, _ = parted(read(tmp_path, tier=["tx@Ana"], audio_root=tmp_path / "elsewhere"))
    assert {row.path for row in rows} == {tmp_path / place}


def test_sound_is_preferred_to_the_film_and_its_origin_is_added(tmp_path):
    write_tone(tmp_path / "b.wav", 6.0)
    (tmp_path / "a.mp4").write_bytes(b"film")
    file = write_eaf(tmp_path / "a.eaf", [("a.mp4", "./a.mp4"), ("b.wav", "./b.wav")])
    file.write_text(
        file.read_text().replace('RELATIVE_MEDIA_URL="./b.wav"', 'RELATIVE_MEDIA_URL="./b.wav" TIME_ORIGIN="1500"')
    )
    rows, _ = parted(read(file, tier=["tx@Ana"]))
    assert [(row.path.name, row.start) for row in rows] == [("b.wav", 1.6), ("b.wav", 3.5)]


def test_a_missing_recording_and_a_broken_document_are_reported_and_the_rest_is_kept(session, tmp_path, caplog):
    write_eaf(session / "lost.eaf")
    (session / "cut.eaf").write_text((session / "lost.eaf").read_text()[:900])
    outcome = prepare("elan", session, tmp_path / "m.tsv", language="quy", tier=["tx@*"])
    assert outcome.document["utterances"] == len(read_manifest(tmp_path / "m.tsv")) == 3
    dropped = (tmp_path / "m.dropped.tsv").read_text(encoding="utf-8")
    assert "lost.eaf\tits recording is missing (./lost.wav); looked beside it" in dropped
    assert dropped.count("\tits recording is missing\n") == 5
    assert "cut.eaf:" in dropped
    assert "cannot be read as XML" in dropped
    assert outcome.document["dropped"] == dropped.count("\n") - 1 == 9
    assert "lost.eaf#tx@Ana@0.100 and 4 more: its recording is missing" in caplog.text
    with pytest.raises(InputError, match=r"--audio_root .*: there is no such folder"):
        list(read(session, audio_root=session / "none"))


def test_a_document_in_which_the_chosen_tier_is_not_is_reported(session):
    other = write_eaf(session / "other.eaf")
    other.write_text(other.read_text().replace("tx@", "text@"))
    rows, faults = parted(read(session, tier=["tx@Ana"]))
    assert len(rows) == 2
    assert [fault.message for fault in faults if fault.place == str(other)] == ["none of the chosen tiers is in it"]


def test_overlaps_are_kept_and_counted(session, tmp_path, caplog):
    caplog.set_level("INFO")
    assert prepare("elan", session, tmp_path / "m.tsv", language="quy", tier=["tx@*"]).document["utterances"] == 3
    assert "2 of 3 annotations overlap in time" in caplog.text


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 if n else str()};" * 10}">' for n in range(1, 10))
    + "]><ANNOTATION_DOCUMENT>&lol9;</ANNOTATION_DOCUMENT>"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, r"a.eaf:1: declares a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>', r"a.eaf:1: declares a document type"),
        ("<a>" * 200 + "</a>" * 200, "more than 100 elements stand in each other"),
        ("<html/>", "is no annotation document of ELAN, its root is <html>"),
        ("", r"a.eaf:1: cannot be read as XML \(no element found\)"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "cannot be read as XML"),
        (
            '<ANNOTATION_DOCUMENT><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="nan"/></ANNOTATION_DOCUMENT>',
            "the time of ts1 is 'nan', milliseconds were expected",
        ),
    ],
)
def test_what_is_malformed_is_said_with_its_place(tmp_path, text, message):
    (tmp_path / "a.eaf").write_text(text)
    with pytest.raises(InputError, match=message):
        list(read(tmp_path / "a.eaf"))


def test_missing_sources_are_said(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        list(read(tmp_path / "none"))
    with pytest.raises(NothingMatched, match=r"no .eaf below this folder"):
        list(read(tmp_path))
    with pytest.raises(InputError, match="there is no such file"):
        read_elan(tmp_path / "none.eaf")
    with pytest.raises(InputError, match="is a folder, an XML file was expected"):
        read_elan(tmp_path)


def test_the_command_line_takes_several_tiers(session, tmp_path, capsys):
    arguments = [
        "prepare",
        "elan",
        str(session),
        str(tmp_path / "m.tsv"),
        "--tier",
        "tx@A*",
        "notes",
        "--language",
        "quy",
    ]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["utterances"] == 3
    assert main(["prepare", "elan", str(session), str(tmp_path / "n.tsv"), "--tier_number", "5", "--language=quy"]) == 0
    assert main(["prepare", "textgrid", str(session), str(tmp_path / "o.tsv"), "--participant", "Eva"]) == 2
    assert "--participant is of elan; 'textgrid' has no use for it" in capsys.readouterr().err
