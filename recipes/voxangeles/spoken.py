"""Speech of more languages for the recipe: ``spoken.py MANIFEST OUT [NAMES] [SEED]``.

espeak-ng speaks NAMES (60) names that CLDR has in each language that it can say, but for those of which MANIFEST (of
`prepare.py`) has words that are only tested on. Writes ``OUT/manifest.tsv``, all of it ``train``. What is there is not made
again.
"""

import sys
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.data.names import Part, named_languages, write_names
from speechxl.data.synthetic import DEV_VARIANTS, VARIANTS

NAMES, SEED = 60, 1


def main(manifest: Path, out: Path, names: int, seed: int) -> None:
    """Writes the manifest and prints what is in it."""
    if (out / "manifest.tsv").exists():
        return
    rows = read_manifest(manifest)
    unseen = {row.language for row in rows} - {row.language for row in rows if row.split == "train"}
    languages = {language: locale for language, locale in named_languages().items() if language not in unseen}
    spoken = list(write_names(out, languages, [Part("train", names, VARIANTS + DEV_VARIANTS)], seed))
    write_manifest(out / "manifest.tsv", spoken)
    phones = {phone for row in spoken for phone in row.phonemes.split()}
    print(
        f"{out / 'manifest.tsv'}: {len(spoken)} names, {sum(row.seconds for row in spoken) / 60:.1f} min, "
        f"{len({row.language for row in spoken})} languages, {len(phones)} phones"
    )


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(f"usage: {sys.argv[0]} MANIFEST OUT [NAMES] [SEED]")
    given = [int(number) for number in sys.argv[3:]]
    main(Path(sys.argv[1]), Path(sys.argv[2]), *given, *(NAMES, SEED)[len(given) :])
