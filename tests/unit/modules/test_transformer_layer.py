import pytest
import torch
from torch import nn

from fairseq_samu.modules.transformer_layer import TransformerLayer, valid_keys
from fairseq_samu.ops.masking import lengths_to_padding_mask


@pytest.mark.parametrize("pre_norm", [True, False])
def test_equals_the_layer_of_torch(pre_norm):
    layer = TransformerLayer(8, 16, 2, pre_norm).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=pre_norm).double()
    attention = layer.self_attn
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    theirs.self_attn.in_proj_weight.data = torch.cat([part.weight for part in parts])
    theirs.self_attn.in_proj_bias.data = torch.cat([part.bias for part in parts])
    theirs.self_attn.out_proj.load_state_dict(attention.out_proj.state_dict())
    pairs = [("linear1", "fc1"), ("linear2", "fc2"), ("norm1", "self_attn_layer_norm"), ("norm2", "final_layer_norm")]
    for target, source in pairs:
        getattr(theirs, target).load_state_dict(getattr(layer, source).state_dict())
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    padding = lengths_to_padding_mask(torch.tensor([5, 3]), 5)
    ours, expected = layer(x, valid_keys(padding)), theirs(x, src_key_padding_mask=padding)
    assert (ours - expected)[~padding].abs().max() < 1e-12
    assert (layer(x) - theirs(x)).abs().max() < 1e-12


def test_adapters_stand_behind_both_parts():
    class Zero(nn.Module):
        def forward(self, x):
            return torch.zeros_like(x)

    layer = TransformerLayer(8, 16, 2, pre_norm=True)
    x = torch.randn(1, 4, 8)
    names = set(layer.state_dict())
    layer.attention_adapter, layer.ffn_adapter = Zero(), Zero()
    assert torch.equal(layer(x), x)
    assert set(layer.state_dict()) == names


@pytest.mark.parametrize("pre_norm", [True, False])
def test_an_adapter_behind_the_layer(pre_norm):
    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

    layer = TransformerLayer(8, 16, 2, pre_norm)
    x = torch.randn(1, 4, 8)
    plain = layer(x)
    layer.layer_adapter = Double()
    assert torch.equal(layer(x), 2 * plain)


def test_dropout_acts_in_training_only():
    layer = TransformerLayer(8, 16, 2, True, dropout=0.5, attention_dropout=0.5, activation_dropout=0.5)
    x = torch.randn(1, 4, 8)
    assert not torch.equal(layer.train()(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


def test_gradients_reach_every_parameter():
    layer = TransformerLayer(8, 16, 2, pre_norm=False)
    layer(torch.randn(2, 4, 8)).square().sum().backward()
    # The bias of the keys moves all scores of a query alike, which softmax does not see.
    assert all(p.grad.abs().max() > 0 for n, p in layer.named_parameters() if n != "self_attn.k_proj.bias")
