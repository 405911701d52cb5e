"""What speechxl adds to a CTC model, in a file beside the weights, which stay as `transformers` reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechxl.errors import InputError
from speechxl.files import replace_file
from speechxl.models.allophones import AllophoneLayer
from speechxl.models.articulation import Articulation
from speechxl.models.folders import file_of
from speechxl.models.phone_note import Heads, PhoneNote
from speechxl.text import Vocabularies, Vocabulary

FILE = "phones.safetensors"
_ARTICULATION, _ALLOPHONES = "articulation", "allophones"
_PREFIXES = (f"{_ARTICULATION}.", f"{_ALLOPHONES}.")


def add_articulation(model: Any, heads: Heads, used: Tensor | None = None) -> Articulation:
    """Puts heads of articulation beside the output layer.

    Args:
        model: `Wav2Vec2ForCTC`.
        heads: What they are of.
        used: Feature values that are learnt; see `Articulation`.
    """
    found = Articulation(model.config.hidden_size, heads, used)
    model.add_module(_ARTICULATION, found)
    return found


def articulation_of(model: Any) -> Articulation | None:
    """Heads of articulation; None if the model has none."""
    return getattr(model, _ARTICULATION, None)


def add_allophones(
    model: Any, vocabulary: Vocabulary, note: PhoneNote, languages: Sequence[str] | None = None
) -> AllophoneLayer:
    """Puts a layer of allophones on the output layer.

    Args:
        model: `Wav2Vec2ForCTC`.
        vocabulary: Of its outputs.
        note: With the allophones.
        languages: Names whose places number the languages of batches; by default those of the note, sorted.
    """
    layer = AllophoneLayer(vocabulary.symbols, note.allophones, languages, vocabulary.blank)
    model.add_module(_ALLOPHONES, layer)
    return layer


def allophones_of(model: Any) -> AllophoneLayer | None:
    """Layer of allophones; None if the model has none."""
    return getattr(model, _ALLOPHONES, None)


def plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of some weights that `transformers` knows."""
    return {name: value for name, value in state.items() if not name.startswith(_PREFIXES)}


def save_extensions(folder: Path, model: Any) -> None:
    """Writes what was added to a model, if anything."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    own = {name: value for name, value in state.items() if name.startswith(_PREFIXES)}
    if own:
        replace_file(folder / FILE, lambda part: save_file(own, part, metadata={"format": "pt"}))


def load_extensions(model: Any, source: str, note: PhoneNote | None, vocabulary: Vocabulary | Vocabularies) -> None:
    """Adds to a model what stands beside its weights.

    Args:
        model: `Wav2Vec2ForCTC`.
        source: Model folder, or name on the hub.
        note: What ``speechxl.json`` says of it.
        vocabulary: Of its outputs.

    Raises:
        InputError: If the file is not there, or does not fit.
    """
    if note is None or (note.heads is None and not note.allophones):
        return
    if note.heads is not None:
        add_articulation(model, note.heads)
    if note.allophones:
        add_allophones(model, vocabulary.of(""), note)
    path = file_of(source, FILE)
    there = _read(path)
    here = {name: value for name, value in model.state_dict().items() if name.startswith(_PREFIXES)}
    broken = sorted(name for name in there.keys() | here.keys() if _shape(there, name) != _shape(here, name))
    if broken:
        raise InputError(
            f"{path}: does not fit speechxl.json beside it: {', '.join(broken[:3])}{' ...' if len(broken) > 3 else ''} missing, "
            "too many or of another shape."
        )
    model.load_state_dict(there, strict=False)


def take_extensions(model: Any, source: str, before: PhoneNote | None, now: PhoneNote) -> list[str]:
    """Starts what was added to a model from what another one has learnt, where it is of the same.

    Args:
        model: With what was added.
        source: Model folder, or name on the hub, that training starts from.
        before: What its ``speechxl.json`` says.
        now: What that of the model will say.

    Returns:
        What was taken.
    """
    if before is None:
        return []
    taken = []
    if now.heads is not None and (before.heads, before.sha256) == (now.heads, now.sha256):
        taken.append(_ARTICULATION)
    if now.allophones and before.allophones == now.allophones:
        taken.append(_ALLOPHONES)
    if taken:
        there = _read(file_of(source, FILE))
        own = {name: value for name, value in there.items() if name.partition(".")[0] in taken}
        model.load_state_dict({name: value for name, value in own.items() if not name.endswith(".used")}, strict=False)
    return taken


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: the weights cannot be read: {error}") from None


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(state[name].shape) if name in state else None
