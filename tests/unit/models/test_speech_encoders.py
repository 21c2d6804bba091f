"""What every family must do alike."""

import json
from itertools import pairwise

import pytest
import torch

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.models.training_draws import TrainingDraws

FAMILIES = ["whisper", "xlsr", "hubert"]
WHISPER = {"family": "whisper", "dim": 32, "ffn_dim": 8, "num_layers": 2, "num_heads": 4}
# The last ones are shorter than a frame, and empty.
LENGTHS = [16_001, 9_000, 4_007, 401, 300, 0]


def padded_batch(lengths, dtype, padding_value=7.0):
    generator = torch.Generator().manual_seed(1)
    batch = torch.full((len(lengths), max(lengths)), padding_value, dtype=dtype)
    mask = torch.ones(batch.shape, dtype=torch.bool)
    for row, length in enumerate(lengths):
        batch[row, :length] = torch.randn(length, generator=generator, dtype=torch.float64).to(dtype) * 0.1**row
        mask[row, :length] = False
    return batch, mask


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_from_frame_to_frame(build_tiny, family):
    encoder = build_tiny(family)
    step = encoder.samples_per_frame
    counts = encoder.count_frames(torch.tensor([30_000, 30_000 + step, 30_000 + 50 * step]))
    assert (counts - counts[0]).tolist() == [0, 1, 50]
    assert step == 320


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_a_padded_batch_equals_single_rows(build_tiny, family, dtype, tolerance):
    encoder = build_tiny(family).to(dtype)
    batch, mask = padded_batch(LENGTHS, dtype)
    with torch.no_grad():
        together = encoder(batch, mask, return_layers=True)
        for row, length in enumerate(LENGTHS[:-1]):
            alone = encoder(batch[row : row + 1, :length], return_layers=True)
            frames = alone.frames.size(1)
            assert (~together.padding_mask[row]).sum() == frames == encoder.count_frames(torch.tensor([length]))
            pairs = [(together.frames, alone.frames), *zip(together.layers, alone.layers, strict=True)]
            for ours, single in pairs:
                assert (ours[row, :frames] - single[0]).abs().max() <= tolerance * single.abs().max()
                assert not ours[row, frames:].any()
    assert together.frames.isfinite().all()


