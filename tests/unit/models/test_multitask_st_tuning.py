"""Multi-task speech translation: what is tuned by which name, what is frozen, and what rests for a while."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq_samu.models._multitask_st_options import GROUPS
from tests.unit.models.conftest import TINY as ENCODERS
from tests.unit.models.test_multitask_st import SOURCE, TARGET, build, reached
from tests.unit.models.test_samu_xlsr import count, tuned_groups
from tests.unit.models.test_samu_xlsr_mbart import waves


def test_all_groups_are_all_parameters():
    model = build(adapter_dim=4, decoder_adapter_dim=4, num_length_adapter_layers=1)
    groups = model.parameter_groups()
    assert set(groups) == set(GROUPS) - {"added_tags"}
    assert sum(map(count, groups.values())) == count(model.parameters())
    assert tuned_groups(model) == set(groups) - {"feature_extractor"}


@pytest.mark.parametrize(
    ("tuned", "expected"),
    [
        ("local_to_global", {"local_to_global"}),
        ("compressor,projection", {"compressor", "projection"}),
        ("text_encoder", {"text_encoder"}),
        ("encoder,cross_attention", {"encoder", "cross_attention"}),
        ("decoder", {"decoder_embedding", "self_attention", "cross_attention", "feed_forward", "layer_norms"}),
        ("", set()),
    ],
)
def test_gradients_reach_exactly_what_is_tuned(tuned, expected):
    model = build(tuned_groups=tuned).train()
    assert tuned_groups(model) == expected
    if not expected:
        return
    source, mask = waves()
    output = model(source, mask, torch.arange(2), prev_output_tokens=TARGET)
    (output.logits().square().sum() + output.ctc_logits.square().sum()).backward()
    assert all(parameter.grad is None for parameter in model.parameters() if not parameter.requires_grad)
    still = {name for name, p in model.named_parameters() if p.requires_grad} - reached(model)
    assert all(name.endswith(("k_proj.bias", "mask_emb")) for name in still), still


@pytest.mark.parametrize(("number", "layers"), [(0, set()), (1, {1}), (2, {0, 1}), (-1, {0, 1})])
def test_last_layers_of_the_acoustic_encoder(number, layers):
    model = build(num_tuned_layers=number)
    tuned = {name for name, p in model.encoder.named_parameters() if p.requires_grad}
    found = {model.encoder.group_of(name) for name in tuned}
    norm = {"final_norm"} if layers else set()
    assert found == {f"layer.{index}" for index in layers} | norm | ({"embedding"} if number < 0 else set())
    assert all(p.requires_grad for p in model.text_encoder.parameters())


def test_a_number_of_tuned_layers_leaves_adapters_to_their_group():
    model = build(num_tuned_layers=0, adapter_dim=4, adapter_placement="one")
    tuned = {name for name, p in model.encoder.named_parameters() if p.requires_grad}
    assert len(tuned) == 8 and all(".layer_adapter." in name for name in tuned)


def test_what_is_frozen_is_in_evaluation_mode_and_gives_the_same():
    dropout = {**ENCODERS["xlsr"], "dropout": 0.5}
    options = {"text_dropout": 0.5, "compressor_dropout": 0.5}
    model = build(dropout, tuned_groups="cross_attention", **options).train()
    assert model.training
    assert not any(part.training for part in (*model.encoder.modules(), *model.text_encoder.modules()))
    assert not any(part.training for part in (model.projection, *model.compressor.modules()))
    layer = model.decoder.layers[0]
    assert layer.encoder_attn.training and not layer.self_attn.training
    source, mask = waves()
    trained = model(source, mask, torch.arange(2)).states
    assert torch.equal(trained, model.eval()(source, mask).states)
    assert not any(part.training for part in model.modules())


def test_statistics_of_a_frozen_batch_norm_stay():
    model = build(l2g_norm="batch", tuned_groups="decoder").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if "running" in name}
    model(source_tokens=SOURCE, prev_output_tokens=TARGET)
    assert len(before) == 4
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_resting_acoustic_encoder():
    model = build({**ENCODERS["xlsr"], "dropout": 0.5}, encoder_freeze_updates=3, mask_time_prob=0.5).train()
    source, mask = waves()
    for update in (0, 2, 3):
        model.zero_grad()
        model.set_num_updates(update)
        model.train()
        first, second = (model(source, mask, torch.arange(2)).ctc_logits for _ in range(2))
        second.square().sum().backward()
        rests = update < 3
        assert torch.equal(first, second) == rests
        assert any(name.startswith("encoder.") for name in reached(model)) == (not rests)
        assert "projection.weight" in reached(model)
        assert model.encoder.transformer_layers()[0].training == (not rests)


def test_probes_are_tuned_output_projections():
    model = build(num_tuned_layers=1)
    probes = model.probed_parameters()
    assert {module: [index for index, _ in found] for module, found in probes.items()} == {
        "acoustic_encoder": [1],
        "textual_encoder": [0, 1],
        "decoder": [0, 1],
    }
    assert probes["textual_encoder"][1][1] is model.text_encoder.layers[1].self_attn.out_proj.weight
    assert probes["decoder"][0][1] is model.decoder.layers[0].self_attn.out_proj.weight
    frozen = build(tuned_groups="projection,text_encoder").probed_parameters()
    assert {module: len(found) for module, found in frozen.items()} == {
        "acoustic_encoder": 0,
        "textual_encoder": 2,
        "decoder": 0,
    }
