"""`speechxl push`: a model folder to the hub."""

from pathlib import Path

from speechxl.verbs.outcome import Outcome


def push(
    folder: Path,
    repository: str,
    *,
    public: bool = False,
    with_texts: bool = False,
    message: str = "A model of speechxl",
    dry_run: bool = False,
) -> Outcome:
    """Give a model folder to the hub, where only its owner sees it unless --public.

    What others need to use the model is given, with its page, settings and learning curves. Checkpoints, recordings and what
    may hold texts of speakers (dev.tsv, transcripts, reports) stay here.

    Args:
        folder: Of a model.
        repository: Where to: ORG/NAME, or USER/NAME.
        public: Let everybody have it.
        with_texts: Give tables, transcripts and reports as well, which hold what speakers said, and report.html their voices.
        message: Of the commit.
        dry_run: List the files with their sizes, and what is left out; nothing is sent, no network is needed.
    """
    import re

    from speechxl.errors import InputError
    from speechxl.verbs import push_files
    from speechxl.verbs.push_hub import send

    if (
        not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]{0,95}", repository)
        or ".." in repository
        or "--" in repository
    ):
        raise InputError(
            f"{repository!r} names no repository; ORG/NAME was expected, of letters, digits, '-', '_' and '.', such as "
            "my-group/quechua-xls-r."
        )
    items = push_files.choose(folder, with_texts=with_texts)
    notes = push_files.notes(folder)
    given = [item.name for item in items if not item.reason]
    url = None if dry_run else send(folder, given, repository, public=public, message=message)
    document = {
        "schema": 1,
        "folder": str(folder),
        "repository": repository,
        "private": not public,
        "dry_run": dry_run,
        "files": [{"file": item.name, "size": item.size} for item in items if not item.reason],
        "left_out": [{"file": item.name, "size": item.size, "reason": item.reason} for item in items if item.reason],
        "notes": notes,
        "url": url,
    }
    seen = "everybody" if public else "its owner only"
    last = f"would go to {repository}, for {seen} to see" if dry_run else url or ""
    lines = [push_files.table(items), "", *(f"note: {note}" for note in notes), last]
    return Outcome(document, "\n".join(lines))
