"""`speechxl push`, without network: the hub is a list."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from speechxl.cli import main
from speechxl.errors import InputError
from speechxl.verbs import push_hub
from speechxl.verbs.push import push

GIVEN = [
    "README.md",
    "config.json",
    "config.yaml",
    "metrics.csv",
    "model.safetensors",
    "phones.safetensors",
    "vocab.json",
]
TEXTS = ["dev.tsv", "dropped.tsv", "predictions.json", "report.html", "transcripts.jsonl"]
OTHERS = [".model.safetensors.1f.part", "a.wav", "checkpoint.ckpt", "earlier.ckpt", "notes.docx"]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "m"
    path.mkdir()
    for size, name in enumerate([*GIVEN, *TEXTS, *OTHERS], start=1):
        (path / name).write_text("x" * size)
    (path / "README.md").write_text("---\nlicense: mit\n---\n# m\n")
    (path / "config.json").write_text("{}")
    (path / "best").mkdir()
    (path / "best" / "3-0.5.safetensors").write_text("xyz")
    return path


class Hub:
    """In the place of `HfApi`."""

    def __init__(self, private=None, fails=None):
        self.private, self.fails, self.calls = private, fails, []

    def repo_info(self, repository, *, repo_type):
        self.calls.append(("info", repository, repo_type))
        if self.fails is not None:
            raise self.fails
        if self.private is None:
            raise error(404, RepositoryNotFoundError)
        return SimpleNamespace(private=self.private)

    def create_repo(self, repository, *, repo_type, private):
        self.calls.append(("create", repository, private))

    def create_commit(self, repository, operations, *, commit_message, repo_type):
        files = {each.path_in_repo: Path(each.path_or_fileobj).read_bytes() for each in operations}
        self.calls.append(("commit", repository, files, commit_message))
        return SimpleNamespace(commit_url=f"hub/{repository}/commit/1")


def error(status, kind=HfHubHTTPError, message="no way\nmore"):
    response = SimpleNamespace(status_code=status, headers={}, request=None, url="")
    return kind(message, response=response)


@pytest.fixture
def hub(monkeypatch):
    found = Hub()
    monkeypatch.setattr(push_hub, "HfApi", lambda: found)
    monkeypatch.setattr(push_hub, "get_token", lambda: "secret")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return found


def test_a_dry_run_lists_files_and_sizes_and_asks_nobody(folder, hub, capsys):
    assert main(["push", str(folder), "us/m", "--dry_run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["file"] for each in document["files"]] == GIVEN
    assert all(each["size"] == (folder / each["file"]).stat().st_size for each in document["files"])
    reasons = {each["file"]: each["reason"] for each in document["left_out"]}
    assert set(reasons) == {*TEXTS, *OTHERS, "best/"}
    assert all("--with_texts" in reasons[name] for name in TEXTS)
    assert "checkpoint" in reasons["checkpoint.ckpt"]
    assert reasons["a.wav"] == "a recording"
    assert reasons["best/"] == "a folder of 1 file, no part of the model"
    assert (document["private"], document["url"], document["notes"]) == (True, None, [])
    assert hub.calls == []
    text = push(folder, "us/m", dry_run=True).text
    assert text.endswith("would go to us/m, for its owner only to see")
    assert all(name in text for name in [*GIVEN, *TEXTS, *OTHERS])


def test_a_new_repository_is_private_and_has_the_files_and_no_others(folder, hub):
    outcome = push(folder, "us/m", message="first")
    assert hub.calls[:2] == [("info", "us/m", "model"), ("create", "us/m", True)]
    what, name, files, message = hub.calls[2]
    assert (what, name, message) == ("commit", "us/m", "first")
    assert files == {name: (folder / name).read_bytes() for name in GIVEN}
    assert len(hub.calls) == 3
    assert outcome.text.endswith("hub/us/m/commit/1")
    assert "secret" not in outcome.text + json.dumps(outcome.document)


def test_public_and_texts_only_when_they_are_asked_for(folder, hub):
    push(folder, "us/m", public=True, with_texts=True)
    assert hub.calls[1] == ("create", "us/m", False)
    assert sorted(hub.calls[2][2]) == sorted([*GIVEN, *TEXTS])


@pytest.mark.parametrize(("private", "public"), [(True, False), (False, True)])
def test_a_repository_that_is_there_gets_a_commit(folder, hub, private, public):
    hub.private = private
    push(folder, "us/m", public=public)
    assert [call[0] for call in hub.calls] == ["info", "commit"]


@pytest.mark.parametrize(
    ("private", "public", "match"),
    [(True, True, "us/m: is private on the hub"), (False, False, "us/m: is public on the hub. Add --public")],
)
def test_nothing_is_sent_where_others_would_see_more_or_less_than_meant(folder, hub, private, public, match):
    hub.private = private
    with pytest.raises(InputError, match=match):
        push(folder, "us/m", public=public)
    assert [call[0] for call in hub.calls] == ["info"]


def test_without_network_or_token(folder, hub, monkeypatch):
    monkeypatch.setattr(push_hub, "get_token", lambda: None)
    with pytest.raises(InputError, match=r"no token for the hub: .* hf auth login, or in HF_TOKEN"):
        push(folder, "us/m")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"HF_HUB_OFFLINE is set, .* copy the files that --dry_run lists"):
        push(folder, "us/m")
    assert hub.calls == []


@pytest.mark.parametrize(
    ("fails", "match"),
    [
        (error(403), "us/m: the hub refuses it: no way. .* lack the right to write to us: hf auth login"),
        (error(500), "us/m: the hub refuses it: no way. Nothing was changed; try again"),
        (OfflineModeIsEnabled("off"), r"us/m: the hub cannot be reached \(off\); copy the files"),
        (ConnectionError(), r"the hub cannot be reached \(ConnectionError\)"),
        (type("ConnectError", (Exception,), {"__module__": "httpx"})("gone"), r"the hub cannot be reached \(gone\)"),
    ],
)
def test_what_the_hub_says_is_said_with_a_cure(folder, hub, fails, match):
    hub.fails = fails
    with pytest.raises(InputError, match=match):
        push(folder, "us/m")


def test_other_errors_are_not_hidden(folder, hub):
    hub.fails = RuntimeError("a fault of ours")
    with pytest.raises(RuntimeError, match="a fault of ours"):
        push(folder, "us/m")


@pytest.mark.parametrize("name", ["m", "us/m/n", "us/", "/m", "us/a b", "us/..", "us/a--b", "-us/m", "us/" + 97 * "m"])
def test_names_that_are_none(folder, name):
    with pytest.raises(InputError, match="names no repository; ORG/NAME was expected"):
        push(folder, name, dry_run=True)


@pytest.mark.parametrize(
    ("lacking", "match"),
    [("model.safetensors", r"m: no weights there \(model.safetensors\)"), ("README.md", "m: no README.md there")],
)
def test_folders_without_weights_or_page_are_refused(folder, hub, lacking, match):
    (folder / lacking).unlink()
    with pytest.raises(InputError, match=match):
        push(folder, "us/m", dry_run=True)
    with pytest.raises(InputError, match=match):
        push(folder, "us/m")
    assert hub.calls == []


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such folder"):
        push(tmp_path / "nowhere", "us/m", dry_run=True)


def test_what_to_look_at_is_named(folder):
    (folder / "README.md").write_text("# m\n| corpus | **not stated: find out before sharing** |\n")
    (folder / "config.yaml").write_text("train:\n- /home/me/corpus\n")
    (folder / "speechxl.json").write_text(json.dumps({"adapter": {"base": "../base"}}))
    found = push(folder, "us/m", dry_run=True)
    for words in (
        "licence is not stated",
        "names no licence of the model",
        "those of ../base, a folder of this machine",
        "has paths",
    ):
        assert sum(words in note for note in found.document["notes"]) == 1
        assert words in found.text
    (folder / "speechxl.json").write_text("{")
    with pytest.raises(InputError, match=r"speechxl.json: is not JSON"):
        push(folder, "us/m", dry_run=True)


def test_links_that_lead_nowhere_stay_here(folder):
    (folder / "vocab.json").unlink()
    (folder / "vocab.json").symlink_to(folder / "gone")
    left = {each["file"]: each["reason"] for each in push(folder, "us/m", dry_run=True).document["left_out"]}
    assert left["vocab.json"] == "a link that leads nowhere"