@pytest.mark.parametrize("family", FAMILIES)
def test_what_stands_in_the_padding_does_not_matter(build_tiny, family):
    encoder = build_tiny(family)
    with torch.no_grad():
        results = [encoder(*padded_batch(LENGTHS, torch.float32, value)).frames for value in (0.0, -3.0, torch.nan)]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_a_padded_batch_are_finite_and_skip_the_padding(build_tiny, family):
    encoder = build_tiny(family).train()
    batch, mask = padded_batch(LENGTHS[:3], torch.float32)
    batch.requires_grad_()
    encoder(batch, mask).frames.square().sum().backward()
    assert not batch.grad[mask].any()
    assert batch.grad.isfinite().all()
    unused = {name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(name == "mask_emb" or name.endswith("k_proj.bias") for name in unused)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_lead_from_the_embedding_to_the_frames(build_tiny, family):
    encoder = build_tiny(family)
    result = encoder(torch.randn(1, 8000), return_layers=True)
    assert len(result.layers) == encoder.num_layers + 1
    x = result.layers[0]
    for layer, states in zip(encoder.transformer_layers(), result.layers[1:], strict=True):
        x = layer(x)
        assert torch.equal(x, states)
    assert encoder(torch.randn(1, 8000)).layers == []


@pytest.mark.parametrize("family", FAMILIES)
def test_groups_hold_every_parameter_once_in_order(build_tiny, family):
    encoder = build_tiny(family)
    groups = encoder.parameter_groups()
    listed = [name for names in groups.values() for name in names]
    assert sorted(listed) == sorted(name for name, _ in encoder.named_parameters())
    expected = ["feature_extractor", "embedding", "layer.0", "layer.1", "final_norm"]
    absent = {"whisper": "embedding", "hubert": "final_norm"}.get(family)
    assert list(groups) == [name for name in expected if name != absent]


@pytest.mark.parametrize("family", FAMILIES)
def test_config_and_state_rebuild_the_encoder(build_tiny, family):
    encoder = build_tiny(family)
    again = build_speech_encoder(json.loads(json.dumps(encoder.config()))).eval()
    again.load_state_dict(encoder.state_dict())
    wave = torch.randn(1, 5000)
    assert torch.equal(encoder(wave).frames, again(wave).frames)
    assert again.config() == encoder.config()


@pytest.mark.parametrize("family", FAMILIES)
def test_masking_follows_seed_update_and_row_whatever_the_batch(build_tiny, family):
    encoder = build_tiny(family, mask_time_prob=0.3, mask_time_length=4, mask_channel_prob=0.3, mask_channel_length=4)
    encoder = encoder.double().train()
    batch, mask = padded_batch([12_000, 8_000], torch.float64)

    def run(update, rows, source=batch, padding=mask):
        return encoder(source, padding, TrainingDraws(1, update, torch.tensor(rows))).frames

    first = run(3, [10, 11])
    assert torch.equal(first, run(3, [10, 11]))
    assert not torch.equal(first[0], run(4, [10, 11])[0])
    assert not torch.equal(first[0], run(3, [12, 11])[0])
    alone = run(3, [11], batch[1:, :8_000], None)
    assert (first[1, : alone.size(1)] - alone[0]).abs().max() < 1e-9
    unmasked = encoder(batch, mask).frames
    assert not torch.equal(first, unmasked)


@pytest.mark.parametrize("family", FAMILIES)
def test_layerdrop_is_drawn_by_update_and_alike_for_all_rows(build_tiny, family):
    encoder = build_tiny(family, layerdrop=0.5, num_layers=4).train()
    wave = torch.randn(1, 4000)

    def skipped(update, row):
        result = encoder(wave, None, TrainingDraws(1, update, torch.tensor([row])), return_layers=True)
        return [torch.equal(a, b) for a, b in pairwise(result.layers)]

    draws = [skipped(update, 0) for update in range(40)]
    assert draws == [skipped(update, 5) for update in range(40)]
    assert 0.35 < sum(map(sum, draws)) / 160 < 0.65
    kept = encoder(wave, return_layers=True).layers  # no draws, no layerdrop
    assert not any(torch.equal(a, b) for a, b in pairwise(kept))


@pytest.mark.parametrize("family", FAMILIES)
def test_recomputed_activations_give_the_same_gradients(build_tiny, family):
    wave = torch.randn(2, 4000)
    gradients = []
    for checkpoint in (False, True):
        encoder = build_tiny(family, checkpoint_activations=checkpoint).train()
        encoder(wave).frames.square().sum().backward()
        gradients.append([p.grad for p in encoder.parameters() if p.grad is not None])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


@pytest.mark.parametrize("family", FAMILIES)
def test_low_precision_runs_and_stays_near(build_tiny, family):
    encoder = build_tiny(family)
    batch, mask = padded_batch(LENGTHS[:3], torch.float32)
    with torch.no_grad():
        exact = encoder(batch, mask).frames
        with torch.autocast("cpu", torch.bfloat16):
            automatic = encoder(batch, mask).frames
        cast = encoder.bfloat16()(batch.bfloat16(), mask).frames
    assert cast.dtype == torch.bfloat16
    for result in (automatic, cast):
        assert (result.float() - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_every_fault_of_a_config_is_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        build_speech_encoder({**WHISPER, "ffn_dim": 0, "dropout": 2})
    assert "`ffn_dim` must be a positive number" in str(caught.value)
    assert "`dropout` must be in [0, 1]" in str(caught.value)
    with pytest.raises(ConfigError, match=r"`depth` is not a setting[\s\S]*`num_heads` is missing"):
        build_speech_encoder({"family": "whisper", "dim": 32, "ffn_dim": 1, "num_layers": 2, "depth": 4})
    with pytest.raises(ConfigError, match="whisper or wav2vec2"):
        build_speech_encoder({"family": "conformer"})
    with pytest.raises(ConfigError, match="divisor of dim = 30"):
        build_speech_encoder({**WHISPER, "dim": 30})
