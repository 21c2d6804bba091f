"""Places for adapters in a layer of the decoder; what the layer computes is tested with the whole decoder."""

import pytest
import torch
from torch import nn

from fairseq_samu.modules.decoder_layer import DecoderLayer
from fairseq_samu.modules.named_adapters import AdaptedRows, NamedAdapters


class Scale(nn.Module):
    """Multiplies what goes through it."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def build():
    torch.manual_seed(0)
    layer = DecoderLayer(8, 16, 2).double()
    x, frames = torch.randn(3, 4, 8, dtype=torch.float64), torch.randn(3, 5, 8, dtype=torch.float64)
    return layer, x, layer.encoder_attn.project_frames(frames)


def by_hand(layer, x, keys, values, attention=1.0, ffn=1.0, whole=1.0):
    x = x + attention * layer.self_attn(layer.self_attn_layer_norm(x))
    x = x + layer.encoder_attn(layer.encoder_attn_layer_norm(x), keys, values, None)
    x = x + ffn * layer.fc2(layer.activation(layer.fc1(layer.final_layer_norm(x))))
    return whole * x


@pytest.mark.parametrize("factors", [(1, 1, 1), (0, 1, 1), (1, 0, 1), (3, 2, 5)])
def test_adapters_stand_behind_their_parts(factors):
    layer, x, (keys, values) = build()
    places = ("attention_adapter", "ffn_adapter", "layer_adapter")
    names = set(layer.state_dict())
    for place, factor in zip(places, factors, strict=True):
        setattr(layer, place, Scale(factor))
    assert set(layer.state_dict()) == names
    assert (layer(x, keys, values, None) - by_hand(layer, x, keys, values, *factors)).abs().max() < 1e-12


def test_rows_go_through_their_own():
    layer, x, (keys, values) = build()
    plain = layer(x, keys, values, None)
    layer.layer_adapter = NamedAdapters(8, {"be": 3, "ro": 2}).double()
    for parameter in layer.layer_adapter.parameters():
        nn.init.normal_(parameter)
    rows = AdaptedRows.of(torch.tensor([1, -1, 0]))
    found = layer(x, keys, values, None, None, rows)
    for row, name in enumerate(("ro", None, "be")):
        adapter = layer.layer_adapter.get_submodule(name) if name else nn.Identity()
        assert (found[row] - adapter(plain[row])).abs().max() < 1e-12
    assert torch.equal(layer(x, keys, values, None), plain)
