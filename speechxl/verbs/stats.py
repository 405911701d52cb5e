"""`speechxl stats`: what a corpus holds."""

from pathlib import Path

from speechxl.verbs.outcome import Outcome


def stats(manifest: list[Path], *, split: str | None = None, out: Path | None = None) -> Outcome:
    """Count hours, speakers, durations and symbols of corpora, by language and split.

    Args:
        manifest: Manifests, or folders of recordings with their texts.
        split: Rows to count; by default all.
        out: Page to write (.html), or a folder for stats.html, with plots.
    """
    from speechxl.data.checks.recordings import timed
    from speechxl.data.sources import read_corpora
    from speechxl.data.statistics import statistics
    from speechxl.verbs.stats_table import table

    rows = timed(read_corpora(manifest, split))
    document = {"schema": 1, "manifests": [str(path) for path in manifest], **statistics(rows)}
    text = table(document)
    if out is not None:
        from speechxl.verbs.stats_report import write_report

        page = out if out.suffix == ".html" else out / "stats.html"
        write_report(page, document, rows)
        document["report"] = str(page)
        text += f"\n{page}"
    return Outcome(document, text)
