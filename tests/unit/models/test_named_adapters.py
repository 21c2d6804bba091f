"""Adapters by name inside of both translation models: every row as by its own adapter alone, the rest untouched."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="the models stand on the host")

from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.models.adapter_options import ADAPTER_MARK, name_adapter
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.tuning import describe_groups
from fairseq_samu.modules.adapter import Adapter
from tests.unit.models import test_multitask_st, test_samu_xlsr_mbart
from tests.unit.models.conftest import TINY as ENCODERS
from tests.unit.models.test_samu_xlsr import XLSR_300M, count, tuned_groups
from tests.unit.models.test_samu_xlsr_mbart import waves

NAMES = ["be", "ro", "ca"]
LISTED = ",".join(NAMES)
LENGTHS = (9000, 5200, 7000)
TOKENS = torch.tensor([[2, 45, 7, 8, 9], [2, 46, 11, 2, 1], [2, 45, 3, 1, 1]])
ROUTES = {"source_adapters": torch.tensor([0, 1, -1]), "target_adapters": torch.tensor([1, 1, 0])}
BUILDERS = {"samu_xlsr_mbart": test_samu_xlsr_mbart.build, "multitask_st": test_multitask_st.build}
SIZES = {"adapter_dim": 8, "decoder_adapter_dim": 6}
PLACEMENTS = ("two", "one")


@pytest.fixture(params=BUILDERS)
def build(request):
    """Builder of either model with adapters as after training, by default named ones."""

    def make(names=LISTED, **options):
        model = BUILDERS[request.param](**{**SIZES, "adapter_names": names, **options})
        torch.manual_seed(5)
        for part in model.modules():
            if isinstance(part, Adapter):
                torch.nn.init.normal_(part.up.weight, std=0.3)
        torch.nn.init.normal_(model.decoder.embed_tokens.weight, std=0.5)
        return model.double().eval()

    return make


def single(build, model, source, target, **options):
    """The model with nameless adapters of the weights that the named ones of a row have, or zero."""
    alone = build(names="", **options)
    state = model.state_dict()
    chosen = {"encoder": source, "decoder": target}
    own = {name: tensor for name, tensor in state.items() if ADAPTER_MARK not in name}
    for name, tensor in alone.state_dict().items():
        if ADAPTER_MARK in name:
            number = chosen[name.partition(".")[0]]
            named = name.replace(ADAPTER_MARK, f"{ADAPTER_MARK}{NAMES[number]}.")
            own[name] = torch.zeros_like(tensor) if number < 0 else state[named]
    alone.load_state_dict(own)
    return alone


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_each_row_is_as_in_the_model_with_its_adapters_alone(build, placement):
    model = build(adapter_placement=placement)
    source, mask = waves(LENGTHS, dtype=torch.float64)
    with torch.no_grad():
        both = model(source, mask, prev_output_tokens=TOKENS, **ROUTES).logits()
        for row, length in enumerate(LENGTHS):
            numbers = [int(ROUTES[side][row]) for side in ("source_adapters", "target_adapters")]
            alone = single(build, model, *numbers, adapter_placement=placement)
            valid = int((TOKENS[row] != 1).sum())
            wave, text = source[row : row + 1, :length], TOKENS[row : row + 1, :valid]
            expected = alone(wave, None, prev_output_tokens=text).logits()[0]
            assert (both[row, :valid] - expected).abs().max() < 1e-9


def test_without_routes_rows_are_as_without_adapters(build):
    model = build()
    source, mask = waves(LENGTHS, dtype=torch.float64)
    with torch.no_grad():
        expected = single(build, model, -1, -1)(source, mask, prev_output_tokens=TOKENS).logits()
        found = model(source, mask, prev_output_tokens=TOKENS).logits()
        routed = model(source, mask, prev_output_tokens=TOKENS, **ROUTES).logits()
    assert (found - expected).abs().max() < 1e-9
    assert (routed - expected).abs().amax(dim=(1, 2)).min() > 1e-3


@pytest.mark.parametrize("beam", [1, 4])
def test_a_search_over_several_languages(build, beam):
    """Rows finish at different times, so that the search drops and reorders them."""
    dictionary = Dictionary()
    for number in range(46):
        dictionary.add_symbol(f"piece{number}")
    model = build()
    source, mask = waves(LENGTHS, dtype=torch.float64)
    tags = torch.tensor([[45], [46], [45]])

    def search(searched, rows, routes):
        view = BeamSearchView(searched)
        generator = SequenceGenerator([view], dictionary, beam_size=beam, max_len_b=9, len_penalty=0.0)
        sample = {"net_input": {"source": source[rows], "padding_mask": mask[rows], **routes}}
        found = generator.generate([view], sample, prefix_tokens=tags[rows])
        return [[(one["tokens"].tolist(), round(float(one["score"]), 4)) for one in best] for best in found]

    together = search(model, [0, 1, 2], ROUTES)
    for row in range(3):
        numbers = [int(ROUTES[side][row]) for side in ("source_adapters", "target_adapters")]
        assert together[row] == search(single(build, model, *numbers), [row], {})[0]
    assert together != search(model, [0, 1, 2], {})


@pytest.mark.parametrize("tuned", ["encoder_adapters", "decoder_adapters", "encoder_adapters,decoder_adapters"])
def test_training_one_adapter_leaves_the_rest_bit_identical(build, tuned):
    model = build(tuned_groups=tuned, tuned_adapters="ro").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1)
    source, mask = waves(LENGTHS, dtype=torch.float64)
    for _ in range(3):
        optimizer.zero_grad()
        output = model(source, mask, torch.arange(3), prev_output_tokens=TOKENS, **ROUTES)
        output.logits().log_softmax(-1).square().mean().backward()
        optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    parts = {group.removesuffix("_adapters") for group in tuned.split(",")}
    expected = {
        name for name in before
        if ADAPTER_MARK in name and name_adapter(name) == "ro" and name.partition(".")[0] in parts
    }  # fmt: skip
    assert moved == expected


def test_what_is_frozen_is_in_evaluation_mode(build):
    model = build(tuned_groups="encoder_adapters,cross_attention", tuned_adapters="ro").train()
    layer, decoder = model.encoder.transformer_layers()[0], model.decoder.layers[0]
    modes = {name: layer.attention_adapter.get_submodule(name).training for name in NAMES}
    assert modes == {"be": False, "ro": True, "ca": False}
    assert layer.attention_adapter.get_submodule("ro").down.training
    assert not layer.training and not layer.fc1.training
    assert not any(part.training for part in decoder.ffn_adapter.modules())
    assert decoder.encoder_attn.training
    assert not any(part.training for part in model.eval().modules())


def test_groups_and_their_table(build):
    model = build(tuned_groups="encoder_adapters,layer_norms", tuned_adapters="be,ca")
    assert model.adapter_names == NAMES
    assert tuned_groups(model) == {"encoder_adapters.be", "encoder_adapters.ca", "layer_norms"}
    groups = model.parameter_groups()
    assert sum(map(count, groups.values())) == count(model.parameters())
    lines = {line.split()[0]: line.split()[-1] for line in describe_groups(groups).splitlines()}
    assert (lines["encoder_adapters.be"], lines["encoder_adapters.ro"]) == ("tuned", "frozen")
    assert [lines[f"decoder_adapters.{name}"] for name in NAMES] == ["frozen"] * 3
    order = list(groups)
    assert order[order.index("encoder") :][1:4] == [f"encoder_adapters.{name}" for name in NAMES]


def test_recomputed_activations_give_the_same_gradients(build):
    source, mask = waves(LENGTHS, dtype=torch.float64)

    def gradients(**options):
        model = build(tuned_groups="encoder_adapters", **options).train()
        output = model(source, mask, torch.arange(3), prev_output_tokens=TOKENS, **ROUTES)
        output.logits().square().sum().backward()
        return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}

    plain, recomputed = gradients(), gradients(checkpoint_activations=True)
    assert plain.keys() == recomputed.keys() and {name_adapter(name) for name in plain} == {"be", "ro"}
    assert all(torch.allclose(recomputed[name], plain[name], rtol=1e-9, atol=1e-12) for name in plain)


def test_what_is_cached_does_not_depend_on_the_adapter(build):
    frozen = build(tuned_groups="cross_attention")
    assert build(names="", tuned_groups="cross_attention").feature_stage == frozen.encoder.whole_stage
    assert frozen.feature_stage == 0
    for place in ("attention_adapter", "ffn_adapter"):
        setattr(frozen.encoder.transformer_layers()[0], place, torch.nn.Identity())
    assert frozen.feature_stage == 1
    source, mask = waves(LENGTHS, dtype=torch.float64)
    with torch.no_grad():
        features, padding = frozen.encoder.run_to_stage(source, mask, 1)
        cached = frozen(features=features, padding_mask=padding, prev_output_tokens=TOKENS, **ROUTES).logits()
        expected = frozen(source, mask, prev_output_tokens=TOKENS, **ROUTES).logits()
    assert (cached - expected).abs().max() < 1e-9


def test_texts_go_through_the_adapters_of_their_target():
    model = test_multitask_st.build(decoder_adapter_dim=6, adapter_names="be,ro", without_speech=True).double().eval()
    assert model.adapter_names == ["be", "ro"] and model.encoder is None
    for part in model.modules():
        if isinstance(part, Adapter):
            torch.nn.init.normal_(part.up.weight, std=0.3)
    texts = {"source_tokens": test_multitask_st.SOURCE, "prev_output_tokens": test_multitask_st.TARGET}
    with torch.no_grad():
        by_route = {
            routes: model(**texts, target_adapters=torch.tensor(routes)).logits()
            for routes in ((0, 0), (1, 1), (0, 1), (-1, -1))
        }
        assert torch.equal(model(**texts).logits(), by_route[-1, -1])
    for row, route in enumerate((0, 1)):
        assert torch.allclose(by_route[0, 1][row], by_route[route, route][row], rtol=1e-9, atol=1e-12)
        assert not torch.allclose(by_route[0, 1][row], by_route[-1, -1][row])


@pytest.mark.parametrize(("family", "layer"), [("whisper", 0), ("hubert", 1)])
def test_every_encoder_has_the_places(family, layer):
    model = test_samu_xlsr_mbart.build(ENCODERS[family], adapter_names="be,ro", adapter_placement="one")
    place = model.encoder.transformer_layers()[layer].layer_adapter
    assert place.names == ("be", "ro")
    source, mask = waves(LENGTHS[:2])
    frames = [model.eval()(source, mask, source_adapters=torch.tensor(routes)).frames for routes in ([0, 1], [1, 1])]
    assert not torch.allclose(frames[0][0], frames[1][0])
    assert torch.allclose(frames[0][1], frames[1][1], atol=1e-5)


@pytest.mark.parametrize(("width", "parameters"), [(256, 6_306_816), (2048, 50_368_512)])
def test_sizes_of_the_paper(width, parameters):
    """6.3M and 50.3M: 12 layers of 1024, one adapter a layer; twice as many at XLS-R's 24 layers."""
    options = {"adapter_dim": width, "decoder_adapter_dim": width, "adapter_placement": "one"}

    def sizes(layers, **more):
        with FakeTensorMode():
            encoder = {**XLSR_300M, "num_layers": layers}
            model = test_samu_xlsr_mbart.build(encoder, {"dim": 1024}, 1000, **options, **more)
        return {group: count(members) for group, members in model.parameter_groups().items() if "adapters" in group}

    assert sizes(12) == {"encoder_adapters": parameters, "decoder_adapters": parameters}
    groups = [f"{part}_adapters.{name}" for part in ("encoder", "decoder") for name in ("be", "ro")]
    assert sizes(12, adapter_names="be,ro") == dict.fromkeys(groups, parameters)
    assert sizes(24)["encoder_adapters"] == 2 * parameters
