import random

import pytest

from tests.fuzz import PARSERS, mutated, run


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_files_give_rows_or_an_error_that_names_them(name):
    result = run(name, 5)
    assert result["files"] == 5 == result.get("read", 0) + result.get("refused", 0)
    assert result["crashes"] == []


def test_files_are_damaged_alike_each_time():
    data = [mutated(b"path\ttext\na.wav\tone 1 2 3\n" * 3, random.Random(seed)) for seed in (*range(20), *range(20))]
    assert data[:20] == data[20:]
    assert len(set(data)) > 15
