"""The translation model: its exact size, what is tuned by which name, and that padding does not matter."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq.data import Dictionary

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.samu_xlsr_mbart import GROUPS, SamuXlsrMbartConfig, SamuXlsrMbartModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from fairseq_samu.modules.adapter import Adapter
from tests.unit.models.test_samu_xlsr import TINY, XLSR_300M, count, tuned_groups

DECODER = {"dim": 24, "ffn_dim": 40, "num_layers": 2, "num_heads": 4, "max_positions": 30}
VOCABULARY = 50
PAPER = {"encoder_adapters": 25_227_264, "cross_attention": 50_380_800, "layer_norms": 77_824}


def build(encoder=TINY, decoder=DECODER, vocabulary_size=VOCABULARY, **options):
    torch.manual_seed(0)
    options = {"seed": 3, "adapter_dim": 8, "decoder_dropout": 0.0, **options}
    cfg = SamuXlsrMbartConfig(encoder_config=json.dumps(encoder), decoder_config=json.dumps(decoder), **options)
    model = SamuXlsrMbartModel(cfg, build_configured_encoder(cfg), vocabulary_size)
    for part in model.modules():
        if isinstance(part, Adapter):
            torch.nn.init.normal_(part.up.weight, std=0.1)  # as after some training
    return model


def waves(lengths=(9000, 5200), dtype=torch.float32):
    torch.manual_seed(1)
    source = torch.zeros(len(lengths), max(lengths), dtype=dtype)
    mask = torch.ones(len(lengths), max(lengths), dtype=torch.bool)
    for row, length in enumerate(lengths):
        source[row, :length] = torch.randn(length, dtype=dtype) * 0.1
        mask[row, :length] = False
    return source, mask


TOKENS = torch.tensor([[2, 45, 7, 8, 9], [2, 46, 11, 2, 1]])


def test_size_of_the_paper():
    with FakeTensorMode():
        model = build(XLSR_300M, {"dim": 1024}, 250_054, adapter_dim=256)
    groups = model.parameter_groups()
    assert count(model.parameters()) == sum(map(count, groups.values())) == 799_336_064
    assert count(model.decoder.parameters()) == 458_670_080
    assert {name: count(groups[name]) for name in tuned_groups(model)} == PAPER
    assert sum(PAPER.values()) == 75_685_888


def test_the_host_builds_it():
    dictionary = Dictionary()
    cfg = SamuXlsrMbartConfig(encoder_config=json.dumps(TINY), decoder_config=json.dumps(DECODER), seed=1)
    model = SamuXlsrMbartModel.build_model(cfg, SimpleNamespace(target_dictionary=dictionary))
    assert model.decoder.embed_tokens.weight.shape == (len(dictionary), 24)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"encoder_adapters", "bridge", "cross_attention", "layer_norms"}),
        ({"tuned_groups": "encoder"}, {"encoder"}),
        ({"tuned_groups": ""}, set()),
        (
            {"tuned_groups": "encoder, decoder", "adapter_dim": 0},
            {"encoder", "decoder_embedding", "self_attention", "cross_attention", "feed_forward", "layer_norms"},
        ),
        ({"num_length_adapter_layers": 1, "tuned_groups": "length_adapter"}, {"length_adapter"}),
        ({"ctc_head": True, "without_decoder": True, "tuned_groups": "ctc_head,encoder"}, {"ctc_head", "encoder"}),
    ],
    ids=["default", "encoder", "nothing", "full", "length adapter", "ctc"],
)
def test_what_is_tuned(options, expected):
    model = build(**options)
    assert tuned_groups(model) == expected
    assert sum(map(count, model.parameter_groups().values())) == count(model.parameters())


def test_all_groups_together_are_all_parameters():
    model = build(
        tuned_groups="all",
        decoder_adapter_dim=4,
        num_length_adapter_layers=1,
        ctc_head=True,
        compressor="first",
        decoder={**DECODER, "num_added_tags": 2},
    )
    assert set(model.parameter_groups()) == set(GROUPS)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_gradients_reach_exactly_what_is_tuned():
    model = build().train()
    source, mask = waves()
    model(source, mask, torch.arange(2), prev_output_tokens=TOKENS).logits().sum().backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}
    # the bias of keys moves all scores of a query alike, so that its gradient is zero
    still = {name for name in dict(model.tuned_parameters()) if name not in reached}
    assert {name.rpartition("encoder_attn.")[2] for name in still} <= {"k_proj.bias"}
    assert reached <= set(dict(model.tuned_parameters()))


def test_what_is_frozen_is_in_evaluation_mode():
    model = build(encoder={**TINY, "dropout": 0.5}, decoder_dropout=0.5).train()
    layer = model.encoder.transformer_layers()[0]
    assert not layer.training and layer.attention_adapter.training and not model.encoder.training
    decoder = model.decoder.layers[0]
    assert decoder.training and decoder.encoder_attn.training and not decoder.self_attn.training
    assert not any(part.training for part in model.eval().modules())


def test_without_masking_a_frozen_encoder_gives_the_same_in_training():
    model = build(tuned_groups="cross_attention", encoder={**TINY, "dropout": 0.5}).train()
    source, mask = waves()
    trained = model(source, mask, torch.arange(2)).frames
    assert torch.equal(trained, model.eval()(source, mask).frames)


def test_masking_is_drawn_from_the_update_and_the_row():
    model = build(mask_time_prob=0.5, mask_time_length=2, mask_channel_prob=0.3, mask_channel_length=4).train()
    source, mask = waves()

    def frames(update, rows=(0, 1)):
        model.set_num_updates(update)
        return model(source, mask, torch.tensor(rows)).frames

    assert torch.equal(frames(1), frames(1))
    assert not torch.equal(frames(1), frames(2))
    assert torch.equal(frames(1)[0], frames(1, rows=(0, 7))[0])


@pytest.mark.parametrize("layers", [0, 2])
def test_padded_equals_alone(layers):
    model = build(num_length_adapter_layers=layers, ctc_head=True).double().eval()
    source, mask = waves(dtype=torch.float64)
    both = model(source, mask, prev_output_tokens=TOKENS)
    for row, length in enumerate((9000, 5200)):
        valid = int((TOKENS[row] != 1).sum())
        alone = model(source[row : row + 1, :length], None, prev_output_tokens=TOKENS[row : row + 1, :valid])
        assert (both.logits()[row, :valid] - alone.logits()[0]).abs().max() < 1e-9
        frames = alone.frames.size(1)
        assert (both.ctc_logits[row, :frames] - alone.ctc_logits[0]).abs().max() < 1e-9


def test_cached_features_give_the_same():
    model = build().eval()
    source, mask = waves()
    features, padding = model.encoder.run_to_stage(source, mask, 0)
    assert model.feature_stage == 0
    from_cache = model(features=features, padding_mask=padding, prev_output_tokens=TOKENS).logits()
    assert torch.equal(from_cache, model(source, mask, prev_output_tokens=TOKENS).logits())
    frozen = build(tuned_groups="cross_attention").eval()
    assert frozen.feature_stage == frozen.encoder.whole_stage
    whole = frozen(source, mask, prev_output_tokens=TOKENS)
    again = frozen(features=whole.frames, padding_mask=whole.padding_mask, prev_output_tokens=TOKENS)
    assert torch.equal(again.logits(), whole.logits())


def test_drawn_masks_forbid_a_cache_of_whole_frames():
    assert build(tuned_groups="cross_attention", mask_time_prob=0.1).feature_stage == 0


def test_trimmed_vocabulary_keeps_the_logits():
    model = build(decoder={**DECODER, "num_added_tags": 2}, ctc_head=True).eval()
    torch.nn.init.normal_(model.decoder.added_tags)
    source, mask = waves()
    kept = torch.tensor([0, 1, 2, 3, 7, 8, 9, 11, 45, 48])
    numbers = {int(old): new for new, old in enumerate(kept)}
    tokens = torch.tensor([[2, 48, 7, 8, 9], [2, 45, 11, 2, 1]])
    before = model(source, mask, prev_output_tokens=tokens)
    model.trim_vocabulary(kept)
    renumbered = torch.tensor([[numbers[int(token)] for token in row] for row in tokens])
    after = model(source, mask, prev_output_tokens=renumbered)
    assert model.decoder.config.num_added_tags == 1
    assert torch.allclose(after.logits(), before.logits()[..., kept], atol=1e-6)
    assert torch.allclose(after.ctc_logits, before.ctc_logits[..., kept], atol=1e-6)


def test_an_added_tag_learns_while_the_embedding_is_frozen():
    model = build(decoder={**DECODER, "num_added_tags": 1}).train()
    source, mask = waves()
    tokens = torch.tensor([[2, 49, 7], [2, 45, 7]])
    model(source, mask, prev_output_tokens=tokens).logits().square().sum().backward()
    assert model.decoder.embed_tokens.weight.grad is None
    assert bool(model.decoder.added_tags.grad.any())


def test_bad_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        sizes = {"adapter_dim": -1, "decoder_adapter_dim": 4}
        build(tuned_groups="encoder,nothing", without_decoder=True, decoder_dropout=2, **sizes)
    for name in ("tuned_groups", "adapter_dim", "decoder_adapter_dim", "ctc_head", "decoder_dropout"):
        assert f"`{name}` must be" in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "named"),
    [({"dim": 0}, "dim"), ({"num_heads": 5}, "num_heads"), ({"activation": "tanh"}, "activation"), ({"x": 1}, "x")],
    ids=["dim", "heads", "activation", "unknown"],
)
def test_bad_sizes_of_the_decoder(sizes, named):
    with pytest.raises(ConfigError, match=f"`{named}` must be"):
        build(decoder={**DECODER, **sizes})


def test_a_text_that_is_too_long():
    model = build().eval()
    source, mask = waves()
    with pytest.raises(ConfigError, match="at most 30 tokens long, but is '31'"):
        model(source, mask, prev_output_tokens=torch.full((2, 31), 7))


def test_logits_need_the_decoder():
    source, mask = waves()
    with pytest.raises(ConfigError, match="prev_output_tokens"):
        build().eval()(source, mask).logits()
