"""Products in chunks, segment sums and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stage.model.ops.gather import gather_rows, segment_sum
from stage.model.ops.matmul import batched_matmul, linear, matmul, matmul_transposed


def test_products_in_chunks_are_products() -> None:
    rows, matrix = torch.randn(5000, 8), torch.randn(8, 6)
    short, small = rows.bfloat16(), matrix.bfloat16()
    torch.testing.assert_close(matmul(short, small), short @ small)
    exact = short.float().T @ short.float()
    torch.testing.assert_close(matmul_transposed(short, short), exact, rtol=0.01, atol=1.0)
    a, b = torch.randn(37, 5, 8).bfloat16(), torch.randn(37, 8, 3).bfloat16()
    torch.testing.assert_close(batched_matmul(a, b), a @ b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_segment_sum_adds_the_rows_of_each_segment(dtype: torch.dtype) -> None:
    x, rows = torch.arange(12.0).view(4, 3).to(dtype), torch.tensor([2, 0, 0, 2])
    expected = torch.tensor([[9.0, 11, 13], [0, 0, 0], [9, 11, 13]]).to(dtype)
    torch.testing.assert_close(segment_sum(x, rows, 3), expected)


def test_gradients_of_products_and_gathered_rows_are_right() -> None:
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(linear, (random(3, 2, 4), random(5, 4), random(5)))
    assert torch.autograd.gradcheck(batched_matmul, (random(3, 2, 4), random(3, 4, 5)))
    assert torch.autograd.gradcheck(lambda x: gather_rows(x, torch.tensor([1, 0, 1])), (random(2, 3),))
