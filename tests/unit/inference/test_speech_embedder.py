import numpy as np
import pytest
import soundfile
import torch

import fairseq_samu
from fairseq_samu.errors import AudioError, CheckpointError
from fairseq_samu.inference.speech_embedder import SpeechEmbedder

RATE = 16_000


def waves(*seconds):
    random = np.random.default_rng(0)
    return [random.normal(size=int(length * RATE)).astype(np.float32) * 0.1 for length in seconds]


@pytest.mark.parametrize("encoder", ["whisper", "xlsr", "hubert"])
@pytest.mark.parametrize("head", ["plain", "large"])
def test_it_gives_what_the_trained_model_gives(trained, encoder, head):
    path, model = trained(encoder, head)
    embedder = SpeechEmbedder.load(path)
    recordings = waves(1.0, 2.5, 0.3)
    embeddings, frames = embedder.encode(recordings), embedder.frames(recordings)
    assert embeddings.shape == (3, 12) and embedder.dim == 12
    assert embeddings.dtype == np.float32
    for row, wave in enumerate(recordings):
        with torch.no_grad():
            expected = model(torch.from_numpy(wave)[None])
        np.testing.assert_allclose(embeddings[row], expected.embedding[0], atol=1e-5)
        np.testing.assert_allclose(frames[row], expected.frames[0], atol=1e-4)


def test_results_do_not_depend_on_order_or_batches(trained):
    path, _ = trained("hubert")
    recordings = waves(1.0, 3.0, 0.3, 2.0, 1.7)
    together = SpeechEmbedder.load(path).encode(recordings)
    reverse = SpeechEmbedder.load(path).encode(recordings[::-1])[::-1]
    alone = SpeechEmbedder.load(path, batch_seconds=0.001).encode(recordings)
    np.testing.assert_allclose(together, reverse, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_every_kind_of_recording_is_taken(trained, tmp_path):
    path, _ = trained()
    embedder = SpeechEmbedder.load(path, root=tmp_path)
    [wave] = waves(1.0)
    wave = np.round(wave * 2**15) / 2**15
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="PCM_16")
    encoded = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.zip").write_bytes(b"12345" + encoded)
    kinds = [
        tmp_path / "a.wav",
        "a.wav",
        f"b.zip:5:{len(encoded)}",
        wave,
        torch.from_numpy(wave),
        wave.astype(np.float64),
    ]
    embeddings = embedder.encode(kinds)
    assert np.abs(embeddings - embeddings[0]).max() < 1e-5
    for one in (kinds[0], "a.wav", wave, torch.from_numpy(wave)):
        assert embedder.encode(one).shape == (1, 12)
    assert embedder.encode(np.stack([wave, wave])).shape == (2, 12)
    assert embedder.encode([]).shape == (0, 12)


def test_a_long_recording_is_the_weighted_mean_of_its_segments(trained):
    path, _ = trained()
    embedder = SpeechEmbedder.load(path)
    [wave] = waves(45.0)
    wave[15 * RATE : 16 * RATE] = 0.0
    [segments] = embedder.encode_segments(wave)
    ends = [segment.end_seconds for segment in segments]
    assert ends[0] == pytest.approx(15.5, abs=0.1)
    assert ends[-1] == 45.0
    assert [segment.start_seconds for segment in segments] == [0.0, *ends[:-1]]
    first = wave[: round(ends[0] * RATE)]
    np.testing.assert_allclose(segments[0].embedding, embedder.encode(first)[0], atol=1e-5)
    active = np.array([ends[0] - 0.5, ends[1] - ends[0] - 0.5, *np.diff(ends[1:])])
    mean = (active[:, None] * [segment.embedding for segment in segments]).sum(axis=0) / active.sum()
    np.testing.assert_allclose(embedder.encode(wave)[0], mean, atol=1e-3)
    [frames] = embedder.frames(wave)
    assert abs(len(frames) - 45 * 50) <= len(segments)


def test_bad_recordings_are_named(trained, tmp_path):
    embedder = SpeechEmbedder.load(trained()[0])
    good = waves(1.0)[0]
    for bad, message in [
        (np.zeros((2, 100), dtype=np.float32), r"recording 1: `samples`.*shape \(2, 100\)"),
        (np.zeros(100, dtype=np.int16), "recording 1: `samples`.*int16"),
        (np.full(100, np.nan, dtype=np.float32), "recording 1: `samples`.*NaN"),
        (np.zeros(0, dtype=np.float32), r"recording 1: `samples`.*shape \(0,\)"),
        (tmp_path / "absent.wav", r"absent\.wav"),
    ]:
        with pytest.raises(AudioError, match=message):
            embedder.encode([good, bad])


def test_it_is_what_the_package_hands_out(trained):
    assert fairseq_samu.SpeechEmbedder is SpeechEmbedder
    path, _ = trained()
    first, second = SpeechEmbedder.load(path), SpeechEmbedder.load(str(path))
    assert first.fingerprint == second.fingerprint
    assert len(first.fingerprint) == 64


def test_a_checkpoint_without_a_head_is_refused(trained):
    path, _ = trained()
    content = torch.load(path, weights_only=True)
    content["model"] = {name: value for name, value in content["model"].items() if not name.startswith("head.")}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="an encoder with a sentence head"):
        SpeechEmbedder.load(path)


def test_training_options_of_the_run_do_not_matter(trained):
    path, model = trained(mask_time_prob=0.5, encoder_layerdrop=0.5, head_dropout=0.5)
    embedder = SpeechEmbedder.load(path)
    assert embedder.encoder.layerdrop == 0.0
    assert not embedder.encoder.training and not embedder.head.training
    [wave] = waves(1.0)
    with torch.no_grad():
        np.testing.assert_allclose(embedder.encode(wave), model(torch.from_numpy(wave)[None]).embedding, atol=1e-5)
