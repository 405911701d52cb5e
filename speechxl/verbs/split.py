"""`speechxl split`: a corpus into parts without common speakers."""

from pathlib import Path

from speechxl.verbs.outcome import Outcome


def split(
    manifest: Path,
    out: Path,
    *,
    dev: str = "10%",
    test: str = "10%",
    by: str = "speaker",
    rows: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Outcome:
    """Write a manifest with new splits: no speaker in two of them, of every language the same share in each.

    Args:
        manifest: Manifest, or folder of recordings with their texts.
        out: Manifest to write (.tsv, .jsonl), or a folder for manifest.tsv.
        dev: Size of dev in every language: a share such as 0.1 or 10%, or minutes such as 15 or 1.5h; 0 for none.
        test: Size of test.
        by: What is not to be in two splits: "speaker", "recording" (stretches of one), or a column, such as session; rows
            that do not name theirs go by recording.
        rows: Split whose rows are divided, while others stay as they are; by default all rows.
        seed: Of the choice among speakers that would do as well.
        overwrite: Replace a manifest that stands there already.
    """
    from speechxl.data.manifest import write_manifest
    from speechxl.data.sources import is_manifest, read_corpora
    from speechxl.data.splitting import read_size
    from speechxl.errors import InputError
    from speechxl.verbs.splitting import Division, table

    target = out if is_manifest(out) else out / "manifest.tsv"
    if target.exists() and not overwrite:
        raise InputError(f"{target} stands there already; replace it with --overwrite.")
    sizes = {name: read_size(name, size) for name, size in (("dev", dev), ("test", test))}
    division = Division(read_corpora([manifest]), by, rows, manifest)
    result = division.divided(sizes, seed)
    write_manifest(target, result)
    names = ["train", *(name for name, (_, size) in sizes.items() if size)]
    found = division.document(result, names)
    text = f"{table(found['languages'], names, by)}\n{target}: {found['utterances']} utterances in {', '.join(names)}"
    return Outcome({"schema": 1, "manifest": str(target), "by": by, "seed": seed, **found}, text)
