from pathlib import Path

import pytest

from speechxl.data.licences import Licence, find_licences, licence_of_folder
from speechxl.shapes import Utterance


def row(folder, name="a.wav", manifest=True, **extra):
    origin = f"{folder / 'manifest.tsv'}:2" if manifest else ""
    return Utterance(folder / "audio" / name, name, duration=1800, extra=extra, origin=origin)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corpus" / "audio").mkdir(parents=True)
    return tmp_path / "corpus"


@pytest.mark.parametrize("column", ["license", "licence", "Licence"])
def test_the_column_goes_before_files(folder, column):
    (folder / "LICENSE").write_text("MIT License\n")
    rows = [
        row(folder, **{column: "CC0"}),
        row(folder, "b.wav", **{column: "CC BY 4.0"}),
        row(folder, "c.wav", **{column: "CC0"}),
    ]
    found = find_licences([*rows, row(folder, "d.wav", **{column: ""})])
    assert [(each.stated, each.source, each.hours) for each in found] == [
        ("CC0", f"column {column}", 1.0), ("CC BY 4.0", f"column {column}", 0.5), ("MIT License", "corpus/LICENSE", 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "stated"),
    [
        ("LICENSE", "\nMIT License\n\nCopyright (c) 2020 A\nmore", "MIT License, Copyright (c) 2020 A"),
        ("README.md", "# A\nSee its licence.\n- Licence as stated there: CC BY 4.0\n", "Licence as stated there: CC BY 4.0"),
        ("README.md", "---\nlicense: cc-by-4.0\n---\n", "license: cc-by-4.0"),
        ("README.txt", "Speech\n\n## License\n\nFree for research.\n", "License: Free for research."),
        ("README", "All is under the licence of the BBC.", "All is under the licence of the BBC."),
    ],
)  # fmt: skip
def test_what_files_say(folder, name, text, stated):
    (folder / name).write_text(text)
    assert licence_of_folder(folder) == (stated, f"corpus/{name}")


def test_a_readme_that_says_nothing_is_no_licence(folder):
    (folder / "README.md").write_text("Recorded in May.\n")
    assert find_licences([row(folder)]) == [Licence("corpus", "", "", 0.5)]


def test_files_beside_the_recordings_serve_for_manifests_elsewhere(folder, tmp_path):
    (folder / "README.md").write_text("Licence: CC BY 4.0\n")
    there = Utterance(folder / "audio" / "a.wav", "a", duration=36, origin=f"{tmp_path / 'data' / 'x.tsv'}:2")
    assert find_licences([there]) == [Licence("corpus", "Licence: CC BY 4.0", "corpus/README.md", 0.01)]
    elsewhere = Utterance(Path("/nowhere/at/all/a.wav"), "a", duration=36, origin=f"{tmp_path / 'data' / 'x.tsv'}:2")
    assert find_licences([elsewhere]) == [Licence("x", "", "", 0.01)]


def test_recordings_without_a_manifest(folder):
    (folder / "audio" / "COPYING").write_text("The GNU General Public License\nVersion 3\n")
    (found,) = find_licences([row(folder, manifest=False)])
    assert (found.corpus, found.stated) == ("audio", "The GNU General Public License, Version 3")
