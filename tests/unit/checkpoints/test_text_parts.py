"""Text parts of a checkpoint: what is taken, what is not read, and files that are no such checkpoint."""

import json

import pytest
import torch

from fairseq_samu.checkpoints.text_parts import read_text_parts
from fairseq_samu.errors import CheckpointError

NAMES = ["encoder.layers.0.fc1.weight", "decoder.embed_tokens.weight", "text_encoder.layers.0.fc1.weight"]
BETWEEN = ["projection.weight", "compressor.fc1.weight", "length_adapter.ffn.fc1.weight"]


def write(path, **changed):
    state = {name: torch.full((2, 3), float(place)) for place, name in enumerate([*NAMES, *BETWEEN])}
    checkpoint = {
        "cfg": {"model": {"_name": "multitask_st", "text_config": json.dumps({"dim": 32})}},
        "model": state,
        "task_state": {"vocabulary": {"pieces": torch.arange(3)}},
        **changed,
    }
    torch.save(checkpoint, path)
    return path


def test_text_and_what_stands_before_it_is_taken_but_no_speech_encoder(tmp_path):
    loaded = read_text_parts(write(tmp_path / "model.pt"))
    assert {*loaded.state} == {*NAMES[1:], *BETWEEN}
    assert loaded.state["length_adapter.ffn.fc1.weight"].unique().tolist() == [5.0]
    assert loaded.config == {"dim": 32}
    assert loaded.vocabulary["pieces"].tolist() == [0, 1, 2]


def test_tensors_are_read_when_they_are_used(tmp_path):
    """A speech encoder of a gigabyte beside them takes neither time nor memory."""
    path = write(tmp_path / "model.pt")
    loaded = read_text_parts(path)
    five, seven = (torch.full((2, 3), value).numpy().tobytes() for value in (5.0, 7.0))
    with path.open("r+b") as file:
        file.seek(file.read().index(five))
        file.write(seven)
    assert loaded.state["length_adapter.ffn.fc1.weight"].unique().tolist() == [7.0]


def test_a_file_of_an_old_torch(tmp_path):
    state = {"cfg": {"model": {"text_config": "{}"}}, "model": {}, "task_state": {"vocabulary": {}}}
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert read_text_parts(tmp_path / "old.pt").state == {}


@pytest.mark.parametrize("changed", [{"cfg": None}, {"cfg": {"model": {"decoder_config": "{}"}}}, {"task_state": None}])
def test_a_checkpoint_of_another_model(tmp_path, changed):
    with pytest.raises(CheckpointError, match="`checkpoint` must be of the model multitask_st"):
        read_text_parts(write(tmp_path / "model.pt", **changed))


def test_no_file(tmp_path):
    with pytest.raises(CheckpointError, match="`text_path` must be a file, but is 'missing'"):
        read_text_parts(tmp_path / "none.pt")
