"""Tuned parameters apart from their base: nothing is lost, and nothing is put into another base."""

import json

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from fairseq_samu.checkpoints.trained_translator import (
    LoadedTranslator,
    as_host_checkpoint,
    read_trained_translator,
    translator_from_checkpoint,
)
from fairseq_samu.checkpoints.tuned_parameters import (
    merge_tuned,
    read_tuned,
    require_same_outputs,
    split_tuned,
    write_tuned,
)
from fairseq_samu.errors import CheckpointError
from fairseq_samu.inference.translator_building import (
    build_translator,
    build_vocabulary,
    probe_translator,
)
from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartConfig, SamuXlsrMbartModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.models.test_samu_xlsr import XLSR_300M
from tests.unit.tiny_translator import make_translator


@pytest.fixture
def tiny(tmp_path):
    made = make_translator(tmp_path)
    made.train()
    return made


def split(tiny, path):
    loaded = read_trained_translator(tiny.save(path))
    return split_tuned(loaded, tiny.groups(), probe_translator(tiny.model))


def test_checkpoint_tells_no_places(tiny, tmp_path):
    loaded = read_trained_translator(tiny.save(tmp_path / "a.pt"))
    assert "/nowhere" not in json.dumps(loaded.config)
    assert loaded.settings["adapter_dim"] == 8 and loaded.config["criterion"]["_name"] == "ctc_ce"
    vocabulary = build_vocabulary(loaded.vocabulary)
    assert vocabulary.fingerprint == tiny.vocabulary.fingerprint
    rebuilt = build_translator(loaded, vocabulary)
    for name, tensor in tiny.model.state_dict().items():
        assert torch.equal(rebuilt.state_dict()[name], tensor)
    assert not rebuilt.training


def test_tuned_and_base_make_the_whole(tiny, tmp_path):
    tuned = split(tiny, tmp_path / "a.pt")
    path = tmp_path / "tuned.safetensors"
    write_tuned(path, tuned)
    read = read_tuned(path)
    assert read.config == tuned.config and read.base_fingerprint == tuned.base_fingerprint
    # another training from the same base, saved whole, is a base too
    other = make_translator(tmp_path)
    other.train(seed=5)
    merged = merge_tuned(read, other.model.state_dict())
    assert set(merged.state) == set(tiny.model.state_dict())
    for name, tensor in tiny.model.state_dict().items():
        assert torch.equal(merged.state[name], tensor), name
    require_same_outputs(read.probe, probe_translator(build_translator(merged, tiny.vocabulary)))
    again = translator_from_checkpoint(as_host_checkpoint(merged), "")
    assert again.config == merged.config


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_the_base_of_a_training_in_half_precision_is_the_file_it_began_from(tiny, tmp_path, half):
    """The host rounds all weights, frozen ones too, and saves them as float32."""
    base = {name: tensor.clone() for name, tensor in tiny.model.state_dict().items()}
    with torch.no_grad():
        for parameter in tiny.model.parameters():
            parameter.copy_(parameter.to(half))
    tuned = split(tiny, tmp_path / "a.pt")
    assert tuned.base_dtype == str(half).removeprefix("torch.")
    for one in (base, dict(tiny.model.state_dict())):
        merged = merge_tuned(tuned, one)
        assert {tensor.dtype for tensor in merged.state.values()} == {torch.float32}
        for name, tensor in tiny.model.state_dict().items():
            assert torch.equal(merged.state[name], tensor), name
    base["decoder.layers.0.fc1.bias"] = base["decoder.layers.0.fc1.bias"] + 0.1
    with pytest.raises(CheckpointError, match="fingerprint"):
        merge_tuned(tuned, base)


def test_another_base_is_refused(tiny, tmp_path):
    tuned = split(tiny, tmp_path / "a.pt")
    base = dict(tiny.model.state_dict())
    base["decoder.layers.0.fc1.bias"] = base["decoder.layers.0.fc1.bias"] + 1e-7
    with pytest.raises(
        CheckpointError, match=r"`base` must be the one that was trained from \(fingerprint [0-9a-f]{16}"
    ):
        merge_tuned(tuned, base)
    del base["decoder.layers.0.fc1.bias"]
    with pytest.raises(CheckpointError, match=r"(?s)1 tensors of the model are missing.*layers\.0\.fc1\.bias"):
        merge_tuned(tuned, base)


