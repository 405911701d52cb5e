import json

import pytest

from speechxl.decoding.lines import Lines


def line(name):
    return {"audio": name, "text": f"ñ {name}"}


def names(path):
    return [json.loads(each)["audio"] for each in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "t.jsonl"


def test_lines_come_in_the_order_that_is_asked_for(path):
    lines = Lines(path)
    for name in "cab":
        lines.add(line(name))
    assert not path.exists()
    lines.finish("abc")
    assert names(path) == ["a", "b", "c"]
    assert [each.name for each in path.parent.iterdir()] == ["t.jsonl"]


def test_a_torn_line_is_dropped_and_the_others_are_gone_on_with(path):
    lines = Lines(path)
    for name in "cab":
        lines.add(line(name))
    lines._file.close()
    part = path.with_name("t.jsonl.part")
    part.write_bytes(part.read_bytes()[:-9])
    lines = Lines(path)
    assert ("c" in lines, "a" in lines, "b" in lines) == (True, True, False)
    lines.add(line("b"))
    lines.finish("abc")
    assert path.read_text(encoding="utf-8") == "".join(
        json.dumps(line(name), ensure_ascii=False) + "\n" for name in "abc"
    )


def test_lines_of_other_recordings_are_kept(path):
    for some in ("ab", "cd"):
        lines = Lines(path)
        for name in some:
            lines.add(line(name))
        lines.finish(some)
    assert names(path) == ["a", "b", "c", "d"]
    lines = Lines(path)
    lines.add(line("e"))
    lines.finish("eba")
    assert names(path) == ["c", "d", "e", "b", "a"]


def test_some_lines_or_all_are_forgotten_also_those_of_an_interrupted_run(path):
    lines = Lines(path)
    for name in "ab":
        lines.add(line(name))
    lines.finish("ab")
    lines.add(line("c"))
    lines = Lines(path)
    lines.forget({"a"})
    assert names(path) == ["b", "c"]
    lines.forget(None)
    assert list(path.parent.iterdir()) == []


def test_no_result_is_an_empty_file(path):
    Lines(path).finish([])
    assert path.read_text() == ""


def test_a_line_is_read_before_and_after_the_end(tmp_path):
    lines = Lines(tmp_path / "l.jsonl")
    lines.add({"audio": "a", "text": "moja"})
    lines.add({"audio": "b", "text": "mbili"})
    assert lines.read("b") == {"audio": "b", "text": "mbili"}
    lines.finish(["b", "a"])
    assert lines.read("a") == Lines(tmp_path / "l.jsonl").read("a") == {"audio": "a", "text": "moja"}
