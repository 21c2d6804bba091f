"""Adapters of files in the model of a run: named in its options, compared with what it starts from, never doubled."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_samu.checkpoints.adapter_files import read_adapter, write_adapter
from fairseq_samu.checkpoints.trained_translator import read_trained_translator
from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.inference.adapter_merging import export_adapters
from fairseq_samu.tasks._adapter_loading import FileAdapters
from tests.unit.tiny_translator import make_translator

SIZES = {"adapter_dim": 8, "decoder_adapter_dim": 4, "tuned_groups": "encoder_adapters,decoder_adapters"}


@pytest.fixture
def files(tmp_path):
    """An adapter for each of two languages, and the base that both began from."""
    made = make_translator(tmp_path, adapter_names="be,ro", **SIZES)
    made.train()
    loaded = read_trained_translator(made.save(tmp_path / "trained.pt"))
    for adapter in export_adapters(loaded, []):
        write_adapter(tmp_path / f"{adapter.name}.safetensors", adapter)
    base = {name: tensor for name, tensor in loaded.state.items() if "_adapter." not in name}
    return SimpleNamespace(
        be=tmp_path / "be.safetensors", ro=tmp_path / "ro.safetensors", base=base, whole=loaded.state, folder=tmp_path
    )


def options(files, *names, **changed):
    listed = ",".join(str(getattr(files, name)) for name in names)
    return OmegaConf.create({"adapter_files": listed, "adapter_names": "", "adapter_dim": 0, **changed})


def task(files, **changed):
    """Options of a task that begins where nothing was saved."""
    known = {"save_dir": files.folder / "run", "restore_file": "checkpoint_last.pt", "finetune_from_model": None}
    return SimpleNamespace(**{**known, **changed})


def build(files, cfg):
    """A model of these options, whose weights are the base's."""
    given = {name: cfg[name] for name in ("adapter_names", "adapter_sizes", "adapter_placement")}
    made = make_translator(files.folder, adapter_dim=cfg.adapter_dim, tuned_groups=SIZES["tuned_groups"], **given)
    made.model.load_state_dict(files.base, strict=False)
    return made


def adapters_of(state, name):
    return {key: tensor for key, tensor in state.items() if f"_adapter.{name}." in key}


def assert_holds(model, state, name):
    own = adapters_of(model.state_dict(), name)
    assert own and all(torch.equal(tensor, state[key]) for key, tensor in own.items())


def test_names_and_sizes_are_written_into_the_options(files):
    cfg = options(files, "be", "ro", adapter_names="ca", adapter_dim=6)
    found = FileAdapters.read(cfg)
    assert list(found.adapters) == [str(files.be), str(files.ro)]
    assert cfg.adapter_names == "ca,be,ro" and cfg.adapter_files == ""
    made = build(files, cfg)
    found.load_into(made.model, task(files))
    assert_holds(made.model, files.whole, "be")
    assert_holds(made.model, files.whole, "ro")
    assert not adapters_of(files.whole, "ca") and adapters_of(made.model.state_dict(), "ca")


def test_adapters_without_a_name_do_not_go_unheard(files):
    with pytest.raises(ConfigError, match="`adapter_dim` must be 0 with adapter_files"):
        FileAdapters.read(options(files, "be", adapter_dim=16, decoder_adapter_dim=0))


def test_a_part_that_a_file_lacks_is_not_lost(files):
    adapter = read_adapter(files.be)
    write_adapter(files.be, replace(adapter, parts={"encoder": adapter.parts["encoder"]}))
    with pytest.raises(ConfigError, match="`adapter be` must be one for the decoder too"):
        FileAdapters.read(options(files, "be", adapter_names="be", decoder_adapter_dim=4, adapter_sizes=""))


def test_without_files_nothing_is_done(files):
    cfg = OmegaConf.create({"adapter_dim": 8})
    assert FileAdapters.read(cfg).adapters == {} and cfg == {"adapter_dim": 8}
    assert FileAdapters.read(SimpleNamespace()).adapters == {}


def test_every_file_at_fault_is_named(files):
    files.be.write_bytes(files.be.read_bytes()[:-1])
    files.no = files.folder / "no.safetensors"
    with pytest.raises(CheckpointError) as caught:
        FileAdapters.read(options(files, "be", "no", "ro"))
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [str(files.be), str(files.no)]
    files.be = files.ro
    with pytest.raises(ConfigError, match="different ones"):
        FileAdapters.read(options(files, "be", "ro"))


