"""The model of two heads: its exact size, what rests in which option, layers that are tagged, padding."""

import json

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.samu_slu import SamuSluConfig, SamuSluModel
from tests.unit.models.conftest import TINY
from tests.unit.models.test_samu_xlsr import XLSR_300M, count, tuned_groups

SMALL = {"lstm_dim": 6, "num_lstm_layers": 2, "slu_hidden_dim": 8, "num_labels": 11}
FEATURES = ["last", "1", "2", "weighted"]
FAMILIES = ["xlsr", "hubert", "whisper"]
HEAD = {"head.pooling", "head.projection"}
TAGGING = {"slu_head.lstm", "slu_head.hidden", "slu_head.output"}


def build(family="xlsr", **options):
    torch.manual_seed(0)
    weights = {"slu_weight": 1.0, "semantic_weight": 1.0}
    options = {"embedding_dim": 24, "seed": 3, **SMALL, **weights, **options}
    return SamuSluModel.build_model(SamuSluConfig(encoder_config=json.dumps(TINY[family]), **options))


def make_batch(lengths=(9_000, 16_001, 4_007)):
    torch.manual_seed(1)
    waves = [torch.randn(length, dtype=torch.float64) for length in lengths]
    source = torch.full((len(lengths), max(lengths)), 1e3, dtype=torch.float64)
    for row, wave in enumerate(waves):
        source[row, : len(wave)] = wave
    return source, torch.arange(max(lengths))[None, :] >= torch.tensor(lengths)[:, None], waves


@pytest.mark.parametrize("labels", [66, 162])
def test_size_of_the_paper(labels):
    """385.6M in all, as the paper counts, of which the convolutions' 4.2M rest."""
    sizes = {"lstm_dim": 1024, "num_lstm_layers": 3, "slu_hidden_dim": 1024, "num_labels": labels}
    weights = {"embedding_dim": 768, "slu_weight": 1.0, "semantic_weight": 1.0}
    with FakeTensorMode():
        model = SamuSluModel.build_model(SamuSluConfig(encoder_config=json.dumps(XLSR_300M), **sizes, **weights))
    groups = model.parameter_groups()
    lstm, hidden, output = 67_158_016, 2048 * 1024 + 1024, 1024 * labels + labels
    found = [count(groups[f"slu_head.{part}"]) for part in ("lstm", "hidden", "output")]
    assert found == [lstm, hidden, output]
    whole = 316_226_945 + lstm + hidden + output
    assert count(model.parameters()) == sum(map(count, groups.values())) == whole
    moving = count(p for p in model.parameters() if p.requires_grad)
    assert moving == whole - 4_210_176
    assert (385.5e6 < whole < 385.7e6) and (381.3e6 <= moving < 381.5e6)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_equals_single_rows(family, features):
    model = build(family, slu_features=features).double().eval()
    source, mask, waves = make_batch()
    with torch.no_grad():
        together = model(source, mask)
        for row, wave in enumerate(waves):
            alone = model(wave[None])
            frames = alone.ctc_logits.size(1)
            assert int((~together.padding_mask[row]).sum()) == frames
            assert (together.ctc_logits[row, :frames] - alone.ctc_logits[0]).abs().max() < 1e-9
            assert (together.embedding[row] - alone.embedding[0]).abs().max() < 1e-9
    assert together.ctc_logits.shape == (3, together.frames.size(1), 11)


@pytest.mark.parametrize(
    ("options", "encoder", "heads"),
    [
        ({}, True, HEAD | TAGGING),
        ({"slu_weight": 0.0}, True, HEAD),
        ({"semantic_weight": 0.0}, True, TAGGING),
        ({"slu_features": "weighted"}, True, HEAD | TAGGING | {"slu_head.layer_mixture"}),
        ({"slu_features": "weighted", "slu_weight": 0.0}, True, HEAD),
        ({"num_tuned_layers": 0}, False, HEAD | TAGGING),
    ],
    ids=["both", "distilled", "tagged", "weighted", "weighted-distilled", "frozen"],
)
def test_gradients_reach_exactly_what_is_tuned(options, encoder, heads):
    model = build(**options).train()
    tuned = tuned_groups(model)
    assert {name for name in tuned if not name.startswith("encoder.")} == heads
    assert any(name.startswith("encoder.") for name in tuned) is encoder
    output = model(*(part.float() if part.is_floating_point() else part for part in make_batch()[:2]))
    terms = [] if model.embedding_rests else [output.embedding.square().sum()]
    terms += [] if model.slu_rests else [output.ctc_logits.square().sum()]
    sum(terms).backward()
    # a bias that shifts all of a query's scores alike gets no gradient; masks are not drawn here
    silent = ("k_proj.bias", "mask_emb", "pooling.attention.bias", "pooling.scores.bias")
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        flat = name.endswith(silent) or name.startswith("head.pooling") or not parameter.requires_grad
        assert reached == parameter.requires_grad or flat, name
        assert not reached or parameter.requires_grad, name


