"""The report of `inspect`."""

from pathlib import Path
from typing import Any

import numpy as np

from speechxl.evaluation.curves import heat_map
from speechxl.evaluation.maps import intervals, language_plane, similarity_map
from speechxl.evaluation.page import Section, write_page
from speechxl.evaluation.similarity import tree

CLOSE = 2.0
"""Divergence in multiples of what chance makes, below which languages are not told apart."""
_LEAST_FRAMES = 20
"""Of a phone in the page's table; the JSON has all."""
_MOST_PHONES = 120


def write_report(path: Path, document: dict[str, Any]) -> None:
    """Writes ``inspect.html``.

    Args:
        path: Where.
        document: Of `inspect`.
    """
    languages = document["languages"]
    minutes = sum(row["seconds"] for row in languages.values()) / 60
    count = f"{len(languages)} language{'s' * (len(languages) > 1)}"
    sections = [_languages(document), *_similarity(document), _usage(document), _phones(document)]
    if document["failures"]:
        rows = [[failure["audio"], failure["reason"]] for failure in document["failures"][:50]]
        sections.append(
            Section("Left out", f"{len(document['failures'])} recordings.", [["recording", "reason"], *rows])
        )
    write_page(
        path,
        "How languages share the codes",
        f"{document['model']}: {document['codebooks']} codebooks of {document['codes']} codes, {count}, {minutes:.1f} minutes.",
        sections,
    )


def table(document: dict[str, Any]) -> str:
    """Languages for people, on standard output."""
    lines = ["language   minutes   loss (bits)  accuracy  perplexity         nearest"]
    for name, row in document["languages"].items():
        perplexity = " ".join(f"{value:6.1f}" for value in row["perplexity"])
        lines.append(
            f"{name:9s}  {row['seconds'] / 60:7.2f}  {row['loss']['bits']:12.3f}  {row['accuracy']:8.3f}  "
            f"{perplexity:17s}  {row['nearest'] or '-'}"
        )
    return "\n".join(lines)


def _languages(document: dict[str, Any]) -> Section:
    rows = dict(sorted(document["languages"].items(), key=lambda item: item[1]["loss"]["bits"]))
    header = [
        "language", "family", "minutes", "utterances", "seconds each", "loss, bits (95 %)", "accuracy", "tied distractors",
        "perplexity", "codes used", "nearest",
    ]  # fmt: skip
    cells: list[list[object]] = [
        [
            name,
            row["family"],
            f"{row['seconds'] / 60:.1f}",
            row["utterances"],
            f"{row['seconds'] / row['utterances']:.1f}",
            f"{row['loss']['bits']:.3f}" + _bounds(row["loss"]["interval_bits"]),
            f"{row['accuracy']:.3f}",
            f"{row['tied_distractors']:.3f}",
            " · ".join(f"{value:.0f}" for value in row["perplexity"]),
            " · ".join(f"{share:.0%}" for share in row["used_share"]),
            row["nearest"] or "",
        ]
        for name, row in rows.items()
    ]
    collapsed = [
        f"The codebook has collapsed on {name}: {row['collapse']}. " for name, row in rows.items() if row["collapse"]
    ]
    text = "".join(collapsed) + (
        "Contrastive loss with masks and distractors that are the same each time, and 95 % bootstrap intervals over "
        "utterances. A guess among 101 costs 6.66 bits. Perplexity is the number of codes in effective use."
    )
    note = (
        "Distractors come from the utterance itself, so that losses compare languages only if their utterances are about "
        "as long and as quiet. A low loss with many tied distractors means that the language uses few codes, and not that "
        "the model knows it well."
    )
    points = {name: (row["loss"]["bits"], row["loss"]["interval_bits"]) for name, row in rows.items()}
    figures = [intervals(points, xlabel="contrastive loss (bits)")]
    return Section("Languages", text, [header, *cells], figures, note)


def _bounds(bounds: list[float] | None) -> str:
    return f" ({bounds[0]:.2f} to {bounds[1]:.2f})" if bounds else ""


