"""Multi-task speech translation: exact size, padding on both paths, what is shared, tuned and at rest."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq.data import Dictionary

from fairseq_samu.errors import ConfigError
from fairseq_samu.models._multitask_st_options import MultitaskStConfig
from fairseq_samu.models.multitask_st import MultitaskStModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.models.conftest import TINY as ENCODERS
from tests.unit.models.test_samu_xlsr import count
from tests.unit.models.test_samu_xlsr_mbart import waves

HUBERT_BASE = {"family": "wav2vec2", "dim": 768, "ffn_dim": 3072, "num_layers": 12, "num_heads": 12}
TEXT = {"dim": 24, "ffn_dim": 40, "num_layers": 2, "decoder_layers": 2, "num_heads": 4, "max_positions": 30}
VOCABULARY = 50
LENGTHS = (9000, 5200)
TARGET = torch.tensor([[2, 45, 7, 8, 9], [2, 46, 11, 2, 1]])
SOURCE = torch.tensor([[7, 8, 30, 31, 9, 12], [40, 7, 1, 1, 1, 1]])


def build(encoder="xlsr", text=TEXT, vocabulary_size=VOCABULARY, **options):
    torch.manual_seed(0)
    sizes = ENCODERS[encoder] if isinstance(encoder, str) else encoder
    options = {"seed": 3, "text_dropout": 0.0, "compressor_dropout": 0.0, "compressor_heads": 4, **options}
    options = {"compressor_ffn_dim": 40, "l2g_kernel": 3, "l2g_step": 2, **options}
    speech = {} if options.get("without_speech") else {"encoder_config": json.dumps(sizes)}
    cfg = MultitaskStConfig(text_config=json.dumps(text), **speech, **options)
    model = MultitaskStModel(cfg, build_configured_encoder(cfg) if speech else None, vocabulary_size)
    return vary_labels(model) if speech else model


def vary_labels(model):
    """Make CTC labels of the two rows change from frame to frame, but not always."""
    torch.nn.init.normal_(model.projection.weight, std=0.5)
    return model


def parameters_of(part):
    return {name for name, _ in part.named_parameters()}


def reached(model):
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 1e-9}


def test_size_of_the_paper():
    paper = {"compressor_heads": 8, "compressor_ffn_dim": 2048, "l2g_kernel": 5, "l2g_step": 3}
    with FakeTensorMode():
        model = build(HUBERT_BASE, {}, 10_000, **paper)
    groups = {name: count(group) for name, group in model.parameter_groups().items()}
    square, narrow = 512 * 512, 512
    attention, network = 4 * (square + narrow), 2 * 512 * 2048 + 2048 + narrow
    extractor = 2 * square + 2 * narrow + square + narrow + 4 * narrow  # two pointwise layers and two norms
    assert count(model.encoder.parameters()) == 94_371_712
    assert groups["projection"] == 768 * 512 + 512
    assert groups["compressor"] == attention + network + 3 * 2 * narrow
    assert groups["local_to_global"] == 6 * extractor + 512 * (5 + 9 + 11 + 15 + 17 + 21)
    assert groups["text_encoder"] == 6 * (attention + network + 4 * narrow) + 2 * narrow
    assert groups["decoder_embedding"] == 512 * 10_000 + 512 * 1026
    assert groups["self_attention"] == groups["cross_attention"] == 6 * attention
    assert groups["feed_forward"] == 6 * network
    assert groups["layer_norms"] == (6 * 3 + 2) * 2 * narrow
    assert count(model.parameters()) == sum(groups.values()) == 152_485_760


def test_the_host_builds_it():
    dictionary = Dictionary()
    sizes = {"encoder_config": json.dumps(ENCODERS["xlsr"]), "text_config": json.dumps(TEXT)}
    cfg = MultitaskStConfig(**sizes, compressor_heads=4, seed=1)
    model = MultitaskStModel.build_model(cfg, SimpleNamespace(target_dictionary=dictionary))
    assert model.decoder.embed_tokens.weight.shape == (len(dictionary), 24)
    assert (model.pad, model.blank) == (1, 0)


# ---- padding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lookback", ["segment", "global", "none"])
@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("encoder", ["xlsr", "hubert"])
def test_padded_speech_equals_alone(encoder, norm, lookback):
    model = build(encoder, compressor_lookback=lookback, l2g_norm=norm).double().eval()
    source, mask = waves(LENGTHS, torch.float64)
    both = model(source, mask, prev_output_tokens=TARGET)
    sizes = [(~both.padding_mask).sum(dim=1), (~both.state_mask).sum(dim=1)]
    assert (sizes[1] < sizes[0]).any() and (sizes[1] > 1).all(), "nothing or all is compressed"
    for row, length in enumerate(LENGTHS):
        valid = int((TARGET[row] != 1).sum())
        alone = model(source[row : row + 1, :length], None, prev_output_tokens=TARGET[row : row + 1, :valid])
        assert (both.logits()[row, :valid] - alone.logits()[0]).abs().max() < 1e-9
        for name, mask_name in (("ctc_logits", "padding_mask"), ("compressed", "state_mask"), ("states", "state_mask")):
            is_valid = ~getattr(both, mask_name)[row]
            assert (getattr(both, name)[row, is_valid] - getattr(alone, name)[0]).abs().max() < 1e-9, name
    assert not both.states[both.state_mask].any()


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_padded_text_equals_alone(norm):
    model = build(l2g_norm=norm).double().eval()
    both = model(source_tokens=SOURCE, prev_output_tokens=TARGET)
    assert both.ctc_logits is None and both.padding_mask is None
    assert torch.equal(both.state_mask, SOURCE == 1)
    for row, length in enumerate((6, 2)):
        valid = int((TARGET[row] != 1).sum())
        tokens = {"source_tokens": SOURCE[row : row + 1, :length], "prev_output_tokens": TARGET[row : row + 1, :valid]}
        alone = model(**tokens)
        assert (both.logits()[row, :valid] - alone.logits()[0]).abs().max() < 1e-9
        assert (both.states[row, :length] - alone.states[0]).abs().max() < 1e-9
        assert (both.compressed[row, :length] - alone.compressed[0]).abs().max() < 1e-9


def test_a_search_sees_what_the_forward_sees():
    model = build().double().eval()
    source, mask = waves(LENGTHS, torch.float64)
    for inputs in ({"source": source, "padding_mask": mask}, {"source_tokens": SOURCE}):
        encoded = model.encode_utterances(**inputs)
        hidden = model.decoder(TARGET, encoded)
        assert (hidden - model(**inputs, prev_output_tokens=TARGET).hidden).abs().max() < 1e-12


# ---- parts ---------------------------------------------------------------------------------------------------------


def test_head_and_output_are_the_embedding():
    model = build().double().eval()
    source, mask = waves(LENGTHS, torch.float64)
    output = model(source, mask, prev_output_tokens=TARGET)
    weight = model.decoder.embed_tokens.weight
    assert output.output_weight is weight
    assert (output.ctc_logits - model.projection(model.encode(source, mask).frames) @ weight.t()).abs().max() < 1e-9
    assert (output.logits() - output.hidden @ weight.t()).abs().max() < 1e-9


def test_speech_and_text_go_through_the_same_encoder():
    model = build().double().eval()
    source, mask = waves(LENGTHS, torch.float64)
    speech = model(source, mask)
    assert (model.text_encoder(speech.compressed, speech.state_mask) - speech.states).abs().max() < 1e-12
    text = model.encode_text(SOURCE)
    embedded = model.decoder.embed_tokens.weight[SOURCE] * model.decoder.scale
    assert (text.compressed - embedded).abs().max() < 1e-12
    assert (model.text_encoder(embedded, SOURCE == 1) - text.states).abs().max() < 1e-12


def test_gradients_of_both_paths_meet_in_text_encoder_and_decoder():
    source, mask = waves()
    found = []
    for inputs in ({"source": source, "padding_mask": mask}, {"source_tokens": SOURCE}):
        model = build().train()
        model(**inputs, prev_output_tokens=TARGET).logits().square().sum().backward()
        found.append(reached(model))
    speech, text = found
    shared = {name for name in text if name.startswith(("text_encoder.", "decoder."))}
    assert text == shared
    assert shared <= speech | {"decoder.embed_tokens.weight"}
    heard = {name.split(".")[0] for name in speech - text}
    assert heard == {"encoder", "projection", "compressor"}


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("path", ["speech", "text"])
def test_extractors_are_live_on_both_paths(path, norm):
    model = build(l2g_norm=norm).train()
    source, mask = waves()
    inputs = {"source": source, "padding_mask": mask} if path == "speech" else {"source_tokens": SOURCE}
    added = []
    for extractor in model.text_encoder.extractors:
        extractor.register_forward_hook(lambda _, args, result: added.append((result - args[0], args[1])))
    output = model(**inputs, prev_output_tokens=TARGET)
    output.logits().square().sum().backward()
    assert len(added) == 2
    for change, padding in added:
        assert padding is not None
        assert change[~padding].abs().amax(dim=1).min() > 1e-3
    for name, parameter in model.text_encoder.extractors.named_parameters():
        assert parameter.grad.abs().max() > 1e-7, name


def test_without_extractors_and_compressor():
    model = build(l2g_kernel=0, compressor="off").eval()
    source, mask = waves()
    output = model(source, mask)
    assert {"local_to_global", "compressor"}.isdisjoint(model.parameter_groups())
    assert torch.equal(output.state_mask, output.padding_mask)


def test_nothing_is_compressed_before_its_update():
    model = build(compressor_start_update=5).eval()
    source, mask = waves()
    lengths = []
    for update in (0, 4, 5, 6):
        model.set_num_updates(update)
        model.compressor.set_num_updates(update)
        output = model(source, mask)
        lengths.append(output.states.size(1))
    frames = output.ctc_logits.size(1)
    assert lengths[:2] == [frames, frames]
    assert lengths[2] == lengths[3] < frames
    model.compressor.set_num_updates(4)
    state = model.state_dict()
    twin = build(compressor_start_update=5).eval()
    twin.load_state_dict(state)
    assert twin(source, mask).states.size(1) == frames


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_every_family_runs_forward_and_backward(encoder):
    model = build(encoder).train()
    source, mask = waves((9000, 5600))
    output = model(source, mask, torch.arange(2), prev_output_tokens=TARGET)
    (output.logits().square().mean() + output.ctc_logits.square().mean() + output.states.square().mean()).backward()
    tuned = dict(model.named_parameters())
    missing = {name for name, p in tuned.items() if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())}
    # what stands for masked frames is used by masking alone
    assert missing <= {"encoder.mask_emb"}
    zero = {name for name, p in tuned.items() if p.grad is not None and not p.grad.any()}
    assert all(name.endswith(("k_proj.bias", "embed_positions.weight")) for name in zero), zero


# ---- state, features, faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("without_speech", [False, True])
def test_state_goes_round(without_speech):
    options = {"without_speech": without_speech, "l2g_norm": "batch"}
    model = build(**options).train()
    model(source_tokens=SOURCE)  # moves running statistics
    twin = build(**options)
    torch.nn.init.zeros_(twin.decoder.embed_tokens.weight)
    twin.load_state_dict(model.state_dict())
    expected = model.eval()(source_tokens=SOURCE, prev_output_tokens=TARGET).logits()
    assert torch.equal(twin.eval()(source_tokens=SOURCE, prev_output_tokens=TARGET).logits(), expected)
    assert without_speech != model.has_ctc


def test_text_parts_of_a_text_model_are_those_of_a_speech_model():
    text, whole = build(without_speech=True), build()
    assert parameters_of(text) < parameters_of(whole)
    missing = whole.load_state_dict(text.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert {name.split(".")[0] for name in missing.missing_keys} == {"encoder", "projection", "compressor"}
    text, whole = text.double().eval(), whole.double().eval()
    tokens = {"source_tokens": SOURCE, "prev_output_tokens": TARGET}
    assert (text(**tokens).logits() - whole(**tokens).logits()).abs().max() < 1e-12


def test_cached_features_give_the_same():
    model = build().eval()
    source, mask = waves()
    features, padding = model.encoder.run_to_stage(source, mask, 0)
    from_cache = model(features=features, padding_mask=padding, prev_output_tokens=TARGET)
    assert torch.equal(from_cache.logits(), model(source, mask, prev_output_tokens=TARGET).logits())


def test_all_faulty_options_at_once():
    with pytest.raises(ConfigError) as caught:
        build(text_dropout=1.5, l2g_kernel=-1, num_tuned_layers=-2, tuned_groups="nothing", compressor_heads=0)
    for name in ("text_dropout", "l2g_kernel", "num_tuned_layers", "tuned_groups", "compressor_heads"):
        assert f"`{name}` must be" in str(caught.value)


def test_logits_need_the_decoder():
    with pytest.raises(ConfigError, match="prev_output_tokens"):
        build().eval()(source_tokens=SOURCE).logits()


def test_an_acoustic_encoder_that_is_not_there_has_no_adapters():
    with pytest.raises(ConfigError, match="`adapter_dim` must be 0 without an acoustic encoder, but is '4'"):
        build(without_speech=True, adapter_dim=4)
