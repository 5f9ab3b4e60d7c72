"""What is computed in compiled loops and in blocks is what is computed plainly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stage.model.execution.padding import MASKED, gather_rows, round_up
from stage.model.ops import compiled as compiled_ops
from stage.model.ops.layer_norm import normalised_maximum
from stage.model.ops.matmul import batched_matmul, linear, matmul, matmul_transposed, segment_sum
from test_stage import make_batch, make_model


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_ops, "_compile", None)  # set back afterwards
    if reason := compiled_ops.compile_ops():
        pytest.skip(f"nothing to compile with: {reason}")


def loss_and_gradients() -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(0)
    model, batch = make_model(), make_batch()
    logits = model.answer(batch).logits
    logits.square().sum().backward()
    return logits.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def test_compiled_loops_give_the_same_answers_and_gradients(request: pytest.FixtureRequest) -> None:
    logits, gradients = loss_and_gradients()
    request.getfixturevalue("compiled")
    again, compiled_gradients = loss_and_gradients()
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5)
    assert compiled_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(
            compiled_gradients[name], gradient, rtol=1e-3, atol=1e-4 * scale + 1e-7, msg=name
        )


def test_products_in_blocks_are_products() -> None:
    rows, matrix = torch.randn(5000, 8), torch.randn(8, 6)
    short, small = rows.bfloat16(), matrix.bfloat16()
    torch.testing.assert_close(matmul(short, small), short @ small)
    exact = short.float().T @ short.float()
    torch.testing.assert_close(matmul_transposed(short, short), exact, rtol=0.01, atol=1.0)
    a, b = torch.randn(37, 5, 8).bfloat16(), torch.randn(37, 8, 3).bfloat16()
    torch.testing.assert_close(batched_matmul(a, b), a @ b)


def test_a_normalised_maximum_is_the_maximum_of_what_is_normalised() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, 5, 6, generator=generator)
    mask = torch.arange(5) < torch.tensor([5, 1, 3, 0])[:, None]
    norm = torch.nn.LayerNorm(6)
    norm.weight.data.normal_(generator=generator)
    pull = torch.randn(4, 6, generator=generator)
    found = []
    for maximum in (
        normalised_maximum(x, norm, mask),
        norm(x).masked_fill(~mask[..., None], MASKED).amax(-2),
    ):
        maximum[:3].mul(pull[:3]).sum().backward()  # with nothing to learn below
        assert norm.weight.grad is not None
        found.append((maximum.detach(), norm.weight.grad.clone()))
        norm.weight.grad = None
    torch.testing.assert_close(found[0], found[1])
    with torch.no_grad():
        torch.testing.assert_close(normalised_maximum(x, norm, mask), found[1][0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_that_belong_together_are_added_up(dtype: torch.dtype) -> None:
    x, rows = torch.arange(12.0).view(4, 3).to(dtype), torch.tensor([2, 0, 0, 2])
    expected = torch.tensor([[9.0, 11, 13], [0, 0, 0], [9, 11, 13]]).to(dtype)
    torch.testing.assert_close(segment_sum(x, rows, 3), expected)


def test_gradients_of_products_and_of_taking_rows() -> None:
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(linear, (random(3, 2, 4), random(5, 4), random(5)))
    assert torch.autograd.gradcheck(batched_matmul, (random(3, 2, 4), random(3, 4, 5)))
    assert torch.autograd.gradcheck(lambda x: gather_rows(x, torch.tensor([1, 0, 1])), (random(2, 3),))


def test_sizes_are_rounded_up_by_an_eighth_at_most() -> None:
    sizes = [round_up(n) for n in range(1, 2000)]
    assert all(n <= size <= 9 * n / 8 for n, size in enumerate(sizes, start=1))
    assert len(set(sizes)) < 80
