"""`fairseq-samu adapters list, export, add, average, compose`: files in, files out, one line where it fails."""

import json

import pytest
import torch

from fairseq_samu.checkpoints.adapter_files import read_adapter
from fairseq_samu.cli.main import main
from tests.unit.tiny_translator import make_translator

OPTIONS = {"adapter_names": "be,medical", "decoder_adapter_dim": 4, "tuned_groups": "encoder_adapters,decoder_adapters"}


@pytest.fixture
def trained(tmp_path):
    made = make_translator(tmp_path, **OPTIONS)
    made.train()
    made.save(tmp_path / "trained.pt")
    return made


def call(*words):
    return main(["adapters", *map(str, words)])


def export(folder, *words):
    assert call("export", folder / "trained.pt", "--output", folder / "files", *words) == 0
    return folder / "files"


def test_export_list_and_add(trained, tmp_path, capsys):
    files = export(tmp_path)
    assert sorted(path.name for path in files.iterdir()) == ["be.safetensors", "medical.safetensors"]
    capsys.readouterr()
    assert call("list", files, tmp_path / "trained.pt", "--json", "-") == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)["adapters"]
    assert [(one["name"], one["language"], one["kind"]) for one in told] == [
        ("be", "be", "named adapter"),
        ("medical", "", "named adapter"),
        ("be", "be", "adapter in a checkpoint"),
        ("medical", "", "adapter in a checkpoint"),
    ]
    # two layers, two places in each: projections down and up with their biases
    sizes = {"encoder": 4 * (2 * 32 * 8 + 8 + 32), "decoder": 4 * (2 * 32 * 4 + 4 + 32)}
    for one in told:
        assert {part: own["parameters"] for part, own in one["parts"].items()} == sizes
        assert one["placement"] == "two" and one["parts"]["encoder"]["bottleneck"] == 8
    assert told[0]["bytes"] == (files / "be.safetensors").stat().st_size
    lines = printed.err.splitlines()
    assert lines[0] == "4 adapters" and len(lines) == 2 + 8
    assert lines[1].split() == ["adapter", "language", "part", "placement", "width", "parameters", "base", "file"]

    made = make_translator(tmp_path, adapter_dim=0, tuned_groups="layer_norms")
    made.model.load_state_dict(trained.model.state_dict(), strict=False)
    made.save(tmp_path / "base.pt")
    output = tmp_path / "whole.pt"
    assert call("add", tmp_path / "base.pt", *sorted(files.iterdir()), "--output", output) == 0
    whole = torch.load(output, weights_only=True)
    assert whole["cfg"]["model"]["adapter_names"] == "be,medical"
    for name, tensor in trained.model.state_dict().items():
        assert torch.equal(whole["model"][name], tensor), name


def test_export_of_some(trained, tmp_path, capsys):
    files = export(tmp_path, "--names", "medical", "--language", "ca")
    assert [path.name for path in files.iterdir()] == ["medical.safetensors"]
    assert read_adapter(files / "medical.safetensors").language == "ca"
    capsys.readouterr()
    assert call("export", tmp_path / "trained.pt", "--output", tmp_path / "none", "--names", "be,ro") == 1
    assert capsys.readouterr().err.endswith(
        "`names` must be of its adapters (be, medical), but is 'ro' instead. Name adapters of the model.\n"
    )
    assert not (tmp_path / "none").exists()


def test_what_else_was_tuned_is_said(tmp_path, capsys):
    made = make_translator(tmp_path, **{**OPTIONS, "tuned_groups": "encoder_adapters,cross_attention,layer_norms"})
    made.save(tmp_path / "trained.pt")
    export(tmp_path)
    assert "cross_attention, layer_norms: tuned in the same training, and not in these files" in capsys.readouterr().err


def test_mean_and_composition(trained, tmp_path):
    files = export(tmp_path)
    be, medical = files / "be.safetensors", files / "medical.safetensors"
    mean, both, same = (tmp_path / f"{name}.safetensors" for name in ("mean", "both", "same"))
    assert call("average", be, medical, "--weights", ".25,.75", "--name", "mean", "--output", mean) == 0
    assert call("compose", be, medical, "--name", "both", "--output", both) == 0
    assert call("average", be, be, "--name", "be", "--output", same) == 0
    assert same.read_bytes() == be.read_bytes()
    name = "layers.1.ffn_adapter.up.weight"
    one, two, averaged, composed = (
        read_adapter(path).parts["decoder"].tensors[name] for path in (be, medical, mean, both)
    )
    torch.testing.assert_close(averaged, 0.25 * one + 0.75 * two)
    assert torch.equal(composed, torch.cat([one, two], dim=1))
    whole = tmp_path / "whole.pt"
    assert call("add", tmp_path / "trained.pt", mean, both, "--output", whole) == 0
    settings = torch.load(whole, weights_only=True)["cfg"]["model"]
    assert settings["adapter_names"] == "be,medical,mean,both"
    assert json.loads(settings["adapter_sizes"]) == {
        "mean": {"encoder": 8, "decoder": 4},
        "both": {"encoder": 16, "decoder": 8},
    }
    # out of the model the mean has outputs that a load can verify
    assert call("export", whole, "--names", "mean", "--output", tmp_path / "again") == 0
    assert set(read_adapter(tmp_path / "again" / "mean.safetensors").parts["decoder"].probe) == {"base", "adapted"}


def test_info(trained, tmp_path, capsys):
    path = export(tmp_path) / "be.safetensors"
    capsys.readouterr()
    assert call("info", path) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "named adapter" and told["parts"]["decoder"]["verified"] is True
    assert main(["convert", "--info", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == told


def test_a_taken_name(trained, tmp_path, capsys):
    files = export(tmp_path)
    words = ["add", tmp_path / "trained.pt", files / "be.safetensors", "--output", tmp_path / "whole.pt"]
    capsys.readouterr()
    assert call(*words) == 1
    assert "`name` must be another than that of the model, but is 'be'" in capsys.readouterr().err
    assert not (tmp_path / "whole.pt").exists()
    assert call(*words, "--replace") == 0


def test_missing_and_foreign_files(trained, tmp_path, capsys):
    assert call("list", tmp_path / "none.safetensors") == 1
    assert call("list", tmp_path) == 1
    output = tmp_path / "x.safetensors"
    assert call("average", tmp_path / "trained.pt", "--name", "a", "--output", output) == 1
    assert call("compose", tmp_path / "none", "--name", "a", "--output", output) == 1
    assert call("compose", tmp_path / "none", "--name", "a.b", "--output", output) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5 and "letters, digits" in lines[-1]
    assert not output.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["export", "a.pt"],
        ["add", "a.pt", "--output", "b.pt"],
        ["average", "a.safetensors", "--output", "b"],
        ["average", "a.safetensors", "--name", "a", "--output", "b", "--weights", "half"],
        ["compose", "a.safetensors", "--name", "a"],
    ],
)
def test_usage(arguments):
    with pytest.raises(SystemExit) as caught:
        call(*arguments)
    assert caught.value.code == 2
