"""Error rates as documents and tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechxl.evaluation.metrics import count_errors
from speechxl.files import write_text


def rates(references: Sequence[str], hypotheses: Sequence[str], units: str) -> dict[str, Any]:
    """Error rates as fractions, with 95 % intervals; measures that do not apply are None.

    Substitutions, deletions and insertions are counted in the model's units: characters or phones.
    """
    words = count_errors(references, hypotheses, "word")
    measures = (
        {"wer": words, "cer": count_errors(references, hypotheses, "char")} if units == "char" else {"per": words}
    )
    own = measures["cer" if units == "char" else "per"]
    return {
        **{name: measures[name].rate if name in measures else None for name in ("wer", "cer", "per")},
        "substitutions": int(own.substitutions.sum()),
        "deletions": int(own.deletions.sum()),
        "insertions": int(own.insertions.sum()),
        "units": int(own.lengths.sum()),
        "intervals": {name: errors.interval() for name, errors in measures.items()},
        "empty": sum(not text for text in hypotheses) / max(1, len(hypotheses)),
        "sentences": len(hypotheses),
    }


def error_table(document: dict[str, Any]) -> str:
    """Error rates of each language and of all, for people."""
    rows = [*document["per_language"].items(), ("all", document)] if len(document["per_language"]) > 1 else [
        (name, row) for name, row in document["per_language"].items()
    ]  # fmt: skip
    names = [name for name in ("wer", "cer", "per") if document[name] is not None]
    lines = ["language  utterances  " + "  ".join(f"{name.upper():>5s} (95 %)       " for name in names) + "  empty"]
    for language, row in rows:
        cells = []
        for name in names:
            low, high = row["intervals"][name]
            cells.append(f"{row[name]:5.3f} ({low:.3f}-{high:.3f})")
        lines.append(f"{language:8s}  {row['sentences']:10d}  {'  '.join(cells)}  {row['empty']:5.3f}")
    return "\n".join(lines)


def write_transcripts(path: Path, ids: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]) -> None:
    """Writes what was said and what was recognised, tab-separated."""
    rows = zip(ids, references, hypotheses, strict=True)
    write_text(path, "id\treference\thypothesis\n" + "".join("\t".join(row) + "\n" for row in rows))
