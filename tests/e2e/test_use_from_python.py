"""What fairseq-train leaves is loaded from Python without anything else of the training run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_samu.checkpoints import fingerprint
from fairseq_samu.cli.main import main
from fairseq_samu.data.audio import read_audio
from fairseq_samu.inference.speech_embedder import SpeechEmbedder
from tests.e2e.training import PROMPTS, Corpus, read_checkpoint, run, train_command


@pytest.fixture(scope="module")
def checkpoint(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a few updates with everything on that draws, alone in a folder."""
    folder = tmp_path_factory.mktemp("run")
    options = {"max_update": 3, "mask_time_prob": 0.3, "encoder_layerdrop": 0.2, "num_pooling_heads": 2}
    run(train_command(corpus, folder / "save", **options, frame_perceptron_dim=24))
    return (folder / "save" / "checkpoint_last.pt").rename(folder / "model.pt")


def test_a_trained_checkpoint_embeds_files_and_waves(checkpoint: Path, corpus: Corpus):
    embedder = SpeechEmbedder.load(checkpoint, root=PROMPTS)
    specs = [row.audio for row in corpus.rows["valid"]]
    embeddings = embedder.encode(specs)
    assert embeddings.shape == (10, 16)
    waves = [read_audio(spec, PROMPTS) for spec in specs]
    np.testing.assert_allclose(embedder.encode(waves[::-1])[::-1], embeddings, atol=1e-5)
    assert [len(frames) for frames in embedder.frames(waves)] == [
        int(embedder.encoder.count_frames(torch.tensor(len(wave)))) for wave in waves
    ]


def test_its_description_and_export_hold_what_was_trained(checkpoint: Path, corpus: Corpus, tmp_path: Path, capsys):
    assert main(["convert", "--info", str(checkpoint)]) == 0
    described = json.loads(capsys.readouterr().out)
    weights = read_checkpoint(checkpoint)["model"]
    encoder = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    assert described["kind"] == "training checkpoint"
    assert described["fingerprint"] == fingerprint(encoder)
    assert described["parameters"]["total"] == sum(value.numel() for value in weights.values())
    assert main(["convert", "--to", "huggingface", str(checkpoint), str(tmp_path / "out")]) == 0
    wave = read_audio(corpus.rows["valid"][0].audio, PROMPTS)
    first, second = SpeechEmbedder.load(checkpoint), SpeechEmbedder.load(tmp_path / "out")
    assert np.array_equal(first.encode(wave), second.encode(wave))
