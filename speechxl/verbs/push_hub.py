"""Sending files to the hub. No torch."""

import logging
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from speechxl.errors import InputError

log = logging.getLogger(__name__)
_ELSEWHERE = "copy the files that --dry_run lists to a folder on a machine that has a network, and push that"


def send(folder: Path, names: Sequence[str], repository: str, *, public: bool, message: str) -> str:
    """Makes the repository where there is none, and adds files to it in one commit.

    Args:
        folder: Where they are.
        names: Of files in it.
        repository: ``ORG/NAME``.
        public: Whether everybody may see it.
        message: Of the commit.

    Returns:
        Address of the commit.

    Raises:
        InputError: If there is no network, no token or no right to, or the repository is not as private as asked for.
    """
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"HF_HUB_OFFLINE is set, and the hub cannot be reached; unset it, or {_ELSEWHERE}.")
    if get_token() is None:
        raise InputError(
            "There is no token for the hub: make one with the right to write, and give it by hf auth login, or in HF_TOKEN."
        )
    api = HfApi()
    try:
        _prepare(api, repository, public=public)
        operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / name)) for name in names]
        found = api.create_commit(repository, operations, commit_message=message, repo_type="model")
    except HfHubHTTPError as error:
        raise InputError(
            f"{repository}: the hub refuses it: {_first_line(error)}. {_cure(error, repository)}"
        ) from None
    except Exception as error:  # of its HTTP library, which is another one in each version
        if isinstance(error, ConnectionError) or type(error).__module__.split(".")[0].startswith("httpx"):
            raise InputError(f"{repository}: the hub cannot be reached ({_first_line(error)}); {_ELSEWHERE}.") from None
        raise
    return str(found.commit_url)


def _prepare(api: HfApi, repository: str, *, public: bool) -> None:
    """Makes sure that there is a repository, and that it is as private as asked for."""
    try:
        private = api.repo_info(repository, repo_type="model").private
    except RepositoryNotFoundError:
        api.create_repo(repository, repo_type="model", private=not public)
        log.info("%s: new, %s", repository, "for everybody" if public else "private")
        return
    if private and public:
        raise InputError(
            f"{repository}: is private on the hub; make it public in its settings there, or leave out --public."
        )
    if not private and not public:
        raise InputError(
            f"{repository}: is public on the hub. Add --public if everybody may have these files, or name another repository."
        )


def _cure(error: HfHubHTTPError, repository: str) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        owner = repository.partition("/")[0]
        return f"The token may be too old, or lack the right to write to {owner}: hf auth login with another."
    return "Nothing was changed; try again."


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
