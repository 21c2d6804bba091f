"""Adapters taken out of one model and put into another: what goes in is what came out, or nothing goes in."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fairseq_samu.checkpoints.adapter_arithmetic import average_adapters, compose_adapters
from fairseq_samu.checkpoints.adapter_files import read_adapter, write_adapter
from fairseq_samu.checkpoints.trained_translator import read_trained_translator
from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.inference.adapter_merging import export_adapters, insert_adapters
from fairseq_samu.inference.translator_building import build_translator
from tests.unit.tiny_translator import make_translator

ADAPTERS = {"adapter_dim": 8, "decoder_adapter_dim": 4, "tuned_groups": "encoder_adapters,decoder_adapters"}


def make_trained(folder: Path, names: str, seed: int, **options):
    """A model of named adapters that training has moved, on the base that all models of this file have."""
    made = make_translator(folder, adapter_names=names, **{**ADAPTERS, **options})
    give_base(made.model)
    made.train(seed)
    return made, read_trained_translator(made.save(folder / f"{names or 'nameless'}-{seed}.pt"))


def give_base(model) -> None:
    """The same weights for all but adapters, which are drawn in another order with more adapters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "_adapter." not in name:
                spread = 0.1 if parameter.dim() > 1 else 0.02
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) * spread + (name.endswith("norm.weight"))
                )


@pytest.fixture
def base(tmp_path):
    made = make_translator(tmp_path, adapter_dim=0, tuned_groups="layer_norms")
    give_base(made.model)
    return made, read_trained_translator(made.save(tmp_path / "base.pt"))


def run(model, name=None):
    """Decoder states of a model for noise and tokens, through one of its adapters."""
    wave = torch.randn(2, 8000, generator=torch.Generator().manual_seed(3)) * 0.1
    tokens = torch.tensor([[2, 7, 5, 9], [2, 8, 6, 4]])
    number = None if name is None else torch.full((2,), model.adapter_names.index(name))
    with torch.no_grad():
        return model(wave, prev_output_tokens=tokens, source_adapters=number, target_adapters=number).hidden


def exported(loaded, folder, **options):
    """Adapters of a model after a way through files."""
    found = {}
    for adapter in export_adapters(loaded, [], **options):
        path = folder / f"{adapter.name}.safetensors"
        write_adapter(path, adapter)
        found[str(path)] = read_adapter(path)
    return found


@pytest.mark.parametrize("placement", ["two", "one"])
def test_adapters_of_two_trainings_in_one_model(base, tmp_path, placement):
    made, loaded = base
    be, be_file = make_trained(tmp_path, "be", 1, adapter_placement=placement)
    ro, ro_file = make_trained(tmp_path, "ro", 2, adapter_placement=placement, adapter_dim=5, decoder_adapter_dim=0)
    adapters = {**exported(be_file, tmp_path), **exported(ro_file, tmp_path)}
    whole = insert_adapters(loaded, adapters)
    model = build_translator(whole, made.vocabulary)
    assert model.adapter_names == ["be", "ro"]
    assert torch.equal(run(model, "be"), run(be.model, "be")) and torch.equal(run(model, "ro"), run(ro.model, "ro"))
    assert torch.equal(run(model), run(made.model))
    assert not torch.allclose(run(model, "be"), run(made.model), atol=1e-3)
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(whole.state[name], tensor)
    # and out of there again
    for adapter in export_adapters(whole, ["ro", "be"]):
        before = adapters[str(tmp_path / f"{adapter.name}.safetensors")]
        assert adapter.fingerprint == before.fingerprint
        assert {part: own.base_fingerprint for part, own in adapter.parts.items()} == {
            part: own.base_fingerprint for part, own in before.parts.items()
        }
    # one after another is the same as both at once
    files = list(adapters)
    one = insert_adapters(insert_adapters(loaded, {files[0]: adapters[files[0]]}), {files[1]: adapters[files[1]]})
    assert one.settings == whole.settings and one.state.keys() == whole.state.keys()
    assert all(torch.equal(one.state[name], tensor) for name, tensor in whole.state.items())


def test_a_part_that_a_file_lacks_is_not_lost(tmp_path):
    _, whole = make_trained(tmp_path, "be", 1)
    _, other = make_trained(tmp_path, "be", 2, decoder_adapter_dim=0)
    with pytest.raises(ConfigError, match="`adapter be` must be one for the decoder too"):
        insert_adapters(whole, exported(other, tmp_path), replaced=True)


def test_an_adapter_without_a_name_is_given_one(base, tmp_path):
    made, loaded = base
    trained, file = make_trained(tmp_path, "", 1)
    with pytest.raises(CheckpointError, match="Name it: --names be"):
        export_adapters(file, [])
    (adapter,) = export_adapters(file, ["be"])
    assert adapter.name == adapter.language == "be"
    model = build_translator(insert_adapters(loaded, {"be": adapter}), made.vocabulary)
    assert torch.equal(run(model, "be"), run(trained.model))
    with pytest.raises(CheckpointError, match="named, or none, but is 'one without a name'"):
        insert_adapters(file, {"be": adapter})


