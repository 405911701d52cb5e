import hashlib

import pytest

from speechxl.errors import InputError
from speechxl.phonology.install import SHA256, URL, install
from speechxl.phonology.phoible import VERSIONS, cache_folder, open_phoible


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SPEECHXL_PHOIBLE", raising=False)
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


def test_a_release_is_fetched_checked_and_kept(release):
    path = release / "phoible.csv"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    installed = install(url=path.as_uri(), sha256=digest)
    assert installed.folder == cache_folder()
    assert open_phoible().find("arb")[0].id == 3
    assert open_phoible().version == f"unknown {digest[:8]}"
    assert sorted(x.name for x in cache_folder().iterdir()) == [
        "inventories.csv",
        "segment_features.csv",
        "version.txt",
    ]


def test_a_copy_is_taken(release):
    install(release)
    assert len(open_phoible().doculects) == 3


def test_another_file_is_refused(release):
    with pytest.raises(InputError, match=r"SHA-256 is \w{64}, expected 395e0977.*changed or damaged on the way"):
        install(url=(release / "phoible.csv").as_uri())
    assert open_phoible() is None
    assert not any(cache_folder().iterdir())


def test_without_network_it_says_which_file_to_put_where(tmp_path):
    address = (tmp_path / "nothing.csv").as_uri()
    with pytest.raises(InputError, match=r"cannot be fetched .*put it as phoible.csv into a folder \(SHA-256 395e0977"):
        install(url=address)


def test_the_release_is_a_known_version():
    assert VERSIONS[SHA256].split()[-1] in URL
