"""The length adapter in both models: options, place, padding, tuning, and its start behind a model without one."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the options are the host's dataclasses")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.length_adapter_options import (
    LengthAdapterOptions,
    build_length_adapter,
    find_length_adapter_faults,
)
from fairseq_samu.modules.conformer_length_adapter import ConformerLengthAdapter
from fairseq_samu.modules.length_adapter import LengthAdapter
from tests.unit.models import test_multitask_st as multitask_st
from tests.unit.models import test_samu_xlsr_mbart as samu_xlsr_mbart
from tests.unit.models.test_samu_xlsr import count
from tests.unit.models.test_samu_xlsr_mbart import waves

LENGTHS = (9000, 5200)
TARGET = torch.tensor([[2, 45, 7, 8, 9], [2, 46, 11, 2, 1]])
SEVERAL = {"num_length_adapter_layers": 1, "length_adapter_kind": "conformer", "length_adapter_heads": 4}
BUILDERS = {"multitask_st": multitask_st.build, "samu_xlsr_mbart": samu_xlsr_mbart.build}


def build(architecture, randomly=False, **options):
    if architecture == "multitask_st":
        options = {"compressor": "off", **options}
    model = BUILDERS[architecture](**{**SEVERAL, "length_adapter_dropout": 0.0, **options})
    if randomly:  # as it starts, half of it is zero
        with torch.no_grad():
            for parameter in model.length_adapter.parameters():
                parameter.normal_(std=0.3)
    return model


def test_nothing_is_built_by_default():
    assert build_length_adapter(LengthAdapterOptions(), 32) is None


def test_options_reach_the_module():
    plain = build_length_adapter(LengthAdapterOptions(num_length_adapter_layers=2), 32)
    assert isinstance(plain, LengthAdapter) and len(plain.layers) == 2
    options = {"length_adapter_stride": 4, "length_adapter_ffn_dim": 20, "length_adapter_dropout": 0.3}
    built = build_length_adapter(LengthAdapterOptions(**SEVERAL, **options), 32)
    assert isinstance(built, ConformerLengthAdapter) and len(built.layers) == 1
    layer = built.layers[0]
    assert (layer.stride, layer.residual_conv.stride, layer.self_attn.num_heads) == (4, (4,), 4)
    assert (layer.dropout, layer.ffn.dropout, built.ffn.dropout) == (0.3, 0.3, 0.0)
    assert built.ffn.fc1.out_features == layer.ffn.fc1.out_features == 20
    assert build_length_adapter(LengthAdapterOptions(**SEVERAL), 32).ffn.fc1.out_features == 128


def test_faults_come_together():
    options = LengthAdapterOptions(
        num_length_adapter_layers=-1,
        length_adapter_kind="magic",
        length_adapter_stride=3,
        length_adapter_heads=0,
        length_adapter_ffn_dim=-1,
        length_adapter_dropout=1.0,
    )
    faults = "\n".join(find_length_adapter_faults(options, "some_model"))
    assert not find_length_adapter_faults(LengthAdapterOptions(), "some_model")
    names = [name for name in vars(options) if "length_adapter" in name]
    assert len(names) == 6
    for name in names:
        assert f"some_model: `{name}` must be" in faults
        assert f"Set --{name.replace('_', '-')}." in faults


@pytest.mark.parametrize("architecture", BUILDERS)
def test_each_model_reports_them(architecture):
    with pytest.raises(ConfigError, match=f"{architecture}: `length_adapter_stride` must be positive and even"):
        build(architecture, length_adapter_stride=5)


def test_heads_must_divide_the_features():
    with pytest.raises(ConfigError, match="`length_adapter_heads` must be a divisor of the 24 features"):
        build_length_adapter(LengthAdapterOptions(**SEVERAL | {"length_adapter_heads": 5}), 24)


@pytest.mark.parametrize("architecture", BUILDERS)
def test_padded_equals_alone(architecture):
    model = build(architecture, randomly=True).double().eval()
    source, mask = waves(LENGTHS, torch.float64)
    both = model(source, mask, prev_output_tokens=TARGET).logits()
    for row, length in enumerate(LENGTHS):
        valid = int((TARGET[row] != 1).sum())
        alone = model(source[row : row + 1, :length], None, prev_output_tokens=TARGET[row : row + 1, :valid])
        assert (both[row, :valid] - alone.logits()[0]).abs().max() < 1e-9


@pytest.mark.parametrize("kind", ["convolution", "conformer"])
def test_the_textual_encoder_sees_shortened_frames_and_text_goes_past(kind):
    model = build("multitask_st", length_adapter_kind=kind, compressor="first").double().eval()
    source, mask = waves(LENGTHS, torch.float64)
    frames, padding = model.encode(source, mask).frames, model.encode(source, mask).padding_mask
    projected = model.projection(frames)
    compressed = model.compressor(projected, projected @ model.decoder.embed_tokens.weight.t(), padding)
    shortened, short_mask = model.length_adapter(compressed.frames, compressed.padding_mask)
    output = model(source, mask)
    assert 0 < shortened.size(1) < compressed.frames.size(1)
    torch.testing.assert_close(output.compressed, shortened)
    assert torch.equal(output.state_mask, short_mask)
    torch.testing.assert_close(output.states, model.text_encoder(shortened, short_mask))
    before = model(source_tokens=multitask_st.SOURCE).states
    torch.nn.init.normal_(next(model.length_adapter.parameters()))
    assert torch.equal(model(source_tokens=multitask_st.SOURCE).states, before)


@pytest.mark.parametrize("architecture", BUILDERS)
def test_it_is_a_group_of_its_own_and_alone_moves(architecture):
    model = build(architecture, randomly=True, tuned_groups="length_adapter").double().train()
    groups = model.parameter_groups()
    assert count(groups["length_adapter"]) == count(model.length_adapter.parameters())
    tuned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert tuned == {f"length_adapter.{name}" for name, _ in model.length_adapter.named_parameters()}
    assert model.length_adapter.layers[0].training and not model.decoder.layers[0].training
    source, mask = waves(LENGTHS, torch.float64)
    model(source, mask, torch.arange(2), prev_output_tokens=TARGET).logits().square().sum().backward()
    still = [n for n, p in model.length_adapter.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-9]
    assert still == ["layers.0.self_attn.k_proj.bias"]  # shifts all scores of a query alike


def test_a_translator_of_texts_has_none():
    model = build("multitask_st", without_speech=True)
    assert model.length_adapter is None and "length_adapter" not in model.parameter_groups()


def test_in_its_first_update_the_decoder_finds_the_means_of_frames():
    """Frames in runs of eight that are alike: what the decoder attends to is each run's frame, normalised."""
    model = build("samu_xlsr_mbart").double().eval()
    runs = torch.randn(2, 5, model.encoder.dim, dtype=torch.float64)
    frames = runs.repeat_interleave(8, dim=1)[:, 4:]
    attended = model.project_frames(frames, torch.zeros(frames.shape[:2], dtype=torch.bool))
    normed = torch.nn.functional.layer_norm(runs, runs.shape[-1:])
    expected = model.decoder.project_frames(model.bridge(normed), torch.zeros(2, 5, dtype=torch.bool))
    assert len(attended.layers) == len(model.decoder.layers)
    for found, wanted in zip(attended.layers, expected.layers, strict=True):
        torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=1e-4)  # keys
