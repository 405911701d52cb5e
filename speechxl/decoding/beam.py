"""Prefix beam search with an n-gram language model, a lexicon and hot words, by flashlight-text (extra ``lm``).

Without a language model the search is for the likeliest text in the place of the likeliest path (Graves 2012, section 7.5).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from flashlight.lib.text import decoder as flashlight
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary
from torch import Tensor

from speechxl.decoding.arpa import read_unigrams
from speechxl.errors import InputError
from speechxl.text import UnknownSymbol, Vocabulary, normalise

_NEVER = -1e4
"""Log probability of symbols that are not written; finite, as differences of it are taken."""
_BACK = 200
"""Frames after which a decision is final where a recording comes in stretches: 4 s."""
_END = -1
"""In the place of a unit."""


class Beam:
    """Searches with a language model whose units are the vocabulary's symbols, or words, which are then all that is found.

    Args:
        vocabulary: Symbols of the model.
        language_model: ARPA file, or KenLM's binary form of one; that of words needs the lexicon.
        lexicon: Words, one a line; by default those of an ARPA file.
        hot_words: Words or phrases that are preferred.
        beam: Hypotheses that are kept.
        beam_symbols: Symbols of a frame that are tried.
        threshold: Difference in log probability from the best at which a hypothesis is dropped.
        lm_weight: Factor of the language model's log10 probability.
        word_score: Added for each word of a lexicon.
        hot_word_score: Added for each symbol of a hot word.

    Raises:
        InputError: If a file cannot be used, or a hot word cannot be spelled.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        language_model: Path | None = None,
        lexicon: Path | None = None,
        hot_words: Sequence[str] = (),
        beam: int = 100,
        beam_symbols: int = 25,
        threshold: float = 25.0,
        lm_weight: float = 2.0,
        word_score: float = 0.0,
        hot_word_score: float = 1.0,
    ) -> None:
        self.vocabulary = vocabulary
        delimiter = vocabulary.symbols.index(vocabulary.delimiter) if vocabulary.delimiter else 0
        spellings = _lexicon(vocabulary, language_model, lexicon, hot_words)
        labels = list(vocabulary.symbols) if spellings is None else list(spellings)
        if language_model is None:
            model, lm_weight = flashlight.ZeroLM(), 1.0
        else:
            model = _kenlm(language_model, labels)
        if hot_words:
            phrases = [_units(each, vocabulary, None if spellings is None else labels) for each in hot_words]
            between = {delimiter} if spellings is None and vocabulary.delimiter else None
            model = _HotWords(model, phrases, between, hot_word_score / lm_weight)
        self.model = model  # the search does not keep it alive
        options = {
            "beam_size": beam, "beam_size_token": min(beam_symbols, len(vocabulary)), "beam_threshold": threshold,
            "lm_weight": lm_weight, "sil_score": 0.0, "log_add": True, "criterion_type": flashlight.CriterionType.CTC,
        }  # fmt: skip
        if spellings is None:
            settings = flashlight.LexiconFreeDecoderOptions(**options)
            self.decoder: Any = flashlight.LexiconFreeDecoder(settings, model, delimiter, vocabulary.blank, [])
        else:
            settings = flashlight.LexiconDecoderOptions(**options, word_score=word_score, unk_score=-math.inf)
            trie = flashlight.Trie(len(vocabulary), delimiter)
            begin = model.start(False)
            for label, spelling in enumerate(spellings.values()):
                trie.insert([*spelling, delimiter], label, model.score(begin, label)[1])
            trie.smear(flashlight.SmearingMode.MAX)
            self.decoder = flashlight.LexiconDecoder(settings, trie, model, delimiter, vocabulary.blank, -1, [], False)
        self.never = [n for n in range(len(vocabulary)) if n != vocabulary.blank and not vocabulary.is_written(n)]
        self.end: Tensor | None = None
        if spellings is not None:  # so that the last word may end
            self.end = torch.full((1, len(vocabulary)), _NEVER)
            self.end[0, [delimiter, vocabulary.blank]] = 0.0

    def reduce(self, logits: Tensor) -> Tensor:
        """What the search needs of the frames.

        Args:
            logits: (..., F, V).

        Returns:
            (..., F, V) emissions.
        """
        emissions = logits.float().log_softmax(-1)
        emissions[..., self.never] = _NEVER
        return emissions

    def search(self, stretches: Iterable[Tensor]) -> Tensor:
        """Path through a recording.

        Args:
            stretches: (F, V) emissions each, one after the other. What lies back by some seconds when one begins is decided.

        Returns:
            (F, 2) symbol of each frame and its log probability.
        """
        path = [torch.empty(0, 2)]
        open_frames = torch.empty(0, len(self.vocabulary))
        self.decoder.decode_begin()
        for stretch in stretches:
            if len(open_frames) > _BACK:
                path.append(_scored(self.decoder.get_best_hypothesis(_BACK).tokens[1:], open_frames))
                self.decoder.prune(_BACK)
                open_frames = open_frames[len(path[-1]) :]
            self._step(stretch)
            open_frames = torch.cat([open_frames, stretch])
        if self.end is not None:
            self._step(self.end)
        self.decoder.decode_end()
        path.append(_scored(self.decoder.get_all_final_hypothesis()[0].tokens[1 : 1 + len(open_frames)], open_frames))
        return torch.cat(path)

    def _step(self, emissions: Tensor) -> None:
        emissions = emissions.contiguous()
        self.decoder.decode_step(emissions.data_ptr(), *emissions.shape)


