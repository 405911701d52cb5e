"""Annotations in, transcripts out: what people wrote stays as it is, whatever the names."""

import re
from xml.etree import ElementTree

import pytest
from praatio import textgrid as praatio
from pympi import Elan

from speechxl.data.manifest import read_manifest
from speechxl.data.praat import read_textgrid
from speechxl.verbs.export import export
from speechxl.verbs.prepare import prepare
from speechxl.verbs.transcribe import transcribe
from tests.data.corpora.annotated import write_eaf, write_textgrid, write_tone

NAMES = ["sesión 1 (días)", "a.b, c", "ñ;&' 录音"]


@pytest.fixture(params=NAMES)
def session(request, tmp_path):
    """A recording with annotations by both programs: overlapping tiers, empty and zero-length annotations."""
    folder = tmp_path / "field notes ñ"
    recording = write_tone(folder / f"{request.param}.wav", 2.0)
    write_eaf(folder / f"{request.param}.eaf")
    write_textgrid(folder / f"{request.param}.TextGrid")
    return recording


def test_the_tiers_of_people_stay_as_they_are(session, ctc_folder, tmp_path):
    before = {suffix: session.with_suffix(suffix).read_bytes() for suffix in (".eaf", ".TextGrid")}
    outcome = transcribe(str(ctc_folder), [str(session)], out=tmp_path / "out", format="eaf,TextGrid")
    assert not outcome.document["failures"]
    assert {suffix: session.with_suffix(suffix).read_bytes() for suffix in before} == before

    old, new = (Elan.Eaf(str(folder / f"{session.stem}.eaf")) for folder in (session.parent, tmp_path / "out"))
    assert list(new.get_tier_names())[: len(old.tiers)] == list(old.get_tier_names())
    assert "speechxl-words" in new.tiers
    for name in old.get_tier_names():
        assert new.get_annotation_data_for_tier(name) == old.get_annotation_data_for_tier(name)
        assert new.get_parameters_for_tier(name) == old.get_parameters_for_tier(name)
    trees = [ElementTree.parse(folder / f"{session.stem}.eaf") for folder in (session.parent, tmp_path / "out")]
    tiers = [[ElementTree.tostring(tier) for tier in tree.iter("TIER")] for tree in trees]
    plain = [[b"".join(tier.split()) for tier in own] for own in tiers]
    assert len(plain[0]) == 5
    assert plain[1][: len(plain[0])] == plain[0]

    old, new = (
        praatio.openTextgrid(str(folder / f"{session.stem}.TextGrid"), includeEmptyIntervals=True)
        for folder in (session.parent, tmp_path / "out")
    )
    assert list(new.tierNames) == ["words", "phones", "tones", "words-2", "scores-2"]
    for name in old.tierNames:
        assert new.getTier(name).entries == old.getTier(name).entries
    assert new.maxTimestamp == old.maxTimestamp == 4.0


def test_both_are_prepared_again_from_where_they_were_written(session, ctc_folder, tmp_path):
    transcribe(str(ctc_folder), [str(session)], out=tmp_path / "out", format="eaf,TextGrid")
    first = prepare("elan", session.parent, tmp_path / "a.tsv", language="quy", tier=["tx@*"])
    again = prepare("elan", tmp_path / "out", tmp_path / "b.tsv", language="quy", tier=["tx@*"])
    rows = [read_manifest(tmp_path / f"{name}.tsv") for name in "ab"]
    assert [(row.path, row.start, row.text) for row in rows[0]] == [(row.path, row.start, row.text) for row in rows[1]]
    assert first.document["dropped"] == again.document["dropped"] >= 2
    assert first.document["utterances"] >= 1
    prepare("textgrid", tmp_path / "out", tmp_path / "c.tsv", language="quy", tier=["words"], audio_root=session.parent)
    assert [row.text for row in read_manifest(tmp_path / "c.tsv")] == ["ñan", 'di"go! si']


def test_a_corpus_goes_to_elan_and_back(session, tmp_path):
    prepare("elan", session.parent, tmp_path / "a.tsv", language="quy", tier=["tx@*"])
    export("eaf", str(tmp_path / "a.tsv"), tmp_path / "eaf")
    prepare("elan", tmp_path / "eaf", tmp_path / "b.tsv", tier_type="utterance")
    first, again = (read_manifest(tmp_path / f"{name}.tsv") for name in "ab")
    assert [(row.path, row.start, row.duration, row.text, row.speaker, row.language, row.extra) for row in first] == [
        (row.path, row.start, row.duration, row.text, row.speaker, row.language, row.extra) for row in again
    ]


def test_annotations_that_cannot_be_read_are_named(ctc_folder, tmp_path):
    for name in "ab":
        write_tone(tmp_path / "in" / f"{name}.wav", 1.0)
    (tmp_path / "in" / "a.TextGrid").write_text('"Pitch 1"')
    (tmp_path / "in" / "b.eaf").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    outcome = transcribe(str(ctc_folder), [str(tmp_path / "in")], out=tmp_path / "out", format="eaf,TextGrid")
    first, second = sorted(failure["reason"] for failure in outcome.document["failures"])
    assert "a.TextGrid: beside the recording" in first
    assert "holds a 'Pitch 1' of Praat" in first
    assert "b.eaf: beside the recording, declares a document type" in second


def test_odd_numbers_in_a_document_do_not_stop_what_is_added(session, ctc_folder, tmp_path):
    document = session.with_suffix(".eaf")
    text = document.read_text(encoding="utf-8")
    document.write_text(text.replace('"a90"', f'"a{"9" * 5_000}"'), encoding="utf-8")
    assert not transcribe(str(ctc_folder), [str(session)], out=tmp_path / "a", format="eaf").document["failures"]
    document.write_text(text.replace('TIME_VALUE="100"', 'TIME_VALUE="inf"'), encoding="utf-8")
    (failure,) = transcribe(str(ctc_folder), [str(session)], out=tmp_path / "b", format="eaf").document["failures"]
    assert re.search(r"beside the recording, the time of ts\d is 'inf', milliseconds were expected", failure["reason"])


def test_a_grid_is_written_as_it_was_read(tmp_path):
    from speechxl.data.praat import textgrid_text

    grid = read_textgrid(write_textgrid(tmp_path / "a.TextGrid"))
    (tmp_path / "b.TextGrid").write_text(textgrid_text(grid), encoding="utf-8")
    assert read_textgrid(tmp_path / "b.TextGrid") == grid
    opened = praatio.openTextgrid(str(tmp_path / "b.TextGrid"), includeEmptyIntervals=True)
    assert opened == praatio.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=True)
