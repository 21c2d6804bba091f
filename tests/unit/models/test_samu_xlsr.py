"""The model: its exact size, what is frozen in which option, and that padding does not matter."""

import json

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.samu_xlsr import SamuXlsrConfig, SamuXlsrModel

XLSR_300M = {
    "family": "wav2vec2", "extractor_norm": "layer", "pre_norm": True, "conv_bias": True, "normalize": True,
    "dim": 1024, "ffn_dim": 4096, "num_layers": 24, "num_heads": 16,
}  # fmt: skip
TINY = {
    "family": "wav2vec2", "extractor_norm": "layer", "pre_norm": True, "conv_bias": True, "normalize": True,
    "dim": 32, "ffn_dim": 48, "num_layers": 3, "num_heads": 4, "conv_pos": 16, "conv_pos_groups": 4,
    "conv_layers": [[16, 10, 5], *[[16, 3, 2]] * 4, *[[16, 2, 2]] * 2],
}  # fmt: skip


def build(config=TINY, **options):
    torch.manual_seed(0)
    options = {"embedding_dim": 24, "seed": 3, **options}
    return SamuXlsrModel.build_model(SamuXlsrConfig(encoder_config=json.dumps(config), **options))


def count(parameters):
    return sum(parameter.numel() for parameter in parameters)


def tuned_groups(model):
    states = {name: {p.requires_grad for p in group} for name, group in model.parameter_groups().items()}
    assert all(len(state) == 1 for state in states.values())
    return {name for name, state in states.items() if state == {True}}


def test_size_of_the_paper():
    with FakeTensorMode():
        model = build(XLSR_300M, embedding_dim=768)
    groups = model.parameter_groups()
    assert count(model.parameters()) == 316_226_945
    assert count(model.encoder.parameters()) == 315_438_720
    assert count(groups["head.pooling"]) == 1_025
    assert count(groups["head.projection"]) == 787_200
    assert sum(map(count, groups.values())) == 316_226_945
    frozen = [name for name in groups if name not in tuned_groups(model)]
    assert frozen == ["encoder.feature_extractor"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"embedding", "layer.0", "layer.1", "layer.2", "final_norm"}),
        ({"num_tuned_layers": 0}, set()),
        ({"num_tuned_layers": 1}, {"layer.2", "final_norm"}),
        ({"num_tuned_layers": 2}, {"layer.1", "layer.2", "final_norm"}),
        ({"num_tuned_layers": 9}, {"layer.0", "layer.1", "layer.2", "final_norm"}),
        (
            {"tune_feature_extractor": True},
            {"feature_extractor", "embedding", "layer.0", "layer.1", "layer.2", "final_norm"},
        ),
    ],
    ids=lambda value: " ".join(sorted(map(str, value.items() if isinstance(value, dict) else value))) or "none",
)
def test_what_is_tuned(options, expected):
    model = build(**options)
    found = {name.removeprefix("encoder.") for name in tuned_groups(model) if name.startswith("encoder.")}
    assert found == expected
    assert {"head.pooling", "head.projection"} <= tuned_groups(model)


@pytest.mark.parametrize("options", [{}, {"num_pooling_heads": 4, "frame_perceptron_dim": 20}], ids=str)
def test_padded_batch_equals_single_rows(options):
    model = build(**options).double().eval()
    lengths = [9_000, 16_001, 4_007]
    waves = [torch.randn(length, dtype=torch.float64) for length in lengths]
    source = torch.full((3, max(lengths)), 1e3, dtype=torch.float64)
    for row, wave in enumerate(waves):
        source[row, : len(wave)] = wave
    mask = torch.arange(max(lengths))[None, :] >= torch.tensor(lengths)[:, None]
    with torch.no_grad():
        together = model(source, mask)
        alone = torch.cat([model(wave[None]).embedding for wave in waves])
    assert (together.embedding - alone).abs().max() < 1e-9
    assert together.frames[together.padding_mask].abs().max() == 0


def test_features_stand_for_the_wave():
    model = build(num_tuned_layers=0).eval()
    encoded = model(torch.randn(2, 8_000))
    again = model(features=encoded.frames, padding_mask=encoded.padding_mask)
    assert torch.equal(again.embedding, encoded.embedding)


def test_frozen_encoder_stays_in_evaluation_mode():
    model = build(num_tuned_layers=0, head_dropout=0.5).train()
    assert model.head.training
    assert not any(module.training for module in model.encoder.modules())
    output = model(torch.randn(1, 8_000), row_ids=torch.tensor([0]))
    assert not output.frames.requires_grad
    assert output.embedding.requires_grad


def test_head_only_updates_end():
    model = build(head_only_updates=2)
    for update, rests in enumerate([True, True, False, False]):
        model.set_num_updates(update)
        model.train()
        assert (model.encoder_rests, model.encoder.training) == (rests, not rests)
        assert model(torch.randn(1, 8_000)).frames.requires_grad is not rests


def test_an_encoder_wakes_up_in_the_update_that_tunes_it():
    model = build(head_only_updates=2).train()
    assert not model.encoder.training
    model.set_num_updates(2)  # the host tells it after it has switched to training mode
    assert model.encoder.training


def test_masking_is_drawn_from_seed_update_and_row():
    wave, ids = torch.randn(1, 16_000), torch.tensor([5])

    def embed(seed=3, update=1, rows=ids):
        model = build(seed=seed, mask_time_prob=0.5, mask_time_length=4).train()
        model.set_num_updates(update)
        return model(wave, row_ids=rows).embedding

    assert torch.equal(embed(), embed())
    assert not torch.equal(embed(), embed(seed=4))
    assert not torch.equal(embed(), embed(update=2))
    assert not torch.equal(embed(), embed(rows=torch.tensor([6])))


def test_impossible_options_are_reported_together():
    with pytest.raises(ConfigError) as caught:
        build(embedding_dim=0, num_pooling_heads=0, head_dropout=1.0)
    assert all(name in str(caught.value) for name in ("embedding_dim", "num_pooling_heads", "head_dropout"))
