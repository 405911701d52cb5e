"""PHOIBLE from its release to where speechxl looks for it."""

import hashlib
import logging
import urllib.error
import urllib.request
from pathlib import Path

from speechxl.errors import InputError
from speechxl.phonology.phoible import OFFICIAL, Phoible, cache_folder

log = logging.getLogger(__name__)
URL = "https://raw.githubusercontent.com/phoible/dev/b92abff4f4ca2544eece4d9eff5c707f8d508d0c/data/phoible.csv"
SHA256 = "395e0977c3a5402af9cd5effd4ffdf0e47396336241fac534a4706e3cd8a7ecf"
_CHUNK = 1 << 20


def install(source: Path | None = None, url: str = URL, sha256: str = SHA256) -> Phoible:
    """Puts PHOIBLE in the cache, in its compact form.

    Args:
        source: Folder that has it already; by default it is fetched.
        url: Of ``phoible.csv``.
        sha256: That it must have.

    Raises:
        InputError: If it cannot be fetched, or is another file than the one that was asked for.
    """
    folder = cache_folder()
    if source is not None:
        Phoible(source).write(folder)
        return Phoible(folder)
    part = folder / f".{OFFICIAL}.part"
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / ".fetched"
    try:
        _fetch(url, part, sha256)
        scratch.mkdir(exist_ok=True)
        part.replace(scratch / OFFICIAL)
        Phoible(scratch).write(folder)
    finally:
        part.unlink(missing_ok=True)
        (scratch / OFFICIAL).unlink(missing_ok=True)
        if scratch.is_dir():
            scratch.rmdir()
    return Phoible(folder)


def _fetch(url: str, path: Path, sha256: str) -> None:
    log.info("fetching %s", url)
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=60) as response, path.open("wb") as file:
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{url} cannot be fetched ({reason}). Without network: fetch it elsewhere, put it as {OFFICIAL} into a folder "
            f"(SHA-256 {sha256}), and name that: speechxl inventory install --phoible FOLDER."
        ) from None
    if digest.hexdigest() != sha256:
        raise InputError(
            f"{url}: SHA-256 is {digest.hexdigest()}, expected {sha256}: the file was changed or damaged on the way, and is "
            "not used. If it is meant, name its own with --sha256."
        )
