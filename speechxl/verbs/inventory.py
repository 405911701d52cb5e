"""`speechxl inventory`: the phones of languages."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import Outcome


def inventory(
    action: Literal["list", "show", "diff", "install"],
    name: list[str] | None = None,
    *,
    source: str = "union",
    phoible: Path | None = None,
    marginal: bool = True,
    split_diphthongs: bool = False,
    column: str | None = None,
    running: bool = False,
    min_count: int = 1,
    html: Path | None = None,
    out: Path | None = None,
    url: str | None = None,
    sha256: str | None = None,
) -> Outcome:
    """List the languages of PHOIBLE, show or compare inventories of phones, or install PHOIBLE.

    Args:
        action: "list": languages of PHOIBLE, of which names and codes hold NAME; "show": one inventory as a chart; "diff": what
            two inventories share, and what one lacks is nearest to in the other; "install": fetch PHOIBLE's release,
            or take it from --phoible, and keep it.
        name: Language (ISO 639-3 or 639-1 code, Glottocode, name); phoible:NUMBER for one inventory; espeak:VOICE for what
            espeak-ng says; or a file: phones one a line, a lexicon, a table or manifest with phones.
        source: Of PHOIBLE: "union" of the language's inventories, the "largest", or the number of one.
        phoible: Folder with PHOIBLE, in the place of the installed one.
        marginal: Whether to keep phonemes of loan words and the like.
        split_diphthongs: Whether the vowels of diphthongs take their place.
        column: Of a table or manifest.
        running: Whether the column, or each line of a file, holds text in IPA, and not phones separated by spaces.
        min_count: Occurrences of a phone in a file or manifest below which it is left out.
        html: Page to write, with the chart of "show".
        out: File to write the inventory of "show" to, a phone a line, which --inventory reads.
        url: Of "install", in the place of the release's phoible.csv.
        sha256: Of --url.
    """
    from speechxl.data.inventories import find_inventory
    from speechxl.errors import InputError
    from speechxl.phonology.phoible import need_phoible, open_phoible
    from speechxl.verbs import inventory_table as tables

    names = name or []
    count = {"show": 1, "diff": 2, "install": 0}.get(action, len(names))
    if len(names) != count:
        raise InputError(f"inventory {action} takes {count} names, got {len(names)}: {' '.join(names)}.")
    for flag, value, of in (
        ("html", html, "show"),
        ("out", out, "show"),
        ("url", url, "install"),
        ("sha256", sha256, "install"),
    ):
        if value is not None and action != of:
            raise InputError(f"--{flag} is of inventory {of}, not of {action}.")
    if action == "install":
        from speechxl.phonology.install import SHA256, URL, install

        if (url is None) != (sha256 is None):
            raise InputError("--url and --sha256 go together.")
        installed = install(phoible, url or URL, sha256 or SHA256)
        document = {"schema": 1, "folder": str(installed.folder), "version": installed.version}
        document |= {"inventories": len(installed.doculects), "segments": len(installed.table.symbols)}
        return Outcome(
            document, "{folder}: {version}, {inventories} inventories, {segments} segments".format(**document)
        )
    if action == "list":
        return tables.listed(need_phoible(phoible), names)
    found = [
        find_inventory(
            x,
            source=source,
            phoible=phoible,
            marginal=marginal,
            column=column,
            running=running,
            least=min_count,
            split_diphthongs=split_diphthongs,
        )
        for x in names
    ]
    known = open_phoible(phoible)
    if action == "show":
        return tables.shown(found[0], html, out, "" if known is None else known.version)
    return tables.compared(found[0], found[1], known)
