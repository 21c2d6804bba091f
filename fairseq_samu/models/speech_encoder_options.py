"""Options of the speech encoder that every model with one has."""

import json
from dataclasses import dataclass, field
from typing import Any

from fairseq.dataclass import FairseqDataclass
from omegaconf import II

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoders import build_speech_encoder


@dataclass
class SpeechEncoderOptions(FairseqDataclass):
    """Options of the speech encoder inside a model."""

    encoder_path: str = field(
        default="",
        metadata={
            "help": "weights of the speech encoder: a fairseq file, a Hugging Face directory, a checkpoint of ours, "
            "or 'whisper-base' for the installed data packages"
        },
    )
    encoder_config: str = field(
        default="", metadata={"help": "sizes of the encoder as JSON; read from encoder_path where empty"}
    )
    encoder_from_scratch: bool = field(
        default=False, metadata={"help": "keep the sizes of encoder_path but none of its weights"}
    )
    mask_time_prob: float = field(default=0.0, metadata={"help": "share of frames masked in training"})
    mask_time_length: int = field(default=10, metadata={"help": "length of a time mask in frames"})
    mask_channel_prob: float = field(default=0.0, metadata={"help": "share of channels masked in training"})
    mask_channel_length: int = field(default=64, metadata={"help": "length of a channel mask in channels"})
    encoder_layerdrop: float = field(default=0.0, metadata={"help": "probability of skipping a layer in training"})
    checkpoint_activations: bool = field(
        default=False, metadata={"help": "recompute the encoder's activations in the backward pass to save memory"}
    )
    seed: int = II("common.seed")


def find_encoder_faults(cfg: SpeechEncoderOptions, model: str) -> list[str]:
    """Describe every option of the encoder that cannot work, for a model's ``validate``."""
    faults = []

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain(model, name, rule, getattr(cfg, name), f"Set {option}."))

    check("encoder_config", bool(cfg.encoder_config), "known once encoder_path was read")
    for name in ("mask_time_prob", "mask_channel_prob", "encoder_layerdrop"):
        check(name, 0.0 <= getattr(cfg, name) < 1.0, "a probability below 1")
    for name in ("mask_time_length", "mask_channel_length"):
        check(name, getattr(cfg, name) > 0, "positive")
    return faults


def build_configured_encoder(cfg: SpeechEncoderOptions) -> SpeechEncoder:
    """Build the encoder of ``encoder_config``, with random weights, trained as the other options say."""
    options = {
        "mask_time_prob": cfg.mask_time_prob,
        "mask_time_length": cfg.mask_time_length,
        "mask_channel_prob": cfg.mask_channel_prob,
        "mask_channel_length": cfg.mask_channel_length,
        "layerdrop": cfg.encoder_layerdrop,
        "checkpoint_activations": cfg.checkpoint_activations,
    }
    return build_speech_encoder({**parse_sizes("encoder_config", cfg.encoder_config), **options})


def parse_sizes(option: str, text: str) -> dict[str, Any]:
    """Read an option that holds sizes as JSON.

    Args:
        option: its name, for messages.
        text: a JSON object.

    Raises:
        ConfigError: it is no JSON object.
    """
    mend = """Write for example '{"dim": 512, "num_layers": 6}', in quotes for the shell."""
    try:
        sizes = json.loads(text)
    except ValueError as error:
        raise ConfigError(explain("", option, f"a JSON object ({error})", text, mend)) from error
    if not isinstance(sizes, dict):
        raise ConfigError(explain("", option, "a JSON object", text, mend))
    return sizes
