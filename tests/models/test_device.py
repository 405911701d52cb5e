import torch

from speechxl.models.device import matmul_rate


def test_the_rate_of_a_matrix_product_is_measured():
    assert 1e6 < matmul_rate(torch.device("cpu"), "32", size=128, repeats=2) < 1e15
