"""SeamlessM4T's length adapter: the same numbers as transformers', padding that changes nothing, and its start."""

import math

import pytest
import torch
import torch.nn.functional as F

from fairseq_samu.modules.conformer_length_adapter import ConformerLengthAdapter
from fairseq_samu.ops.masking import lengths_to_padding_mask

D, FFN, HEADS = 12, 20, 3
NAMES = {
    "residual_norm": "residual_layer_norm",
    "residual_conv": "residual_conv",
    "attention_norm": "self_attn_layer_norm",
    "attention_conv": "self_attn_conv",
    "self_attn.q_proj": "self_attn.linear_q",
    "self_attn.k_proj": "self_attn.linear_k",
    "self_attn.v_proj": "self_attn.linear_v",
    "self_attn.out_proj": "self_attn.linear_out",
    "ffn_norm": "ffn_layer_norm",
    "ffn.fc1": "ffn.intermediate_dense",
    "ffn.fc2": "ffn.output_dense",
}
"""Our names of a layer's parts, and those of transformers."""


def build(num_layers=1, stride=8, dropout=0.0, random=True):
    torch.manual_seed(0)
    adapter = ConformerLengthAdapter(D, FFN, HEADS, num_layers, stride, dropout).double().eval()
    if random:  # as it starts, half of it is zero
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.normal_(std=0.3)
    return adapter


def peer_of(adapter, num_layers):
    """What stands behind the layers of transformers' speech encoder, with the weights of ours."""
    from transformers import SeamlessM4TConfig
    from transformers.models.seamless_m4t import modeling_seamless_m4t as peer

    config = SeamlessM4TConfig(
        hidden_size=D,
        speech_encoder_intermediate_size=FFN,
        speech_encoder_attention_heads=HEADS,
        num_adapter_layers=num_layers,
        attn_implementation="eager",
    )
    inner = peer.SeamlessM4TConformerFeedForward(config, act_fn="relu", dropout=0.0)
    layers = peer.SeamlessM4TConformerAdapter(config)
    state = adapter.state_dict()
    tail = torch.nn.ModuleDict({"inner": inner, "layers": layers, "norm": torch.nn.LayerNorm(D)}).double().eval()
    for part in ("weight", "bias"):
        renamed = {f"inner.intermediate_dense.{part}": state.pop(f"ffn.fc1.{part}")}
        renamed |= {f"inner.output_dense.{part}": state.pop(f"ffn.fc2.{part}")}
        renamed |= {f"norm.{part}": state.pop(f"layer_norm.{part}")}
        for layer in range(num_layers):
            for ours, theirs in NAMES.items():
                renamed[f"layers.layers.{layer}.{theirs}.{part}"] = state.pop(f"layers.{layer}.{ours}.{part}")
        tail.load_state_dict(renamed, strict=False)
        missing = {name for name, _ in tail.named_parameters() if name.endswith(part)} - renamed.keys()
        assert not missing
    assert not state, "every weight of ours has a counterpart"

    def run(frames):
        frames = frames + 0.5 * tail["inner"](frames)
        return tail["norm"](tail["layers"](frames, None))

    return run


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("length", [1, 7, 8, 31, 64])
def test_it_computes_what_transformers_computes(num_layers, length):
    adapter = build(num_layers)
    frames = torch.randn(2, length, D, dtype=torch.float64)
    found, mask = adapter(frames, torch.zeros(2, length, dtype=torch.bool))
    assert not mask.any()
    torch.testing.assert_close(found, peer_of(adapter, num_layers)(frames), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("num_layers", "stride"), [(1, 8), (2, 8), (2, 2)])