def _similarity(document: dict[str, Any]) -> list[Section]:
    similarity = document["similarity"]
    names = similarity["languages"]
    if len(names) < 2:
        return [Section("Similarity", "There is one language, and nothing to compare it with.")]
    families = [document["languages"][name]["family"] for name in names]
    matrix, noise = np.array(similarity["matrix"]), np.array(similarity["noise"])
    divergence = 1 - matrix
    close = divergence < CLOSE * noise
    pairs = len(names) * (len(names) - 1)
    alike = int(close.sum() - np.trace(close))
    text = (
        "One minus the Jensen-Shannon divergence of the languages' distributions over codes, mean over codebooks: 1 if "
        "they use the codes alike, 0 if they share none. The tree joins languages by the mean distance of their members, "
        "the square root of the divergence."
    )
    note = (
        "Small samples diverge by chance: random halves of a language's own utterances differ by "
        f"{min(row['noise'] for row in document['languages'].values()):.3f} to "
        f"{max(row['noise'] for row in document['languages'].values()):.3f} bits here. A dot marks pairs that diverge "
        f"less than {CLOSE:g} times what chance makes of samples of their sizes ({alike // 2} of {pairs // 2} pairs); they are "
        "not told apart. Recording conditions and speakers shape codes as well as languages do."
    )
    if None not in (means := (similarity["mean_in_families"], similarity["mean_between_families"])):
        note += f" The mean similarity is {means[0]:.3f} within families and {means[1]:.3f} between them."
    links = tree(np.sqrt(divergence))
    shown = f"The two axes show {similarity['points_share']:.0%} of the spread of the distances (classical scaling)."
    return [
        Section("Similarity", text, figures=[similarity_map(names, families, matrix, close, links)], note=note),
        Section(
            "Languages in a plane", shown, figures=[language_plane(names, families, np.array(similarity["points"]))]
        ),
    ]


def _usage(document: dict[str, Any]) -> Section:
    names = document["similarity"]["languages"]
    figures = [
        heat_map(
            {name: document["languages"][name]["shares"][book] for name in names},
            xlabel=f"code of codebook {book + 1}",
            caption="share of frames",
        )
        for book in range(document["codebooks"])
    ]
    return Section("Code usage per language", figures=figures)


def _phones(document: dict[str, Any]) -> Section:
    phones = document["phones"]
    title = "Codes of phones"
    if phones is None:
        return Section(
            title,
            "No phones are known: there is neither an alignment.tsv beside a manifest, nor a column phonemes that is filled in.",
        )
    books = [*(f"codebook {number + 1}" for number in range(document["codebooks"])), "codes together"]
    measures = [*phones["books"], phones["pairs"]]
    parts = [
        f"{name}: {row['information']:.2f} of {row['entropy']:.2f} bits ({row['chance']:.2f} by chance), phone purity "
        f"{row['phone_purity']:.3f}, cluster purity {row['cluster_purity']:.3f}"
        for name, row in zip(books, measures, strict=True)
    ]
    source = []
    if phones["aligned_utterances"]:
        source.append(f"{phones['aligned_utterances']} utterances with times")
    if phones["segmented_utterances"]:
        source.append(
            f"{phones['segmented_utterances']} utterances whose phones were placed by a hidden Markov model on the codes"
        )
    text = f"{phones['frames']} frames of {' and '.join(source)}. Mutual information of phones and codes: {'; '.join(parts)}."
    frequent = [item for item in phones["table"].items() if item[1]["frames"] >= _LEAST_FRAMES][:_MOST_PHONES]
    rows: list[list[object]] = [["phone", "frames", *books]]
    for phone, row in frequent:
        cells = ["  ".join(f"{code} ({share:.2f})" for code, share in book) for book in row["books"]]
        pairs = "  ".join(f"{'-'.join(map(str, codes))} ({share:.2f})" for codes, share in row["pairs"])
        rows.append([phone, row["frames"], *cells, pairs])
    if phones["segmented_utterances"]:
        text += " Phones placed by the codes fit the codes better than true ones would."
    note = (
        "The commonest codes of each phone, with their probability in its frames. Phone purity is the share of frames that "
        "have the commonest phone of their code, cluster purity that of frames that have the commonest code of their phone "
        f"(HuBERT, section 4.3). {len(phones['table']) - len(frequent)} phones with fewer than {_LEAST_FRAMES} frames, or "
        f"beyond the first {_MOST_PHONES}, stand in inspect.json only."
    )
    return Section(title, text, rows, note=note)