@pytest.mark.parametrize(("features", "tuned"), [("last", "01n"), ("2", "01"), ("1", "0"), ("weighted", "01")], ids=str)
@pytest.mark.parametrize("family", ["xlsr", "whisper"])
def test_layers_behind_those_that_are_tagged_are_frozen_where_nothing_else_is_learnt(family, features, tuned):
    names = {"0": "encoder.layer.0", "1": "encoder.layer.1", "n": "encoder.final_norm"}
    for semantic_weight in (0.0, 1.0):
        model = build(family, slu_features=features, semantic_weight=semantic_weight).train()
        expected = {names[key] for key in (tuned if not semantic_weight else "01n")}
        assert {name for name in tuned_groups(model) if name in names.values()} == expected
    alone = build(family, slu_features=features, semantic_weight=0.0).train()
    alone(torch.randn(1, 8_000)).ctc_logits.square().sum().backward()
    groups = alone.parameter_groups()
    for name in names.values():
        assert any(p.grad is not None and bool(p.grad.any()) for p in groups[name]) is (name in tuned_groups(alone))


def test_an_encoder_of_which_only_unread_layers_would_be_tuned_is_frozen():
    model = build(slu_features="1", num_tuned_layers=1, semantic_weight=0.0)
    assert model.encoder_rests
    assert model.feature_stage == 1


@pytest.mark.parametrize(
    ("options", "resting"), [({"slu_weight": 0.0}, "slu_head"), ({"semantic_weight": 0.0}, "head")]
)
def test_a_head_that_rests_stays_in_evaluation_mode_and_its_dropout_is_not_drawn(options, resting):
    model = build(head_dropout=0.5, slu_dropout=0.5, **options).train()
    other = {"head": "slu_head", "slu_head": "head"}[resting]
    assert not any(module.training for module in getattr(model, resting).modules())
    assert all(module.training for module in getattr(model, other).modules())
    model.eval()
    assert not any(module.training for module in model.modules())


def test_a_resting_tagging_head_is_not_run_in_training():
    model = build(slu_weight=0.0)
    wave = torch.randn(1, 8_000)
    assert model.train()(wave).ctc_logits is None
    assert model.eval()(wave).ctc_logits is not None


def test_a_resting_sentence_head_is_still_heard_but_teaches_nobody():
    output = build(semantic_weight=0.0).train()(torch.randn(1, 8_000))
    assert not output.embedding.requires_grad
    assert output.ctc_logits.requires_grad


@pytest.mark.parametrize("family", FAMILIES)
def test_which_layers_are_tagged(family):
    wave = torch.randn(2, 8_000)
    mask = torch.zeros(2, 25, dtype=torch.bool)
    for features in FEATURES:
        model = build(family, slu_features=features).eval()
        encoded = model.encoder(wave, return_layers=True)
        expected = {"last": encoded.frames, "1": encoded.layers[1], "2": encoded.layers[2]}
        expected["weighted"] = (encoded.layers[1] + encoded.layers[2]) / 2
        with torch.no_grad():
            logits = model.slu_head(expected[features], mask[:, : encoded.frames.size(1)])
            assert torch.allclose(model(wave).ctc_logits, logits, atol=1e-5), features


@pytest.mark.parametrize(
    ("tuned", "features", "stage"),
    [
        (0, "last", 3),
        (0, "2", 2),
        (0, "1", 1),
        (0, "weighted", 0),
        (1, "last", 1),
        (1, "2", 1),
        (1, "1", 1),
        (1, "weighted", 0),
        (2, "last", 0),
        (-1, "last", 0),
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_features_computed_before_stand_for_the_wave(family, tuned, features, stage):
    model = build(family, slu_features=features, num_tuned_layers=tuned).double().eval()
    assert model.feature_stage == stage
    source, mask, _ = make_batch()
    with torch.no_grad():
        expected = model(source, mask)
        computed, padding = model.encoder.run_to_stage(source, mask, stage)
        again = model(features=computed, padding_mask=padding)
    assert (again.embedding - expected.embedding).abs().max() < 1e-9
    valid = ~expected.padding_mask
    assert (again.ctc_logits - expected.ctc_logits)[valid].abs().max() < 1e-9


def test_a_checkpoints_model_is_whole():
    """Weights of a criterion that was left out stand for their interpolation: nothing rests."""
    cfg = SamuSluConfig(encoder_config=json.dumps(TINY["xlsr"]), embedding_dim=24, seed=3, **SMALL)
    model = SamuSluModel.build_model(cfg)
    assert not model.slu_rests and not model.embedding_rests


def test_state_round_trip():
    model = build(slu_features="weighted").eval()
    other = build(slu_features="weighted").eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    other.load_state_dict(model.state_dict())
    wave = torch.randn(1, 8_000)
    assert torch.equal(model(wave).ctc_logits, other(wave).ctc_logits)
    assert torch.equal(model(wave).embedding, other(wave).embedding)


def test_impossible_options_are_reported_together():
    wrong = {"lstm_dim": 0, "num_lstm_layers": 0, "slu_hidden_dim": -1, "num_labels": 1, "slu_dropout": 1.0}
    with pytest.raises(ConfigError) as caught:
        build(embedding_dim=0, slu_features="\u00b2", **wrong)
    assert all(f"`{name}` must be" in str(caught.value) for name in (*wrong, "embedding_dim", "slu_features"))


@pytest.mark.parametrize("layer", ["0", "3"])
def test_a_layer_that_there_is_not_is_named(layer):
    with pytest.raises(ConfigError) as caught:
        build(slu_features=layer)
    assert f"is '{layer}' instead. Set --slu-features to 1 ... 2" in str(caught.value)