def test_what_stands_in_the_file(tmp_path):
    _, file = make_trained(tmp_path, "be,medical", 1, tuned_groups="encoder_adapters,layer_norms")
    be, medical = export_adapters(file, [])
    assert (be.language, medical.language) == ("be", "")
    assert be.trained_with == ["layer_norms"]
    assert be.parts["encoder"].bottleneck == 8 and be.parts["decoder"].bottleneck == 4
    assert export_adapters(file, ["medical"], "ca")[0].language == "ca"
    with pytest.raises(CheckpointError, match=r"of its adapters \(be, medical\), but is 'ro'"):
        export_adapters(file, ["ro"])


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_training_in_half_precision_on_a_whole_base(base, tmp_path, half):
    """The host rounds all weights of such a training, and the file still belongs to the base that it began from."""
    made, loaded = base
    trained, _ = make_trained(tmp_path, "be", 1)
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.copy_(parameter.to(half))
    file = read_trained_translator(trained.save(tmp_path / "half.pt"))
    adapters = exported(file, tmp_path)
    (adapter,) = adapters.values()
    assert adapter.parts["encoder"].base_dtype == str(half).removeprefix("torch.")
    model = build_translator(insert_adapters(loaded, adapters), made.vocabulary)
    wanted = {name: tensor for name, tensor in trained.model.state_dict().items() if "_adapter." in name}
    assert wanted and all(torch.equal(model.state_dict()[name], tensor) for name, tensor in wanted.items())


def change(state, name, by=1e-6):
    return {**state, name: state[name] + by}


def test_another_base_is_refused_part_by_part(base, tmp_path):
    """A line for each file; an adapter of the encoder alone does not care for the decoder, nor for its vocabulary."""
    _, loaded = base
    _, both = make_trained(tmp_path, "be", 1)
    _, heard = make_trained(tmp_path, "ro", 2, decoder_adapter_dim=0)
    adapters = {**exported(both, tmp_path), **exported(heard, tmp_path)}
    decoder = replace(loaded, state=change(loaded.state, "decoder.layers.0.fc1.bias"))
    with pytest.raises(CheckpointError) as caught:
        insert_adapters(decoder, adapters)
    assert str(caught.value).startswith(f"{tmp_path / 'be.safetensors'}: `base of the decoder` must be the one that it")
    assert "\n" not in str(caught.value)
    encoder = replace(loaded, state=change(loaded.state, "encoder.encoder.layers.0.fc1.bias"))
    with pytest.raises(CheckpointError) as caught:
        insert_adapters(encoder, adapters)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == list(adapters)


def test_an_embedding_that_grew_is_the_same_base(base, tmp_path):
    """Rows behind the marks of every vocabulary depend on how it was trimmed."""
    _, loaded = base
    _, file = make_trained(tmp_path, "be", 1)
    state = dict(loaded.state)
    state["decoder.embed_tokens.weight"] = state["decoder.embed_tokens.weight"].clone()
    state["decoder.embed_tokens.weight"][4:] += 1.0
    assert insert_adapters(replace(loaded, state=state), exported(file, tmp_path)).settings["adapter_names"] == "be"


def test_other_sizes(tmp_path):
    _, file = make_trained(tmp_path, "be", 1)
    (adapter,) = export_adapters(file, [])
    wide = json.dumps({"dim": 48, "ffn_dim": 40, "num_layers": 2, "num_heads": 4, "max_positions": 64})
    deep = json.dumps({"dim": 32, "ffn_dim": 40, "num_layers": 3, "num_heads": 4, "max_positions": 64})
    for config, found in ((wide, r"\(4, 32\) instead of \(4, 48\)"), (deep, "layers.2.attention_adapter.*model only")):
        other = make_translator(tmp_path, adapter_dim=0, tuned_groups="layer_norms", decoder_config=config)
        with pytest.raises(CheckpointError, match=f"be: `sizes of the decoder's adapter` must be .*{found}"):
            insert_adapters(read_trained_translator(other.save(tmp_path / "other.pt")), {"be": adapter})


def test_outputs_are_verified(base, tmp_path):
    """A file whose parameters were changed together with its checksum, or a package that computes otherwise."""
    _, loaded = base
    _, file = make_trained(tmp_path, "be", 1)
    (adapter,) = export_adapters(file, [])
    part = adapter.parts["decoder"]
    for name, output in part.probe.items():
        part.probe[name] = output * (1 + 1e-5)
    insert_adapters(loaded, {"be": adapter})
    changed = {**part.tensors}
    name = "layers.0.ffn_adapter.up.bias"
    changed[name] = changed[name] + torch.eye(32)[0]  # norms are blind to a shift of all features
    damaged = replace(adapter, parts={"decoder": replace(part, tensors=changed)})
    with pytest.raises(CheckpointError, match="be: `output of the decoder with it` must be equal to"):
        insert_adapters(loaded, {"be": damaged})
    other = {**part.probe, "base": part.probe["base"] + 1.0}
    with pytest.raises(CheckpointError, match="be: `output of the decoder without it` must be equal"):
        insert_adapters(loaded, {"be": replace(adapter, parts={"decoder": replace(part, probe=other)})})