def _scored(ids: Sequence[int], emissions: Tensor) -> Tensor:
    """(F, 2) of symbols and emissions (at least F, V)."""
    chosen = torch.tensor(ids, dtype=torch.long)
    return torch.stack([chosen.float(), emissions[torch.arange(len(chosen)), chosen]], dim=1)


def _lexicon(
    vocabulary: Vocabulary, language_model: Path | None, lexicon: Path | None, hot_words: Sequence[str]
) -> dict[str, list[int]] | None:
    """Words with their spellings; None if the search is free."""
    words: set[str] | None = None
    if lexicon is not None:
        words = {normalise(line) for line in lexicon.read_text(encoding="utf-8-sig").splitlines()} - {""}
    elif language_model is not None:
        units = read_unigrams(language_model)
        words = None if units <= set(vocabulary.symbols) else units
    if words is None:
        return None
    source = lexicon or language_model
    if vocabulary.delimiter is None:
        raise InputError(
            f"{source}: holds words, and the model recognises phones; estimate a language model of phones, with a space "
            "between any two."
        )
    for phrase in hot_words:
        words |= set(normalise(phrase).split())
    spellings, odd = {}, []
    for word in sorted(words):
        try:
            spellings[word] = vocabulary.encode(word)
        except UnknownSymbol:
            odd.append(word)
    if not spellings:
        raise InputError(
            f"{source}: none of its {len(odd)} words can be spelled in the model's symbols, as {odd[0]!r}."
        )
    return spellings


def _units(phrase: str, vocabulary: Vocabulary, words: Sequence[str] | None) -> list[int]:
    """Numbers of a hot phrase's symbols, with the delimiter at its end, or of its words."""
    try:
        symbols = vocabulary.encode(phrase)
    except UnknownSymbol as error:
        raise InputError(f"--hot_words {phrase!r}: {error}") from None
    if words is not None:
        return [words.index(word) for word in normalise(phrase).split()]
    return symbols if vocabulary.delimiter is None else [*symbols, vocabulary.symbols.index(vocabulary.delimiter)]


def _kenlm(path: Path, labels: list[str]) -> Any:
    try:
        return KenLM(str(path), Dictionary(labels))
    except Exception as error:
        raise InputError(f"{path}: is not a language model that KenLM reads ({error}).") from None


@dataclass(eq=False)
class _Node:
    """What has been heard of hot phrases."""

    next: dict[int, "_Node"] = field(default_factory=dict)
    ends: bool = False


@dataclass(frozen=True)
class _State:
    """Of `_HotWords`."""

    inner: Any
    node: _Node | None
    """Where in the phrases; None within another word."""
    earned: float
    """Given for a phrase that is not complete yet."""
    begins: bool
    """Whether a phrase may begin with the next unit."""


class _HotWords(flashlight.LM):
    """A language model that gives a bonus for hot phrases, and takes it back where one is not completed.

    Args:
        model: Without them.
        phrases: Numbers of their units.
        between: Units after which a phrase may begin; None for all.
        bonus: For each unit, as a log10 probability.
    """

    def __init__(self, model: Any, phrases: Sequence[Sequence[int]], between: set[int] | None, bonus: float) -> None:
        super().__init__()
        self.inner, self.between, self.bonus = model, between, bonus
        self.root = _Node()
        self.states: dict[Any, _State] = {}
        for phrase in phrases:
            node = self.root
            for unit in phrase:
                node = node.next.setdefault(unit, _Node())
            node.ends = True

    def start(self, start_with_nothing: bool) -> Any:
        """State before the first unit."""
        state = flashlight.LMState()
        self.states = {state: _State(self.inner.start(start_with_nothing), self.root, 0.0, True)}
        return state

    def score(self, state: Any, unit: int) -> tuple[Any, float]:
        """State after a unit, and its score."""
        before, after = self.states[state], state.child(unit)
        inner, score = self.inner.score(before.inner, unit)
        node = before.node.next.get(unit) if before.node else None
        earned = before.earned
        if node is None:
            score, earned = score - earned, 0.0
            node = self.root.next.get(unit) if before.begins else None
        if node is not None:
            score, earned = score + self.bonus, earned + self.bonus
            if node.ends:
                earned = 0.0
        begins = self.between is None or unit in self.between
        self.states[after] = _State(inner, node or (self.root if begins else None), earned, begins)
        return after, score

    def finish(self, state: Any) -> tuple[Any, float]:
        """State after the last unit, and its score."""
        before = self.states[state]
        inner, score = self.inner.finish(before.inner)
        after = state.child(_END)
        self.states[after] = _State(inner, None, 0.0, False)
        ended = before.node and any(
            node.ends for unit, node in before.node.next.items() if unit in (self.between or ())
        )
        return after, score if ended else score - before.earned
