import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speechxl.cli import main
from speechxl.config import Phones
from speechxl.data.sources import find_audio
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import Vocabulary
from speechxl.verbs import cluster
from speechxl.verbs.mapping import find_maps
from speechxl.verbs.recognise import here
from speechxl.verbs.transcribe import transcribe
from tests.conftest import save_phones
from tests.verbs.test_transcribe import contents, names_in


@pytest.fixture
def ray(monkeypatch):
    """Ray, which must not be left running, with workers that do not give way to other programs."""
    module = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # otherwise it writes a token to the home folder
    yield module
    assert not module.is_initialized()


def test_local_ray_equals_one_process(ray, ctc_folder, corpus, tmp_path, monkeypatch, capsys):
    """All formats, a file that is cut, stretches of a manifest, and recordings that are done already."""
    (corpus / "cut.wav").write_bytes((corpus / "u04.wav").read_bytes()[:9_000])
    (corpus / "manifest.tsv").unlink()
    manifest = tmp_path / "stretches.tsv"
    rows = [f"{corpus / 'u00.wav'}\t{start}\t0.2\tquy" for start in (0.1, 0.25)]
    manifest.write_text("\n".join(["path\tstart_s\tduration_s\tlanguage", *rows]) + "\n")
    out = {name: tmp_path / name for name in ("one", "ray")}
    done = [str(corpus / "u0[2-4].wav"), "--out", str(out["one"]), "--format", "all", "--precision", "32"]
    assert main(["transcribe", str(ctc_folder), *done]) == 0
    shutil.copytree(out["one"], out["ray"])
    monkeypatch.setattr(cluster, "GROUP_SECONDS", 1.0)
    documents = {}
    for name, how in [("one", []), ("ray", ["--ray", "local", "--ray_workers", "2"])]:
        capsys.readouterr()
        command = [str(corpus), str(manifest), "--out", str(out[name]), *done[3:], "--json", *how]
        assert main(["transcribe", str(ctc_folder), *command]) == 4
        captured = capsys.readouterr()
        documents[name] = json.loads(captured.out)
        assert "cut.wav: the file is truncated" in captured.err
    assert documents["ray"] == documents["one"]
    assert (len(documents["ray"]["results"]), documents["ray"]["skipped"]) == (13, 3)
    assert contents(out["ray"]) == contents(out["one"])