def test_a_padded_batch_gives_what_each_row_gives_alone(num_layers, stride):
    adapter = build(num_layers, stride)
    lengths = [17, 1, 8, 9, 40]
    rows = [torch.randn(length, D, dtype=torch.float64) for length in lengths]
    # what stands at padding must not matter, NaN included
    batch = torch.full((len(rows), max(lengths) + 11, D), math.nan, dtype=torch.float64)
    for row, frames in enumerate(rows):
        batch[row, : len(frames)] = frames
    mask = lengths_to_padding_mask(torch.tensor(lengths), batch.size(1))
    shortened, short_mask = adapter(batch, mask)
    counts = adapter.count_frames(torch.tensor(lengths))
    assert (~short_mask).sum(dim=1).tolist() == counts.tolist()
    assert shortened.masked_select(short_mask[:, :, None]).abs().sum() == 0
    for row, frames in enumerate(rows):
        alone, alone_mask = adapter(frames[None], torch.zeros(1, len(frames), dtype=torch.bool))
        assert not alone_mask.any()
        assert alone.size(1) == counts[row]
        torch.testing.assert_close(shortened[row, : counts[row]], alone[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("num_layers", "stride", "expected"), [(1, 8, [1, 1, 2, 2, 3]), (2, 8, [1, 1, 1, 1, 1]), (1, 2, [1, 4, 5, 5, 9])]
)
def test_frames_left_of_a_row(num_layers, stride, expected):
    assert build(num_layers, stride).count_frames(torch.tensor([1, 7, 8, 9, 16])).tolist() == expected


def test_a_new_one_hands_out_the_mean_of_each_window_of_normalised_frames():
    adapter = build(random=False)
    frames = torch.randn(1, 21, D, dtype=torch.float64)
    found, _ = adapter(frames, torch.zeros(1, 21, dtype=torch.bool))
    normed = F.layer_norm(frames[0], (D,))
    windows = [normed[0:4], normed[4:12], normed[12:20]]
    for place, window in enumerate(windows):
        expected = F.layer_norm(window.sum(dim=0) / 8, (D,))
        torch.testing.assert_close(found[0, place], expected, rtol=0, atol=1e-9)
    assert found.size(1) == 3


def test_a_new_one_learns_with_all_of_its_parts_after_one_step():
    adapter = build(random=False)
    frames = torch.randn(2, 30, D, dtype=torch.float64)
    mask = lengths_to_padding_mask(torch.tensor([30, 11]), 30)
    optimizer = torch.optim.SGD(adapter.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        adapter(frames, mask)[0].pow(3).sum().backward()
        optimizer.step()
    # a key's bias shifts all scores of a query alike
    reached = {name for name, parameter in adapter.named_parameters() if parameter.grad.abs().sum() > 1e-12}
    assert {name for name, _ in adapter.named_parameters()} - reached == {"layers.0.self_attn.k_proj.bias"}


def test_gradients_reach_no_padding_whatever_stands_there():
    adapter = build()
    frames = torch.randn(2, 20, D, dtype=torch.float64)
    frames[1, 15:] = math.nan
    frames.requires_grad_(True)
    adapter(frames, lengths_to_padding_mask(torch.tensor([20, 15]), 20))[0].square().sum().backward()
    assert frames.grad[1, 15:].abs().sum() == 0
    # of 15 frames the windows cover 4 and 8, as the published model's do
    assert frames.grad[1, 12:15].abs().sum() == 0
    assert frames.grad[1, :12].abs().sum(dim=1).min() > 0
    assert frames.grad.isfinite().all()


def test_dropout_acts_in_training_alone():
    adapter = build(dropout=0.5)
    frames, mask = torch.randn(1, 24, D, dtype=torch.float64), torch.zeros(1, 24, dtype=torch.bool)
    assert torch.equal(adapter(frames, mask)[0], adapter(frames, mask)[0])
    adapter.train()
    assert not torch.equal(adapter(frames, mask)[0], adapter(frames, mask)[0])


def test_it_has_the_parameters_of_the_published_model():
    """A thousand features, 4096 inside: two convolutions of 8 frames, two feed-forward networks, one attention."""
    with torch.device("meta"):
        adapter = ConformerLengthAdapter(1024, 4096, 16)
    convolutions = 2 * (8 * 1024 * 2048 + 2048)
    networks = 2 * (2 * 1024 * 4096 + 4096 + 1024)
    attention, norms = 4 * (1024 * 1024 + 1024), 4 * 2 * 1024
    assert sum(parameter.numel() for parameter in adapter.parameters()) == convolutions + networks + attention + norms


def test_half_precision_stays_half_and_near():
    adapter = build().float()
    frames, mask = torch.randn(2, 24, D), lengths_to_padding_mask(torch.tensor([24, 9]), 24)
    expected, short_mask = adapter(frames, mask)
    found, half_mask = adapter.bfloat16()(frames.bfloat16(), mask)
    assert found.dtype == torch.bfloat16 and torch.equal(half_mask, short_mask)
    assert (found.float() - expected).abs().max() < 0.05 * expected.abs().max()
