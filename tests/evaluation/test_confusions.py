from collections import Counter

import jiwer
import numpy as np
import pytest

from speechxl.evaluation.confusions import (
    aligned_letters,
    aligned_phones,
    by_articulation,
    by_frequency,
    confusion_counts,
    symbol_counts,
)
from speechxl.evaluation.phone_rates import phone_errors
from speechxl.evaluation.phone_texts import read_texts
from speechxl.phonology.distance import new_metric

PHONES = [
    "p",
    "b",
    "t",
    "d",
    "k",
    "ɡ",
    "m",
    "n",
    "ŋ",
    "s",
    "z",
    "ʃ",
    "x",
    "l",
    "r",
    "j",
    "w",
    "i",
    "e",
    "a",
    "o",
    "u",
    "t͡ʃ",
    "ə",
]


def counts_of_jiwer(found):
    """Symbol by symbol, from the alignment's chunks."""
    counts = Counter()
    for reference, hypothesis, chunks in zip(found.references, found.hypotheses, found.alignments, strict=True):
        for chunk in chunks:
            said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type in ("equal", "substitute"):
                counts.update(zip(said, heard, strict=True))
            else:
                counts.update((symbol, "") for symbol in said)
                counts.update(("", symbol) for symbol in heard)
    return counts


def texts(count, alphabet, join, seed=0):
    rng = np.random.default_rng(seed)
    return [join.join(rng.choice(list(alphabet), size=rng.integers(0, 12))) for _ in range(count)]


def test_letters_are_counted_as_jiwer_aligns_them():
    references, hypotheses = texts(60, "abcdéñ", ""), texts(60, "abcdéñ", "", 1)
    references[0], hypotheses[0] = "a b", "ab"
    found = confusion_counts(aligned_letters(references, hypotheses))
    assert found == counts_of_jiwer(jiwer.process_characters(references, hypotheses))
    assert found[" ", ""] == 1
    wrong = sum(count for (said, heard), count in found.items() if said != heard)
    assert wrong == round(jiwer.cer(references, hypotheses) * sum(map(len, references))) > 100


def test_phones_are_counted_as_jiwer_aligns_them_where_there_is_one_way_to():
    rng = np.random.default_rng(0)
    references, hypotheses = [], []
    for number in range(80):
        said = list(rng.permutation(PHONES)[:10])
        heard, other = list(said), next(x for x in PHONES if x not in said)
        place = rng.integers(10)
        heard[place : place + (number % 4 < 2)] = [[other], [], [other], [said[place]]][number % 4]
        if number % 4 == 3:
            heard = said
        references.append(" ".join(said))
        hypotheses.append(" ".join(heard))
    errors = phone_errors(read_texts(references, hypotheses), new_metric("panphon"))
    found = confusion_counts(aligned_phones(errors))
    assert found == counts_of_jiwer(jiwer.process_words(references, hypotheses))
    substituted, inserted, deleted = jiwer.collect_error_counts(jiwer.process_words(references, hypotheses))
    assert len(substituted) > 5
    assert {pair: count for pair, count in found.items() if all(pair) and pair[0] != pair[1]} == substituted
    assert {heard: count for (said, heard), count in found.items() if not said} == inserted
    assert {said: count for (said, heard), count in found.items() if not heard} == deleted


def test_phones_in_any_texts_have_as_many_errors_as_jiwer_finds():
    references, hypotheses = texts(40, PHONES, " "), texts(40, PHONES, " ", 1)
    errors = phone_errors(read_texts(references, hypotheses), new_metric("panphon"))
    found = confusion_counts(aligned_phones(errors))
    expected = jiwer.process_words(references, hypotheses)
    wrong = sum(count for (said, heard), count in found.items() if said != heard)
    assert wrong == expected.substitutions + expected.deletions + expected.insertions > 100
    assert +symbol_counts(found) == Counter(" ".join(references).split())


def test_phones_stand_by_class_and_letters_by_frequency():
    classes = by_articulation(["u", "m", "p", "@@", "i", "b", "s", "n", "ai", "a"])
    assert list(classes) == ["plosive", "nasal", "fricative", "close vowels", "open vowels", "diphthongs", "not IPA"]
    assert classes["plosive"] == ["p", "b"]
    assert classes["nasal"] == ["m", "n"]
    assert classes["close vowels"] == ["i", "u"]
    assert classes["not IPA"] == ["@@"]
    assert by_frequency({"b": 1, "a": 1, "c": 3, "d": 0}) == {"": ["c", "a", "b", "d"]}


@pytest.mark.parametrize(("reference", "hypothesis"), [("", ""), ("", "ab"), ("ab", "")])
def test_nothing_said_or_recognised(reference, hypothesis):
    counts = confusion_counts(aligned_letters([reference], [hypothesis]))
    assert counts == Counter([*((x, "") for x in reference), *(("", x) for x in hypothesis)])
    assert aligned_letters([], []) == []
