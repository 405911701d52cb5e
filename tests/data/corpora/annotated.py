"""Annotation files as ELAN and Praat write them, made by pympi and praatio or by hand."""

from pathlib import Path

import soundfile
from praatio.data_classes.interval_tier import IntervalTier
from praatio.data_classes.point_tier import PointTier
from praatio.data_classes.textgrid import Textgrid
from pympi import Elan

from tests.conftest import tone


def write_tone(path, seconds=4.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, 300.0), 16_000)
    return path


def write_eaf(path, media=None):
    """Two speakers who overlap, a translation, words of a sentence, an empty and a zero-length annotation."""
    eaf = Elan.Eaf(author="ana")
    eaf.remove_tier("default")
    eaf.add_linguistic_type("utterance")
    eaf.add_linguistic_type("note")
    eaf.add_linguistic_type("translation", constraints="Symbolic_Association", timealignable=False)
    eaf.add_linguistic_type("words", constraints="Symbolic_Subdivision", timealignable=False)
    eaf.add_tier("tx@Ana", "utterance", part="Ana María")
    eaf.add_tier("tx@Ñusta", "utterance")
    eaf.add_tier("ft@Ana", "translation", parent="tx@Ana")
    eaf.add_tier("wd@Ana", "words", parent="tx@Ana")
    eaf.add_tier("notes", "note")
    eaf.add_annotation("tx@Ana", 100, 900, "ñan  rin")
    eaf.add_annotation("tx@Ana", 1000, 1800, " ")
    eaf.add_annotation("tx@Ana", 2000, 2600, "wasi")
    eaf.add_annotation("tx@Ñusta", 2300, 3000, "arí")
    eaf.add_annotation("notes", 0, 3900, "wind")
    first, _, third = eaf.tiers["tx@Ana"][0]
    eaf.add_ref_annotation("ft@Ana", "tx@Ana", 500, "the road goes")
    eaf.tiers["wd@Ana"][1]["a90"] = (first, "ñan", None, None)
    eaf.tiers["wd@Ana"][1]["a91"] = (first, "rin", "a90", None)
    eaf.tiers["wd@Ana"][1]["a92"] = (third, "wasi", None, None)
    start, _, text, mark = eaf.tiers["tx@Ñusta"][0].popitem()[1]
    eaf.tiers["tx@Ñusta"][0]["a80"] = (start, start, text, mark)  # of no length
    eaf.add_annotation("tx@Ñusta", 2400, 3100, "arí")
    for address, relative in media or [("file:///C:/gone/x.wav", f"./{path.stem}.wav")]:
        eaf.add_linked_file(address, relative, "audio/x-wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    eaf.to_file(str(path))
    return path


def write_textgrid(path, style="long_textgrid", encoding="utf-8", points=True):
    """Two tiers of words that begin and end with silence, and one of points."""
    grid = Textgrid(0, 4.0)
    grid.addTier(IntervalTier("words", [(0.5, 1.0, "ñan"), (1.0, 1.5, 'di"go! si')], 0, 4.0))
    grid.addTier(IntervalTier("phones", [(0.5, 0.7, "ɲ"), (0.7, 1.0, "an")], 0, 4.0))
    if points:
        grid.addTier(PointTier("tones", [(0.6, "H*")], 0, 4.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    grid.save(str(path), style, includeBlankSpaces=True)
    path.write_bytes(Path(path).read_text(encoding="utf-8").encode(encoding))
    return path
