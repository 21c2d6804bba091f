import argparse
import json
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from fairseq_samu.checkpoints import read_speech_encoder
from fairseq_samu.checkpoints.safe_loading import plain, read_safetensors, read_torch_file
from fairseq_samu.errors import CheckpointError


class Payload:
    """What an attacker's pickle is: its loading calls a function of their choice."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["top", "args", "model"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, place, legacy):
    victim, trap = tmp_path / "victim", tmp_path / "checkpoint.pt"
    payload = Payload(os.mkdir, str(victim))
    content = {"model": {"weight": torch.ones(1)}, "args": None, "top": None}
    content[place] = {"weight": payload} if place == "model" else payload
    torch.save(content, trap, _use_new_zipfile_serialization=not legacy)
    for read in (read_torch_file, read_speech_encoder):
        with pytest.raises(CheckpointError, match=r"refused.*Nothing was run"):
            read(trap)
    with pytest.raises(CheckpointError, match=r"It asks for `posix\.mkdir`"):
        read_torch_file(trap)
    assert not victim.exists()
    # The trap is a real one.
    torch.load(trap, weights_only=False)
    assert victim.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_malicious_file_in_a_directory_is_refused(tmp_path):
    victim = tmp_path / "victim"
    sizes = {"d_model": 4, "encoder_ffn_dim": 4, "encoder_layers": 1, "encoder_attention_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "whisper", **sizes}))
    with (tmp_path / "pytorch_model.bin").open("wb") as opened:
        pickle.dump(Payload(os.mkdir, str(victim)), opened)
    with pytest.raises(CheckpointError):
        read_speech_encoder(tmp_path)
    assert not victim.exists()


@pytest.mark.parametrize("function", [eval, exec, __import__, getattr, os.system])
def test_no_callable_slips_through_the_list(tmp_path, function):
    torch.save({"args": Payload(function, "os")}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError):
        read_torch_file(tmp_path / "trap.pt")


def test_holders_of_official_files_are_read(tmp_path):
    from fairseq.data.dictionary import Dictionary

    dictionary = Dictionary()
    dictionary.add_symbol("a")
    saved = {
        "args": argparse.Namespace(encoder_layers=24, nested=argparse.Namespace(normalize=True)),
        "cfg": OmegaConf.create({"model": {"_name": "wav2vec2", "sizes": [1, 2], "prob": 0.5, "none": None}}),
        "task_state": {"dictionaries": [dictionary]},
        "extra_state": OrderedDict(best=np.float64(0.25), steps=np.int64(3)),
        "model": {"weight": torch.ones(2)},
    }
    torch.save(saved, tmp_path / "file.pt")
    read = read_torch_file(tmp_path / "file.pt")
    assert plain(read["args"]) == {"encoder_layers": 24, "nested": {"normalize": True}}
    assert plain(read["cfg"]) == {"model": {"_name": "wav2vec2", "sizes": [1, 2], "prob": 0.5, "none": None}}
    assert read["extra_state"]["best"] == 0.25
    assert read["task_state"]["dictionaries"][0].index("a") == dictionary.index("a")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_file_is_one_clear_error(tmp_path, share):
    torch.save({"model": {"weight": torch.ones(1000)}}, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    cut = tmp_path / "cut.pt"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"cut\.pt"):
        read_torch_file(cut)


def test_damaged_safetensors_are_one_clear_error(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="whole safetensors file"):
        read_safetensors(tmp_path / "model.safetensors")


def test_what_the_process_allows_stays_allowed_and_nothing_is_added(tmp_path):
    torch.save({"args": argparse.Namespace(lr=1.0)}, tmp_path / "a.pt")
    with torch.serialization.safe_globals([argparse.Namespace]):
        before = set(torch.serialization.get_safe_globals())
        read_torch_file(tmp_path / "a.pt")
        assert set(torch.serialization.get_safe_globals()) == before
        assert torch.load(tmp_path / "a.pt", weights_only=True)["args"].lr == 1.0