def test_a_training_that_starts_from_another_base(files):
    cfg = options(files, "be")
    found = FileAdapters.read(cfg)
    made = build(files, cfg)
    with torch.no_grad():
        made.model.decoder.layers[0].fc1.bias.add_(1e-6)
    before = adapters_of(made.model.state_dict(), "be")
    before = {name: tensor.clone() for name, tensor in before.items()}
    with pytest.raises(CheckpointError, match="`base of the decoder` must be the one that it was trained on"):
        found.load_into(made.model, task(files))
    assert all(torch.equal(made.model.state_dict()[name], tensor) for name, tensor in before.items())
    # what counts is the checkpoint that the host is about to load
    start = files.folder / "start.pt"
    torch.save({"model": files.base}, start)
    found.load_into(made.model, task(files, finetune_from_model=str(start)))
    made.model.load_state_dict(dict(files.base), strict=True)
    assert_holds(made.model, files.whole, "be")


@pytest.mark.parametrize("resumed", [True, False], ids=["resumed", "restored"])
def test_what_a_checkpoint_holds_already_is_its_own(files, resumed):
    """A run that goes on has moved its adapters, and its norms: the files are not looked at any more."""
    state = {name: tensor + 1.0 if tensor.is_floating_point() else tensor for name, tensor in files.whole.items()}
    cfg = options(files, "be", "ro")
    found = FileAdapters.read(cfg)
    made = build(files, cfg)
    (files.folder / "run").mkdir()
    path = files.folder / "run" / "checkpoint_last.pt" if resumed else files.folder / "other.pt"
    torch.save({"model": state}, path)
    where = {} if resumed else {"restore_file": str(path)}
    found.load_into(made.model, task(files, finetune_from_model=str(files.folder / "none.pt"), **where))
    made.model.load_state_dict(dict(state), strict=True)
    assert_holds(made.model, state, "be")


def test_new_adapters_begin_anew_on_a_checkpoint_that_lacks_them(files, caplog):
    cfg = OmegaConf.create(
        {"adapter_names": "be,ca", "adapter_sizes": "", "adapter_placement": "two", "adapter_dim": 8}
    )
    made = make_translator(files.folder, adapter_names="be,ca", **SIZES)
    start = files.folder / "start.pt"
    state = {name: tensor for name, tensor in files.whole.items() if ".ro." not in name}
    torch.save({"model": state}, start)
    FileAdapters.read(cfg).load_into(made.model, task(files, finetune_from_model=str(start)))
    before = adapters_of(made.model.state_dict(), "ca")
    before = {name: tensor.clone() for name, tensor in before.items()}
    with caplog.at_level(logging.INFO):
        made.model.load_state_dict(dict(state), strict=True)
    assert "the checkpoint lacks adapters of this model: ca" in caplog.text
    assert_holds(made.model, files.whole, "be")
    assert_holds(made.model, before, "ca")
    # all else has to be there
    del state["decoder.layer_norm.bias"]
    with pytest.raises(RuntimeError, match=r"decoder\.layer_norm\.bias"):
        made.model.load_state_dict(dict(state), strict=True)


def test_decoding_with_files(files):
    """The host loads a checkpoint without adapters into the model that has them by the files."""
    cfg = options(files, "be", "ro")
    found = FileAdapters.read(cfg, from_checkpoint=True)
    made = build(files, cfg)
    found.load_when_read(made.model)
    made.model.load_state_dict(dict(files.base), strict=True)
    assert_holds(made.model, files.whole, "ro")
    other = {**files.base, "decoder.layers.0.fc1.bias": files.base["decoder.layers.0.fc1.bias"] + 1e-6}
    with pytest.raises(CheckpointError, match="`base of the decoder`"):
        made.model.load_state_dict(other, strict=True)
    with pytest.raises(ConfigError, match="`name` must be another than that of the model, but is 'be'"):
        FileAdapters.read(options(files, "be", adapter_names="be"), from_checkpoint=True)


def test_an_adapter_without_a_name_does_not_stand_beside_named_ones(files):
    nameless = {name.replace(".be.", "."): tensor for name, tensor in files.whole.items() if ".ro." not in name}
    start = files.folder / "start.pt"
    torch.save({"model": nameless}, start)
    cfg = options(files, "ro")
    found = FileAdapters.read(cfg)
    with pytest.raises(CheckpointError, match="named, or none, but is 'one without a name'"):
        found.load_into(build(files, cfg).model, task(files, finetune_from_model=str(start)))