def test_half_precision_training_fits_its_full_precision_base(tiny, tmp_path):
    base = {name: tensor.clone() for name, tensor in tiny.model.state_dict().items()}
    tiny.model.half()
    loaded = read_trained_translator(tiny.save(tmp_path / "a.pt"))
    tuned = split_tuned(loaded, tiny.groups(), {})
    assert tuned.base_dtype == "float16"
    merged = merge_tuned(tuned, base)
    for name, tensor in tiny.model.state_dict().items():
        assert torch.equal(merged.state[name], tensor)


def test_other_outputs_are_refused(tiny):
    expected = probe_translator(tiny.model)
    assert {name: tuple(tensor.shape) for name, tensor in expected.items()} == {"frames": (49, 32), "hidden": (8, 32)}
    require_same_outputs(expected, {name: tensor * (1 + 1e-5) for name, tensor in expected.items()})
    with torch.no_grad():
        tiny.model.decoder.layers[1].encoder_attn.v_proj.bias.add_(0.5)
    with pytest.raises(CheckpointError, match=r"`hidden` must be equal to 0\.001 of its largest value"):
        require_same_outputs(expected, probe_translator(tiny.model))
    nothing = {name: torch.full_like(tensor, float("nan")) for name, tensor in expected.items()}
    with pytest.raises(CheckpointError, match="off by nan"):
        require_same_outputs(expected, nothing)
    with pytest.raises(CheckpointError, match="of the same shape"):
        require_same_outputs(expected, {"frames": expected["frames"]})


def test_probe_of_a_model_for_ctc_alone(tmp_path):
    made = make_translator(tmp_path, without_decoder=True, ctc_head=True, tuned_groups="ctc_head,encoder_adapters")
    assert set(probe_translator(made.model)) == {"frames", "ctc_logits"}


@pytest.mark.parametrize("groups", ["all", ""])
def test_what_is_tuned_whole_or_not_at_all_stays_whole(tmp_path, groups):
    made = make_translator(tmp_path, tuned_groups=groups)
    loaded = read_trained_translator(made.save(tmp_path / "a.pt"))
    with pytest.raises(CheckpointError, match=r"tuned in part.*Keep the whole checkpoint\."):
        split_tuned(loaded, made.groups(), {})


def test_damaged_and_foreign_files(tiny, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "tuned.safetensors"
    with pytest.raises(CheckpointError, match="a whole safetensors file"):
        read_tuned(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="one of tuned parameters, of version 1"):
        read_tuned(path)
    write_tuned(path, split(tiny, tmp_path / "a.pt"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="a whole safetensors file"):
        read_tuned(path)


@pytest.mark.parametrize(
    "change, fault",
    [
        (lambda checkpoint: checkpoint["cfg"]["model"].update(_name="samu_xlsr"), "one of samu_xlsr_mbart"),
        (lambda checkpoint: checkpoint.pop("task_state"), "`vocabulary` must be in the checkpoint"),
        (lambda checkpoint: checkpoint.pop("cfg"), "one of samu_xlsr_mbart"),
        (lambda checkpoint: checkpoint.pop("model"), "one of samu_xlsr_mbart"),
    ],
)
def test_other_checkpoints(tiny, tmp_path, change, fault):
    path = tiny.save(tmp_path / "a.pt")
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, path)
    with pytest.raises(CheckpointError, match=fault):
        read_trained_translator(path)


def test_weights_of_other_sizes(tiny, tmp_path):
    loaded = read_trained_translator(tiny.save(tmp_path / "a.pt"))
    settings = {**loaded.settings, "adapter_dim": 16}
    with pytest.raises(CheckpointError, match=r"attention_adapter\.down\.weight \(8, 32\) instead of \(16, 32\)"):
        changed = LoadedTranslator({**loaded.config, "model": settings}, loaded.state, loaded.vocabulary)
        build_translator(changed, tiny.vocabulary)


def test_size_of_the_file_for_the_paper():
    """With the vocabulary of mBART-50 (about 8 MB) the file is less than 12 % of the whole checkpoint."""
    cfg = SamuXlsrMbartConfig(
        encoder_config=json.dumps(XLSR_300M), decoder_config=json.dumps({"dim": 1024}), adapter_dim=256, seed=1
    )
    with FakeTensorMode():
        model = SamuXlsrMbartModel(cfg, build_configured_encoder(cfg), 250_054)
        tuned = sum(parameter.numel() for _, parameter in model.tuned_parameters())
        whole = sum(tensor.numel() for tensor in model.state_dict().values())
        probe = sum(tensor.numel() for tensor in (torch.empty(49, 1024), torch.empty(8, 1024)))
    assert (tuned, whole) == (75_685_888, 799_336_064)
    assert 4 * (tuned + probe) + 10_000_000 < 0.12 * 4 * whole
