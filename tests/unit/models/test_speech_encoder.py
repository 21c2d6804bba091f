"""Stages of an encoder: where what is constant ends, and that the parts in front and behind give the whole."""

import pytest
import torch

from fairseq_samu.models.speech_encoder import zero_padding
from tests.unit.models.test_speech_encoders import FAMILIES, padded_batch

LENGTHS = [16_001, 9_000, 4_007]
DRAWS = [{"mask_time_prob": 0.1}, {"mask_channel_prob": 0.1}, {"layerdrop": 0.1}]


def tune(encoder, *groups):
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad = encoder.group_of(name) in groups


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stage", range(4))
def test_the_parts_in_front_and_behind_a_stage_give_the_whole(build_tiny, family, stage):
    encoder = build_tiny(family).double()
    batch, mask = padded_batch(LENGTHS, torch.float64)
    with torch.no_grad():
        whole = encoder(batch, mask, return_layers=True)
        features, padding = encoder.run_to_stage(batch, mask, stage)
        again = encoder.run_from_stage(features, padding, stage, return_layers=stage < encoder.whole_stage)
    assert torch.equal(padding, whole.padding_mask)
    assert not features[padding].any() or stage == 0
    assert (again.frames - whole.frames).abs().max() < 1e-12
    kept = whole.layers[stage:]
    assert len(again.layers) == len(kept)
    assert all((ours - theirs).abs().max() < 1e-12 for ours, theirs in zip(again.layers, kept, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_features_of_one_row_do_not_depend_on_the_batch(build_tiny, family):
    encoder = build_tiny(family).double()
    batch, mask = padded_batch(LENGTHS, torch.float64)
    for stage in range(encoder.whole_stage + 1):
        with torch.no_grad():
            together, padding = encoder.run_to_stage(batch, mask, stage)
            for row, length in enumerate(LENGTHS):
                alone, _ = encoder.run_to_stage(batch[row : row + 1, :length], None, stage)
                frames = int((~padding[row]).sum())
                assert (together[row, :frames] - alone[0]).abs().max() < 1e-9 * alone.abs().max()


@pytest.mark.parametrize("family", FAMILIES)
def test_cached_features_take_the_precision_of_the_weights(build_tiny, family):
    encoder = build_tiny(family).bfloat16()
    features = torch.randn(1, 9, encoder.dim)
    assert encoder.run_from_stage(features, torch.zeros(1, 9, dtype=torch.bool), 1).frames.dtype == torch.bfloat16


@pytest.mark.parametrize("family", FAMILIES)
def test_the_constant_part_ends_where_tuning_begins(build_tiny, family):
    encoder = build_tiny(family)
    groups = encoder.parameter_groups()
    tune(encoder)
    assert encoder.constant_stage() == encoder.first_tuned_stage() == encoder.whole_stage == 3
    expected = {"embedding": 0, "layer.0": 0, "layer.1": 1, "final_norm": 2}
    for group, stage in expected.items():
        if group in groups:
            tune(encoder, group)
            assert encoder.constant_stage() == encoder.first_tuned_stage() == stage
    tune(encoder, "layer.1", "layer.0")
    assert encoder.constant_stage() == 0
    tune(encoder, "feature_extractor", "layer.1")
    assert encoder.first_tuned_stage() == 0
    assert encoder.constant_stage() is None


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("drawn", DRAWS, ids=str)
def test_draws_leave_the_convolutions_alone_constant(build_tiny, family, drawn):
    encoder = build_tiny(family, **drawn)
    tune(encoder)
    assert encoder.constant_stage() == 0
    tune(encoder, "feature_extractor")
    assert encoder.constant_stage() is None


def test_padding_is_set_to_zero():
    x = torch.full((1, 2, 3), float("nan"))
    assert zero_padding(x, torch.tensor([[True, True]])).tolist() == [[[0.0] * 3] * 2]
    assert zero_padding(x, None) is x
