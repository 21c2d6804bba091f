"""Which family builds which speech encoder."""

from typing import Any

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.encoder_configs import Wav2Vec2EncoderConfig, WhisperEncoderConfig
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.whisper_encoder import WhisperEncoder

# Training options that every family has and that a user may set anew over those of a checkpoint.
TRAINING_OPTIONS = (
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "layerdrop",
    "mask_time_prob",
    "mask_time_length",
    "mask_channel_prob",
    "mask_channel_length",
    "checkpoint_activations",
)


def build_speech_encoder(config: dict[str, Any]) -> SpeechEncoder:
    """Build a speech encoder with random weights.

    Args:
        config: ``family`` ("whisper" or "wav2vec2") and the fields of that family's config.

    Returns:
        The encoder; nothing is read from disk.

    Raises:
        ConfigError: when the family or a field is unknown or impossible.
    """
    family = config.get("family")
    if family == "whisper":
        return WhisperEncoder(WhisperEncoderConfig.from_dict(config))
    if family == "wav2vec2":
        from fairseq_samu.models.wav2vec2_encoder import Wav2Vec2Encoder

        return Wav2Vec2Encoder(Wav2Vec2EncoderConfig.from_dict(config))
    mend = "Convert the checkpoint with a version of this package that knows it."
    raise ConfigError(explain("encoder config", "family", "whisper or wav2vec2", family, mend))
