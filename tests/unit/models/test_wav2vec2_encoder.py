import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fairseq_samu.models.speech_encoders import build_speech_encoder

XLSR = {"family": "wav2vec2", "extractor_norm": "layer", "pre_norm": True, "conv_bias": True, "normalize": True}
XLSR_SIZES = {
    "300M": ({"dim": 1024, "ffn_dim": 4096, "num_layers": 24, "num_heads": 16}, 315_438_720),
    "1B": ({"dim": 1280, "ffn_dim": 5120, "num_layers": 48, "num_heads": 16}, 962_497_408),
    "2B": ({"dim": 1920, "ffn_dim": 7680, "num_layers": 48, "num_heads": 16}, 2_159_259_648),
}
CONV = "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] * 2"


@pytest.mark.parametrize("size", list(XLSR_SIZES))
def test_the_published_sizes_are_exact(size):
    sizes, parameters = XLSR_SIZES[size]
    with FakeTensorMode():
        encoder = build_speech_encoder({**XLSR, **sizes})
        assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters


def host_twin(encoder):
    """The host's own model with the same weights."""
    from fairseq.models.wav2vec.wav2vec2 import Wav2Vec2Config, Wav2Vec2Model

    settings = encoder.config()
    host = Wav2Vec2Model(
        Wav2Vec2Config(
            extractor_mode={"layer": "layer_norm", "group": "default"}[settings["extractor_norm"]],
            encoder_layers=settings["num_layers"],
            encoder_embed_dim=settings["dim"],
            encoder_ffn_embed_dim=settings["ffn_dim"],
            encoder_attention_heads=settings["num_heads"],
            layer_norm_first=settings["pre_norm"],
            conv_bias=settings["conv_bias"],
            conv_feature_layers=CONV,
            conv_pos=settings["conv_pos"],
            conv_pos_groups=settings["conv_pos_groups"],
        )
    ).eval()
    keys = host.load_state_dict(encoder.state_dict(), strict=False)
    assert not keys.unexpected_keys
    assert all(key.startswith(("project_q", "final_proj")) for key in keys.missing_keys)
    return host


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("name", ["xlsr", "hubert"])
def test_equals_the_model_of_the_host_on_unpadded_waves(build_tiny, name):
    encoder = build_tiny(name, normalize=False)
    wave = torch.randn(2, 16_003) * 0.1
    with torch.no_grad():
        theirs = host_twin(encoder)(wave, mask=False, features_only=True)["x"]
        ours = encoder(wave).frames
    assert (ours - theirs).abs().max() < 1e-5


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_the_host_fails_on_padding_where_this_encoder_does_not(build_tiny):
    """Why the group norm is masked: the host's frames of a row depend on how much padding stands behind it."""
    encoder = build_tiny("hubert")
    host = host_twin(encoder)
    wave = torch.randn(1, 8_000)
    padded, mask = nn.functional.pad(wave, (0, 8_000)), torch.arange(16_000)[None, :] >= 8_000
    with torch.no_grad():
        alone = encoder(wave).frames
        count = alone.size(1)
        ours = encoder(padded, mask).frames[:, :count] - alone
        theirs = host(padded, mask, mask=False, features_only=True)["x"][:, :count] - alone
    assert ours.abs().max() < 1e-5 < 1e-3 < theirs.abs().max()


def test_normalised_waves_forget_loudness_and_offset(build_tiny):
    encoder = build_tiny("xlsr").double()
    wave = torch.randn(1, 8_000, dtype=torch.float64)
    assert (encoder(wave).frames - encoder(wave * 3.0 + 5.0).frames).abs().max() < 1e-3
    plain = build_tiny("xlsr", normalize=False).double()
    normalised = nn.functional.layer_norm(wave, wave.shape[1:])
    assert (encoder(wave).frames - plain(normalised).frames).abs().max() < 1e-9


def test_frames_are_counted_as_convolutions_leave_them(build_tiny):
    encoder = build_tiny("xlsr")
    assert encoder.receptive_field == 400
    lengths = [0, 399, 400, 719, 720, 16_000, 16_079, 16_080]
    counted = encoder.count_frames(torch.tensor(lengths)).tolist()
    assert counted == [1, 1, 1, 1, 2, 49, 49, 50]
    assert [encoder(torch.randn(1, length)).frames.size(1) for length in lengths[1:]] == counted[1:]


def test_masked_frames_get_the_learned_vector(build_tiny):
    from fairseq_samu.models.training_draws import TrainingDraws

    encoder = build_tiny("xlsr", mask_time_prob=0.5, mask_time_length=2).train()
    encoder(torch.randn(2, 8_000), None, TrainingDraws(0, 0, torch.tensor([0, 1]))).frames.sum().backward()
    assert encoder.mask_emb.grad.any()


def test_same_dimensions_need_no_projection(build_tiny):
    encoder = build_tiny("xlsr", dim=16, project_features=False)
    assert encoder(torch.randn(1, 800)).frames.shape == (1, 2, 16)
    assert not any(name.startswith("post_extract_proj") for name in encoder.state_dict())
