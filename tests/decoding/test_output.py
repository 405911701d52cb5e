"""Every format, read back by a library that has not written it where there is one."""

import csv
import json
from itertools import groupby, pairwise
from xml.etree import ElementTree

import pysubs2
import pytest
from praatio import textgrid
from pympi import Eaf

from speechxl.decoding.annotations import AnnotationError
from speechxl.decoding.output import FORMATS, document, read_formats, write
from speechxl.errors import InputError
from speechxl.shapes import Hypothesis, Utterance, Word

WORDS = [("ñan", 0.1, 0.4), ("<b> & 'q\"", 0.4, 0.5), ("{z}", 1.0, 1.26), ("end", 3.02, 3.2)]


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "recs" / "my talk.wav"
    path.parent.mkdir()
    path.write_bytes(b"not read here")
    return path


def written(recording, folder, words=WORDS, units="char", start=0.0, seconds=3.1234567, formats=FORMATS, **options):
    """Writes all formats, and gives the files by suffix and the document."""
    utterance = Utterance(recording, recording.name, start)
    hypothesis = Hypothesis(
        " ".join(text for text, *_ in words), [Word(text, begin, end, 0.87654) for text, begin, end in words]
    )
    result = document("it", utterance, seconds, hypothesis, units)
    write(folder / "t", "my talk", result, utterance, seconds, units, formats, **options)
    return {format: folder / f"t.{format}" for format in FORMATS}, result


def eaf_tier(path, tier):
    return [each[:3] for each in sorted(Eaf(path).get_annotation_data_for_tier(tier))]


def test_names_of_formats_are_read_in_any_case_and_all_is_all():
    assert read_formats("SRT, textgrid,Eaf,srt") == ["srt", "TextGrid", "eaf"]
    assert read_formats("All") == list(FORMATS)
    for wrong, message in [("doc", "--format doc: .*choose among txt, .*, all"), (" ,", "no format is named")]:
        with pytest.raises(InputError, match=message):
            read_formats(wrong)


def test_text_and_json(recording, tmp_path):
    files, result = written(recording, tmp_path)
    assert files["txt"].read_text(encoding="utf-8") == result["text"] + "\n"
    assert json.loads(files["json"].read_text(encoding="utf-8")) == result
    assert not files["jsonl"].exists()


def test_subtitles_are_read_back_as_lines(recording, tmp_path):
    files, _ = written(recording, tmp_path, max_line_width=14, max_gap=0.6)
    expected = [(100, 500, "ñan <b> & 'q\""), (1000, 1260, "{z}"), (3020, 3123, "end")]
    read = pysubs2.load(str(files["srt"]), encoding="utf-8", keep_html_tags=True)
    assert [(line.start, line.end, line.text) for line in read] == expected
    assert files["vtt"].read_text(encoding="utf-8").startswith("WEBVTT\n")
    read = pysubs2.load(str(files["vtt"]), encoding="utf-8")
    assert [(line.start, line.end) for line in read] == [line[:2] for line in expected]
    assert read[0].text == "ñan &lt;b&gt; &amp; 'q\""