def test_a_run_that_is_told_to_end_keeps_what_is_done_and_is_gone_on_with(ray, ctc_folder, corpus, tmp_path):
    code = (
        "import os, signal, sys; from speechxl.decoding import transcripts; from speechxl.cli import main\n"
        "from speechxl.verbs import cluster; cluster.GROUP_SECONDS = 0.1; real = transcripts.write\n"
        "transcripts.write = lambda file, *a, **k: (os.kill(os.getpid(), signal.SIGTERM), real(file, *a, **k))"
        " if file.name == 'u02' else real(file, *a, **k)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = ["transcribe", str(ctc_folder), str(corpus / "u0[0-5].wav"), "--out", str(tmp_path / "out")]
    run = subprocess.run([sys.executable, "-c", code, *command, "--ray", "local"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (130, "")
    assert [line for line in run.stderr.splitlines() if " real time " not in line] == ["speechxl: interrupted"]
    assert names_in(tmp_path / "out") == {"transcribe.json", "u00.txt", "u01.txt"}
    assert main([*command, "--json"]) == 0
    assert len(names_in(tmp_path / "out")) == 7


def test_without_ray_it_says_what_to_install(ctc_folder, corpus, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--ray needs Ray: pip install 'speechxl\[scale\]'"):
        transcribe(str(ctc_folder), [str(corpus)], ray="local")


def test_a_model_that_is_none_is_told_before_ray_starts(ray, ctc_folder, corpus, tmp_path):
    (ctc_folder / "vocab.json").unlink()
    with pytest.raises(InputError, match=r"no vocab.json"):
        transcribe(str(ctc_folder), [str(corpus)], ray="local")
    with pytest.raises(InputError, match=r"nowhere: there is no such model folder"):
        transcribe(str(tmp_path / "nowhere"), [str(corpus)], ray="local")


def test_a_cluster_that_is_none_is_named(ray, ctc_folder, corpus, monkeypatch):
    monkeypatch.setattr(
        "ray.init", lambda *args, **kwargs: (_ for _ in ()).throw(ConnectionError("None found.\nMore."))
    )
    with pytest.raises(InputError, match=r"--ray auto: None found \(.*--ray local"):
        transcribe(str(ctc_folder), [str(corpus)], ray="auto")
    for address in ("127.0.0.1:1", "localhost:x", "localhost:99999"):
        with pytest.raises(InputError, match=rf"--ray {address}: nothing answers there \(.*ray status"):
            transcribe(str(ctc_folder), [str(corpus)], ray=address)
    with pytest.raises(InputError, match=r"--ray ray://head:10001: .*auto or host:port"):
        transcribe(str(ctc_folder), [str(corpus)], ray="ray://head:10001")


@pytest.mark.parametrize("options", [{"ray": "local", "ray_workers": 0}, {"ray_workers": 2}])
def test_a_number_of_workers_that_is_none_is_explained(ctc_folder, corpus, options):
    with pytest.raises(
        InputError, match=rf"--ray_workers {options['ray_workers']}: a number from 1, together with --ray"
    ):
        transcribe(str(ctc_folder), [str(corpus)], **options)


def test_what_a_worker_cannot_use_is_told_with_its_machine(ctc_folder):
    settings = {"device": "cpu", "precision": "32", "batch_seconds": 9.0, "window_seconds": 9.0}
    worker = cluster._Worker({"model": f"{ctc_folder}/none", **settings})
    (row,) = worker({"part": [b""]})
    with pytest.raises(InputError, match=r"none: there is no such model folder. \(on .+\)"):
        raise pickle.loads(row["group"][0])


def test_a_worker_recognises_the_phones_of_an_inventory(corpus, tmp_path):
    """With what else each phone may be; the map is made elsewhere, so that workers need neither PHOIBLE nor files."""
    folder = save_phones(tmp_path / "phones", Vocabulary.from_texts(["p a i mb"], "phoneme"))
    (tmp_path / "own.txt").write_text("p\nb\nai\n")
    utterances = find_audio([str(corpus / "u0[0-3].wav")])
    panphon = Phones(distance="panphon")
    maps = find_maps(folder, None, utterances, panphon, inventory=str(tmp_path / "own.txt")).by_language
    (tmp_path / "own.txt").unlink()
    settings = {"device": "cpu", "precision": "32", "batch_seconds": 9.0, "window_seconds": 9.0, "alternatives": 2}
    settings = pickle.loads(pickle.dumps({"model": folder, "maps": maps, **settings}))
    worker = cluster._Worker(settings)
    (row,) = worker({"part": [pickle.dumps(utterances)]})
    with here(utterances=utterances, **settings) as engine:
        expected = list(engine.recognise(utterances))
    assert pickle.loads(row["group"][0]) == expected
    phones = [phone for item in expected for phone in item.hypothesis.words]
    assert {phone.text for phone in phones} <= {"p", "b", "ai"}
    assert {len(phone.alternatives) for phone in phones} == {2}


@pytest.mark.parametrize(
    ("device", "workers", "nodes", "plan"),
    [
        ("auto", None, [{"CPU": 2}], ("cpu", 1, {"num_cpus": 2})),
        ("auto", 2, [{"CPU": 2}], ("cpu", 2, {"num_cpus": 1})),
        ("auto", 5, [{"CPU": 2}], ("cpu", 5, {"num_cpus": 1})),
        ("cpu", None, [{"CPU": 16, "GPU": 8}, {"CPU": 9}, {}], ("cpu", 6, {"num_cpus": 4})),
        ("auto", 3, [{"CPU": 16}, {"CPU": 8}], ("cpu", 3, {"num_cpus": 8})),
        ("auto", None, [{"CPU": 16, "GPU": 8}, {"CPU": 9}, {"CPU": 4, "GPU": 1}], ("cuda", 9, {"num_gpus": 1})),
        ("cuda", None, [{"CPU": 4}], ("cuda", 1, {"num_gpus": 1})),
    ],
)
def test_workers_are_as_many_as_fit(device, workers, nodes, plan):
    assert cluster._plan(device, workers, nodes) == plan


def test_parts_are_large_enough_to_be_sorted_and_small_enough_to_be_shared_out():
    def sizes(number, workers):
        parts = cluster._parts([Utterance(Path("a.wav"), str(n), duration=10.0) for n in range(number)], workers)
        return {sum(utterance.duration for utterance in part) for part in parts}

    assert sizes(30, 8) == {300.0}
    assert sizes(480, 8) == {600.0}
    assert sizes(3_840, 8) == {1_200.0}
    assert sizes(57_600, 8) == {1_800.0}


def test_the_length_of_a_recording_is_guessed_from_its_size(corpus):
    path = corpus / "u00.wav"
    assert cluster._guess(Utterance(path, "u")) == pytest.approx((path.stat().st_size - 44) / 32_000, rel=0.01)
    assert cluster._guess(Utterance(corpus / "none.wav", "u")) == 0.0
