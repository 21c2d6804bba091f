"""`fairseq-samu convert`: what it writes is read by transformers and by this package, with the same results."""

import json

import numpy as np
import pytest
import torch

from fairseq_samu.checkpoints import read_speech_encoder
from fairseq_samu.cli.main import main
from fairseq_samu.inference.speech_embedder import SpeechEmbedder

RATE = 16_000


@pytest.fixture
def wave():
    return np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.1


@pytest.mark.parametrize("encoder", ["xlsr", "hubert"])
def test_wav2vec2_is_exported_for_transformers(trained, tmp_path, wave, encoder):
    transformers = pytest.importorskip("transformers")
    path, model = trained(encoder)
    assert main(["convert", "--to", "huggingface", str(path), str(tmp_path / "out")]) == 0
    theirs, report = transformers.Wav2Vec2Model.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    inputs = extractor(wave, sampling_rate=RATE, return_tensors="pt").input_values
    with torch.no_grad():
        difference = theirs.eval()(inputs).last_hidden_state - model(torch.from_numpy(wave)[None]).frames
    # Where waves are normalised, transformers has 1e-7 under the root, this package the host's 1e-5.
    assert difference.abs().max() < (1e-5 if encoder == "hubert" else 1e-2)


def test_whisper_is_exported_for_transformers(trained, tmp_path, wave):
    transformers = pytest.importorskip("transformers")
    path, model = trained("whisper")
    assert main(["convert", "--to", "huggingface", str(path), str(tmp_path / "out")]) == 0
    theirs, report = transformers.WhisperModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    features = extractor(wave, sampling_rate=RATE, return_tensors="pt").input_features
    window = torch.nn.functional.pad(torch.from_numpy(wave), (0, 29 * RATE))[None]
    with torch.no_grad():
        difference = theirs.encoder.eval()(features).last_hidden_state - model(window).frames
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("encoder", ["whisper", "xlsr", "hubert"])
@pytest.mark.parametrize("head", ["plain", "large"])
def test_an_exported_directory_embeds_like_its_checkpoint(trained, tmp_path, wave, encoder, head):
    path, _ = trained(encoder, head)
    out = tmp_path / "out"
    assert main(["convert", str(path), str(out), "--to", "huggingface"]) == 0
    first, second = SpeechEmbedder.load(path), SpeechEmbedder.load(out)
    assert np.array_equal(first.encode(wave), second.encode(wave))
    assert first.fingerprint == second.fingerprint
    assert "/of/the/training" not in "".join(file.read_text() for file in out.glob("*.json"))


def test_info_is_json_of_kind_groups_and_fingerprint(trained, tmp_path, capsys):
    path, model = trained("xlsr", "large")
    main(["convert", "--to", "huggingface", str(path), str(tmp_path / "out")])
    described = []
    for checkpoint in (path, tmp_path / "out"):
        assert main(["convert", "--info", str(checkpoint)]) == 0
        described.append(json.loads(capsys.readouterr().out))
    first, second = described
    assert (first.pop("kind"), second.pop("kind")) == ("training checkpoint", "exported directory")
    assert first["fingerprint"] == second["fingerprint"]
    assert first["head_fingerprint"] == second["head_fingerprint"]
    assert first["parameters"] == second["parameters"]
    expected = {name: sum(p.numel() for p in group) for name, group in model.parameter_groups().items()}
    expected["total"] = sum(p.numel() for p in model.parameters())
    assert first["parameters"] == expected
    assert first["head"] == {"embedding_dim": 12, "num_pooling_heads": 2, "frame_perceptron_dim": 16}
    assert first["left_over"] == []


def test_an_encoder_alone_is_exported_without_a_head(trained, tmp_path, capsys):
    path, _ = trained("hubert")
    content = torch.load(path, weights_only=True)
    content["model"] = {name: value for name, value in content["model"].items() if not name.startswith("head.")}
    torch.save(content, path)
    assert main(["convert", "--to", "huggingface", str(path), str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out" / "samu_head.safetensors").exists()
    loaded = read_speech_encoder(tmp_path / "out")
    assert loaded.head is None
    assert main(["convert", "--info", str(tmp_path / "out"), "--json", str(tmp_path / "info.json")]) == 0
    assert json.loads((tmp_path / "info.json").read_text())["head"] is None


def test_faults_are_one_message_and_leave_nothing(trained, tmp_path, capsys):
    path, _ = trained()
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    assert main(["convert", "--to", "huggingface", str(path), str(full)]) == 1
    assert "must be new or empty" in capsys.readouterr().err
    assert main(["convert", "--info", str(tmp_path / "absent.pt")]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert [item.name for item in full.iterdir()] == ["mine.txt"]
    for arguments in (["--to", "huggingface", str(path)], ["--info", str(path), str(full)], [str(path)]):
        with pytest.raises(SystemExit) as caught:
            main(["convert", *arguments])
        assert caught.value.code == 2


def test_an_export_that_fails_leaves_nothing(trained, tmp_path, monkeypatch, capsys):
    path, _ = trained()

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    (tmp_path / "out").mkdir()  # an empty directory may be given
    monkeypatch.setattr("fairseq_samu.checkpoints.huggingface_export.write_tensors", full_disk)
    assert main(["convert", "--to", "huggingface", str(path), str(tmp_path / "out")]) == 1
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out", path.name]
    monkeypatch.undo()
    assert main(["convert", "--to", "huggingface", str(path), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "model.safetensors").is_file()
