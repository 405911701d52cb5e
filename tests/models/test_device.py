import pytest
import torch

from speechxl.models.device import choose_precision, fast_bfloat16, matmul_rate


@pytest.mark.parametrize(
    ("processor", "fast"),
    [
        ({"cpu_name": "AMD EPYC 9354", "avx512_bf16": True, "amx_bf16": False}, True),
        ({"cpu_name": "Intel Xeon Platinum 8480", "avx512_bf16": True, "amx_bf16": True}, True),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, False),
        ({"cpu_name": "Intel Core i5-8250U", "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "arm64", "bf16": True}, False),
    ],
)
def test_bfloat16_is_taken_where_the_processor_is_faster_in_it(processor, fast, monkeypatch):
    assert fast_bfloat16(processor) is fast
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: processor)
    assert choose_precision("auto", "cpu") == ("bf16" if fast else "32")


@pytest.mark.parametrize("asked", ["32", "bf16"])
def test_what_is_asked_for_is_taken(asked):
    assert choose_precision(asked, "cpu") == asked


def test_the_rate_of_a_matrix_product_is_measured():
    assert 1e6 < matmul_rate(torch.device("cpu"), "32", size=128, repeats=2) < 1e15