def test_nothing_is_loaded_where_one_of_two_is_at_fault(tmp_path):
    from functools import partial

    from fairseq_samu.checkpoints.adapter_loading import load_adapters
    from fairseq_samu.models.adapter_probe import probe_part

    made, _ = make_trained(tmp_path, "be,ro", 1)
    _, file = make_trained(tmp_path, "be,ro", 2)
    be, ro = export_adapters(file, [])
    broken = replace(ro, parts={**ro.parts, "decoder": replace(ro.parts["decoder"], base_fingerprint="0" * 64)})
    before = {name: tensor.clone() for name, tensor in made.model.state_dict().items()}
    with pytest.raises(CheckpointError, match="ro: `base of the decoder`"):
        load_adapters(made.model, {"be": be, "ro": broken}, partial(probe_part, made.model))
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.model.state_dict().items())
    load_adapters(made.model, {"be": be, "ro": ro}, partial(probe_part, made.model))
    assert all(torch.equal(tensor, file.state[name]) for name, tensor in made.model.state_dict().items())


def test_names_and_placements_that_clash(base, tmp_path):
    _, loaded = base
    _, file = make_trained(tmp_path, "be", 1)
    _, again = make_trained(tmp_path, "be", 2)
    _, behind = make_trained(tmp_path, "ro", 3, adapter_placement="one")
    (be,), (other,), (ro,) = (export_adapters(one, []) for one in (file, again, behind))
    with pytest.raises(ConfigError, match=r"b\.safetensors: `name` must be another than that of a\.safetensors"):
        insert_adapters(loaded, {"a.safetensors": be, "b.safetensors": other})
    with pytest.raises(ConfigError, match="another than that of the model"):
        insert_adapters(file, {"b": other})
    replaced = insert_adapters(file, {"b": other}, replaced=True)
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in replaced.state.items())
    with pytest.raises(ConfigError, match="`adapter_placement` must be two, as the model has it, but is 'one'"):
        insert_adapters(loaded, {"a": be, "b": ro})


def test_a_part_that_the_model_does_not_have(tmp_path):
    made = make_translator(
        tmp_path, adapter_dim=0, without_decoder=True, ctc_head=True, tuned_groups="ctc_head", decoder_config=""
    )
    give_base(made.model)
    loaded = read_trained_translator(made.save(tmp_path / "ctc.pt"))
    _, file = make_trained(tmp_path, "be", 1)
    with pytest.raises(CheckpointError, match="be: `adapter` must be one for the encoder, which is what the model has"):
        insert_adapters(loaded, {"be": export_adapters(file, [])[0]})


def test_means_and_compositions_on_the_model(base, tmp_path):
    """The composition of encoder part and decoder part is their sum; a mean of one adapter with itself is that one."""
    made, loaded = base
    trained, file = make_trained(tmp_path, "be", 1)
    (adapter,) = export_adapters(file, [])
    halves = [replace(adapter, name=part, parts={part: own}) for part, own in adapter.parts.items()]
    composed = compose_adapters(halves, "be")
    model = build_translator(insert_adapters(loaded, {"a": composed}), made.vocabulary)
    assert torch.equal(run(model, "be"), run(trained.model, "be"))
    mean = average_adapters([adapter, adapter], "be")
    model = build_translator(insert_adapters(loaded, {"a": mean}), made.vocabulary)
    assert torch.equal(run(model, "be"), run(trained.model, "be"))
    twice = compose_adapters([adapter, adapter], "twice")
    model = build_translator(insert_adapters(loaded, {"a": twice}), made.vocabulary)
    assert model.decoder.layers[0].ffn_adapter.get_submodule("twice").down.out_features == 8
    assert not torch.allclose(run(model, "twice"), run(trained.model, "be"), atol=1e-3)


def test_a_translator_with_adapters_of_files(base, tmp_path):
    """From Python, what files hold is chosen by language as the model's own is."""
    from fairseq_samu.inference.speech_translator import SpeechTranslator

    _, file = make_trained(tmp_path, "be,ro", 1)
    files = list(exported(file, tmp_path))
    waves = [torch.randn(6000, generator=torch.Generator().manual_seed(seed)).numpy() * 0.1 for seed in (1, 2)]
    asked = {"target_language": ["ru", "ro"], "source_language": ["be", "ro"], "adapter": ["be", "ro"], "beam": 2}
    translators = [
        SpeechTranslator.load(tmp_path / "base.pt", max_tokens=8, adapter_files=files),
        SpeechTranslator.load(tmp_path / "be,ro-1.pt", max_tokens=8),
    ]
    texts = [translator.translate(waves, **asked) for translator in translators]
    assert translators[0].model.adapter_names == ["be", "ro"] and texts[0] == texts[1]
    with pytest.raises(ConfigError, match="another than that of the model"):
        SpeechTranslator.load(tmp_path / "be,ro-1.pt", adapter_files=files)
