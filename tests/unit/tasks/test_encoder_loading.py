"""Weights of an encoder with adapters go into one with them or without, and what is left out is said."""

import logging
from pathlib import Path

import pytest
import torch

pytest.importorskip("fairseq", reason="the model stands on the host")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.errors import CheckpointError
from fairseq_samu.tasks._encoder_loading import load_encoder
from tests.unit.tiny_translator import make_translator


@pytest.mark.parametrize(("adapter_dim", "warnings"), [(8, 0), (0, 1)])
def test_adapters_are_taken_in_or_said_to_be_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, adapter_dim: int, warnings: int
) -> None:
    trained = make_translator(tmp_path)
    trained.train()
    path = trained.save(tmp_path / "trained.pt")
    encoder = make_translator(tmp_path, adapter_dim=adapter_dim).model.encoder
    for parameter in encoder.parameters():
        torch.nn.init.zeros_(parameter)
    with caplog.at_level(logging.WARNING, "fairseq_samu"):
        load_encoder(encoder, read_speech_encoder(path), str(path))
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, trained.model.encoder.state_dict()[name]), name
    assert sum("adapters of this encoder are left out" in record.message for record in caplog.records) == warnings


def test_adapters_of_another_size_are_refused(tmp_path: Path) -> None:
    path = make_translator(tmp_path).save(tmp_path / "trained.pt")
    with pytest.raises(CheckpointError, match="attention_adapter"):
        load_encoder(make_translator(tmp_path, adapter_dim=4).model.encoder, read_speech_encoder(path), str(path))
