"""The layers in plain PyTorch compute what transformers' BertModel does, with random weights of any size."""

from __future__ import annotations

import pytest
import torch

from stage.features.text.bert_layers import BertLayers


@pytest.mark.parametrize(("hidden", "heads", "layers"), [(8, 2, 1), (24, 3, 4)])
def test_hidden_states_are_those_of_transformers(hidden: int, heads: int, layers: int) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(hidden)
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=30, max_position_embeddings=12, layer_norm_eps=1e-7, initializer_range=0.5,
    )  # fmt: skip
    model = transformers.BertModel(config).eval()
    with torch.no_grad():
        for values in model.parameters():  # LayerNorms too, which begin as the identity
            values.add_(0.3 * torch.randn_like(values))
    ids = torch.randint(40, (3, 9))
    real = torch.arange(9) < torch.tensor([9, 4, 1])[:, None]
    with torch.inference_mode():
        expected = model(ids, attention_mask=real.long(), output_hidden_states=True).hidden_states
        ours = list(BertLayers(model.state_dict(), layers, heads, 1e-7).hidden_states(ids, real))
    assert len(ours) == layers + 1
    for found, wanted in zip(ours, expected, strict=True):
        assert torch.allclose(found[real], wanted[real], atol=2e-5)


def test_one_layer_is_as_worked_out_by_hand() -> None:
    """One head, maps that change nothing, and a feed-forward part that adds (3, 0)."""
    one, nothing = torch.eye(2), torch.zeros(2)
    weights = {
        "embeddings.word_embeddings.weight": torch.tensor([[1.0, -1.0], [-1.0, 1.0]]),
        "embeddings.position_embeddings.weight": torch.zeros(3, 2),
        "embeddings.token_type_embeddings.weight": torch.zeros(1, 2),
        **{f"encoder.layer.0.attention.self.{part}.weight": one for part in ("query", "key", "value")},
        "encoder.layer.0.attention.output.dense.weight": one,
        "encoder.layer.0.intermediate.dense.weight": torch.zeros(2, 2),
        "encoder.layer.0.output.dense.weight": torch.zeros(2, 2),
    }
    norms = (
        "embeddings.LayerNorm",
        "encoder.layer.0.attention.output.LayerNorm",
        "encoder.layer.0.output.LayerNorm",
    )
    weights |= {f"{name}.weight": torch.ones(2) for name in norms}
    weights |= {name.replace(".weight", ".bias"): nothing for name in weights if "_embeddings" not in name}
    weights["encoder.layer.0.output.dense.bias"] = torch.tensor([3.0, 0.0])
    layers = BertLayers(weights, 1, 1, 0.0)
    before, after = layers.hidden_states(torch.tensor([[0, 1]]), torch.tensor([[True, True]]))
    assert before[0].tolist() == [[1, -1], [-1, 1]]
    # Whatever the weights of attention are, both rows keep their sign: LayerNorm gives (1, -1) and (-1, 1). With the
    # bias these are (4, -1) and (2, 1), and LayerNorm makes (1, -1) of both.
    assert after[0].tolist() == [[1, -1], [1, -1]]


def test_padding_is_not_seen() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=6,
    )  # fmt: skip
    layers = BertLayers(transformers.BertModel(config).state_dict(), 2, 2, 1e-12)
    *_, alone = layers.hidden_states(torch.tensor([[4, 5]]), torch.tensor([[True, True]]))
    *_, padded = layers.hidden_states(
        torch.tensor([[4, 5, 8, 7]]), torch.tensor([[True, True, False, False]])
    )
    assert torch.allclose(alone, padded[:, :2], atol=1e-6)