def test_the_table_is_that_of_whisper(recording, tmp_path):
    files, _ = written(recording, tmp_path, max_line_width=14, max_gap=0.6)
    with files["tsv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == {"start": "100", "end": "500", "text": "ñan <b> & 'q\""}
    assert [row["start"] for row in rows] == ["100", "1000", "3020"]


def test_ctm_has_six_fields_whatever_the_name(recording, tmp_path):
    files, _ = written(recording, tmp_path, words=[("a", 0.1, 0.4), ("b", 3.0, 3.2)])
    assert files["ctm"].read_text(encoding="utf-8").splitlines() == [
        "my_talk 1 0.100 0.300 a 0.8765",
        "my_talk 1 3.000 0.123 b 0.8765",
    ]


@pytest.mark.parametrize(("units", "tier"), [("char", "words"), ("phoneme", "phones")])
@pytest.mark.parametrize("start", [0.0, 60.5])
def test_a_textgrid_partitions_the_recording_up_to_the_end_of_the_clip(recording, tmp_path, units, tier, start):
    files, _ = written(recording, tmp_path, units=units, start=start)
    grid = textgrid.openTextgrid(str(files["TextGrid"]), includeEmptyIntervals=True)
    assert grid.tierNames == (tier, "scores")
    for name in grid.tierNames:
        entries = grid.getTier(name).entries
        assert (entries[0].start, entries[-1].end) == (0, start + 3.1234567)
        assert all(left.end == right.start for left, right in pairwise(entries))
        assert all(entry.start < entry.end for entry in entries)
    labels = [(entry.start, entry.label) for entry in grid.getTier(tier).entries if entry.label]
    assert labels == [(pytest.approx(start + begin), text) for text, begin, _ in WORDS]
    assert {entry.label for entry in grid.getTier("scores").entries} == {"", "0.8765"}


@pytest.mark.parametrize(("units", "tier"), [("char", "speechxl-words"), ("phoneme", "speechxl-phones")])
def test_an_annotation_document_has_words_and_scores_and_knows_its_recording(recording, tmp_path, units, tier):
    files, _ = written(recording, tmp_path, units=units)
    eaf = Eaf(files["eaf"])
    assert list(eaf.get_tier_names()) == [tier, "speechxl-confidence"]
    assert eaf_tier(files["eaf"], tier) == [
        (100, 400, "ñan"), (400, 500, "<b> & 'q\""), (1000, 1260, "{z}"), (3020, 3123, "end")
    ]  # fmt: skip
    scores = eaf.get_ref_annotation_data_for_tier("speechxl-confidence")
    assert sorted((*each[:3], each[3]) for each in scores)[0] == (100, 400, "0.8765", "ñan")
    assert eaf.get_parameters_for_tier("speechxl-confidence")["PARENT_REF"] == tier
    (media,) = eaf.media_descriptors
    assert media["MIME_TYPE"] == "audio/x-wav"
    assert (tmp_path / media["RELATIVE_MEDIA_URL"]).resolve() == recording
    assert media["MEDIA_URL"] == f"file://{recording}"
    assert dict(eaf.properties)["lastUsedAnnotationId"] == "9"
    assert files["eaf"].read_bytes() == written(recording, tmp_path, units=units)[0]["eaf"].read_bytes()


@pytest.mark.parametrize("units", ["char", "phoneme"])
def test_nothing_recognised_is_written_as_well(recording, tmp_path, units):
    files, _ = written(recording, tmp_path, words=[], units=units)
    assert files["srt"].read_text() == ""
    assert files["tsv"].read_text() == "start\tend\ttext\n"
    grid = textgrid.openTextgrid(str(files["TextGrid"]), includeEmptyIntervals=True)
    assert [len(grid.getTier(name).entries) for name in grid.tierNames] == [1, 1]
    assert all(not eaf_tier(files["eaf"], tier) for tier in Eaf(files["eaf"]).get_tier_names())


def test_times_of_a_stretch_are_those_in_the_recording(recording, tmp_path):
    files, _ = written(recording, tmp_path, start=3600.0)
    assert pysubs2.load(str(files["srt"]), encoding="utf-8")[0].start == 3_600_100
    assert files["tsv"].read_text().splitlines()[1].startswith("3600100\t")
    assert files["ctm"].read_text().startswith("my_talk 1 3600.100 0.300 ")
    assert eaf_tier(files["eaf"], "speechxl-words")[0][:2] == (3_600_100, 3_600_400)


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" AUTHOR="ana" DATE="2020-01-01T00:00:00+00:00"
 FORMAT="3.0" VERSION="3.0" xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
 <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
  <MEDIA_DESCRIPTOR MEDIA_URL="file:///gone/my talk.wav" MIME_TYPE="audio/x-wav" RELATIVE_MEDIA_URL="./my talk.wav"/>
  <PROPERTY NAME="lastUsedAnnotationId">7</PROPERTY>
 </HEADER>
 <TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="50"/><TIME_SLOT TIME_SLOT_ID="ts2"/>
  <TIME_SLOT TIME_SLOT_ID="ts9" TIME_VALUE="2000"/></TIME_ORDER>
 <TIER LINGUISTIC_TYPE_REF="utt" PARTICIPANT="Ana" TIER_ID="ana">
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" CVE_REF="c1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
   <ANNOTATION_VALUE>hola &amp; qué</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a7" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts9">
   <ANNOTATION_VALUE>tal</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
 </TIER>
 <TIER LINGUISTIC_TYPE_REF="note" PARENT_REF="ana" TIER_ID="notes"><!-- mine -->
  <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1">
   <ANNOTATION_VALUE>hm</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
 </TIER>
 <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="utt" TIME_ALIGNABLE="true"/>
 <LINGUISTIC_TYPE CONSTRAINTS="Symbolic_Association" GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="note"
  TIME_ALIGNABLE="false"/>
 <LOCALE LANGUAGE_CODE="es"/>
 <CONSTRAINT DESCRIPTION="1-1 association with a parent annotation" STEREOTYPE="Symbolic_Association"/>
 <CONTROLLED_VOCABULARY CV_ID="v"><CV_ENTRY_ML CVE_ID="c1"/></CONTROLLED_VOCABULARY>
</ANNOTATION_DOCUMENT>
"""


def test_tiers_are_added_to_a_copy_of_what_stands_beside_the_recording(recording, tmp_path):
    original = recording.with_suffix(".eaf")
    original.write_text(EAF, encoding="utf-8")
    path = written(recording, tmp_path)[0]["eaf"]
    assert original.read_text(encoding="utf-8") == EAF
    eaf = Eaf(path)
    assert list(eaf.get_tier_names()) == ["ana", "notes", "speechxl-words", "speechxl-confidence"]
    assert eaf_tier(path, "speechxl-words")[0] == (100, 400, "ñan")
    before, after = ElementTree.fromstring(EAF), ElementTree.parse(path).getroot()
    for kind in ("TIER", "LINGUISTIC_TYPE", "LOCALE", "CONTROLLED_VOCABULARY"):
        standing = [ElementTree.canonicalize(ElementTree.tostring(each), strip_text=True) for each in after.iter(kind)]
        for each in before.iter(kind):
            assert ElementTree.canonicalize(ElementTree.tostring(each), strip_text=True) in standing
    assert "<!-- mine -->" in path.read_text(encoding="utf-8")


def test_an_added_document_is_still_well_formed_for_elan(recording, tmp_path):
    recording.with_suffix(".eaf").write_text(EAF, encoding="utf-8")
    root = ElementTree.parse(written(recording, tmp_path)[0]["eaf"]).getroot()
    kinds = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LOCALE", "CONSTRAINT", "CONTROLLED_VOCABULARY"]
    assert [kind for kind, _ in groupby(element.tag for element in root)] == kinds
    ids = [e.get(name) for e in root.iter() for name in ("ANNOTATION_ID", "TIME_SLOT_ID") if e.get(name)]
    assert len(set(ids)) == len(ids) == 3 + 8 + 3 + 8
    slots = [slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")]
    assert slots == ["50", None, "100", "400", "400", "500", "1000", "1260", "2000", "3020", "3123"]
    (used,) = [e.text for e in root.iter("PROPERTY") if e.get("NAME") == "lastUsedAnnotationId"]
    assert used == "15"
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./recs/my talk.wav"


def test_tiers_of_an_earlier_time_are_kept_beside_the_new(recording, tmp_path):
    recording.with_suffix(".eaf").write_text(EAF, encoding="utf-8")
    first = written(recording, tmp_path)[0]["eaf"]
    first.rename(recording.with_suffix(".eaf"))
    again = written(recording, tmp_path, words=WORDS[:1])[0]["eaf"]
    tiers = list(Eaf(again).get_tier_names())
    assert tiers[2:] == ["speechxl-words", "speechxl-confidence", "speechxl-words-2", "speechxl-confidence-2"]
    assert len(eaf_tier(again, "speechxl-words")) == 4
    assert len(eaf_tier(again, "speechxl-words-2")) == 1


@pytest.mark.parametrize("text", ["<ANNOTATION_DOC", "<html></html>"])
def test_what_is_no_annotation_document_is_not_added_to(recording, tmp_path, text):
    recording.with_suffix(".eaf").write_text(text)
    with pytest.raises(AnnotationError, match=r"my talk.eaf: beside the recording"):
        written(recording, tmp_path)
    assert recording.with_suffix(".eaf").read_text() == text


def test_ten_thousand_words_take_seconds(recording, tmp_path):
    words = [(f"w{number}", number * 0.3, number * 0.3 + 0.2) for number in range(10_000)]
    files, _ = written(recording, tmp_path, words=words, seconds=3_000.0)
    assert len(Eaf(files["eaf"]).tiers["speechxl-words"][0]) == 10_000
