"""`speechxl fetch`: a model of the hub to a folder, which can be carried to a machine without network."""

from pathlib import Path

from speechxl.verbs.outcome import Outcome


def fetch(
    name: str,
    out: Path,
    *,
    languages: list[str] | None = None,
    revision: str = "main",
    dry_run: bool = False,
) -> Outcome:
    """Copy the files of a model that speechxl reads from the hub to a folder, which can be named in its place anywhere.

    Args:
        name: On the hub, such as facebook/mms-300m.
        out: Folder for the files; those that are there already as they are on the hub are not fetched again.
        languages: Of models such as facebook/mms-1b-all with an adapter for each language, those that are wanted; by default all.
        revision: Branch, tag or commit.
        dry_run: Only list the files and their sizes.
    """
    from speechxl.data.languages import named_language
    from speechxl.verbs.fetching import choose, download, list_files
    from speechxl.verbs.inventory_table import columns

    files = choose(name, list_files(name, revision), [named_language(language) for language in languages or []])
    total = sum(file.size for file in files)
    if not dry_run:
        download(name, revision, files, out)
    document = {
        "schema": 1,
        "model": name,
        "revision": revision,
        "folder": None if dry_run else str(out),
        "bytes": total,
        "files": [vars(file) for file in files],
    }
    table = columns([[file.name, f"{file.size / 1e6:.1f} MB"] for file in files])
    verb = "would be" if dry_run else "are"
    return Outcome(document, f"{table}\n{out}: {len(files)} files, {total / 1e6:.1f} MB, {verb} there")
