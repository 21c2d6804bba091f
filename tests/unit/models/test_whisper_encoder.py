import numpy as np
import pytest
import torch

from fairseq_samu.errors import AudioError

FULL_WINDOW = 480_000


def huggingface_twin(encoder):
    """The encoder of transformers with the same weights."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = encoder.config()
    twin = WhisperEncoder(
        transformers.WhisperConfig(
            d_model=config["dim"],
            encoder_layers=config["num_layers"],
            encoder_attention_heads=config["num_heads"],
            encoder_ffn_dim=config["ffn_dim"],
        )
    )
    names = {"positions": "embed_positions.weight"}
    twin.load_state_dict({names.get(name, name): tensor for name, tensor in encoder.state_dict().items()})
    return twin.eval(), transformers.WhisperFeatureExtractor()


@pytest.mark.parametrize("samples", [64_077, FULL_WINDOW])
def test_a_full_window_equals_transformers(build_tiny, samples):
    encoder = build_tiny("whisper")
    twin, extractor = huggingface_twin(encoder)
    wave = np.random.default_rng(0).normal(size=samples).astype(np.float32) * 0.1
    window = torch.zeros(1, FULL_WINDOW)
    window[0, :samples] = torch.from_numpy(wave)
    with torch.no_grad():
        theirs = twin(extractor(wave, sampling_rate=16_000, return_tensors="pt").input_features).last_hidden_state
        ours = encoder(window).frames
    assert ours.shape == (1, 1500, 32)
    assert (ours - theirs).abs().max() < 1e-5


def test_positions_are_those_of_transformers(build_tiny):
    transformers = pytest.importorskip("transformers")
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    sizes = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 4}
    theirs = WhisperEncoder(transformers.WhisperConfig(d_model=32, **sizes)).embed_positions.weight
    assert (build_tiny("whisper").positions - theirs).abs().max() < 1e-6


def test_a_short_window_costs_its_own_length(build_tiny):
    encoder = build_tiny("whisper")
    assert encoder(torch.randn(1, 16_000)).frames.shape == (1, 50, 32)
    assert encoder.count_frames(torch.tensor([0, 1, 400, 480, 16_159, FULL_WINDOW])).tolist() == [1, 1, 1, 2, 50, 1500]


def test_a_longer_wave_is_an_error_that_says_what_to_do(build_tiny):
    with pytest.raises(AudioError, match=r"`source` must be at most 30 s long.*Cut the recording"):
        build_tiny("whisper")(torch.zeros(1, FULL_WINDOW + 320))


def test_positions_are_no_parameter(build_tiny):
    encoder = build_tiny("whisper")
    assert "positions" in encoder.state_dict()
    assert "positions" not in dict(encoder.named_parameters())
