"""Annotation documents of ELAN, one for each recording."""

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

from pympi import Elan

from speechxl.data.elan import MIME, relative
from speechxl.data.exports.tiers import Lane, by_recording, milliseconds
from speechxl.data.manifest import Fault
from speechxl.files import write_text
from speechxl.shapes import Utterance

_TYPE, _PHONES = "utterance", "phonemes"
"""Linguistic types."""


def write(rows: Sequence[Utterance], out: Path) -> tuple[list[Path], list[Fault]]:
    """Writes a tier for each speaker, and one below it with phonemes; rows without text become empty annotations to fill in.

    Args:
        rows: With durations.
        out: Folder.

    Returns:
        Files, and no faults.
    """
    files = []
    for recording, file, lanes in by_recording(rows, out, ".eaf"):
        write_text(file, _document(recording, file, lanes))
        files.append(file)
    return files, []


def _document(recording: Path, file: Path, lanes: Sequence[Lane]) -> str:
    eaf = Elan.Eaf(author="speechxl")
    eaf.adocument["DATE"] = datetime.fromtimestamp(int(recording.stat().st_mtime), timezone.utc).isoformat()
    eaf.remove_tier("default")
    del eaf.linguistic_types["default-lt"]
    eaf.add_linguistic_type(_TYPE)
    if any(row.phonemes for lane in lanes for row in lane.rows):
        eaf.add_linguistic_type(_PHONES, constraints="Symbolic_Association", timealignable=False)
    for code in sorted({lane.language for lane in lanes if lane.language}):
        eaf.add_language(code, None, code)
    for lane in lanes:
        eaf.add_tier(lane.name, _TYPE, part=lane.speaker or None, language=lane.language or None)
        parents = []
        for row in lane.rows:
            eaf.add_annotation(lane.name, *milliseconds(row), row.text)
            parents.append(f"a{eaf.maxaid}")
        said = [(parent, row.phonemes) for parent, row in zip(parents, lane.rows, strict=True) if row.phonemes]
        if said:
            below = f"{_PHONES} {lane.name}"
            eaf.add_tier(below, _PHONES, parent=lane.name, part=lane.speaker or None, language=lane.language or None)
            for parent, phonemes in said:
                eaf.tiers[below][1][eaf.generate_annotation_id()] = (parent, phonemes, None, None)
    eaf.properties = [("lastUsedAnnotationId", eaf.maxaid or 0)]
    eaf.add_linked_file(
        f"file://{recording.as_posix()}",
        relative(recording, file.parent),
        MIME.get(recording.suffix.lower(), "unknown"),
    )
    return ElementTree.tostring(Elan.to_adocument(eaf), encoding="UTF-8", xml_declaration=True).decode() + "\n"
