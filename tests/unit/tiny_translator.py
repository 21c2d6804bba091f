"""A speech translation model so small that tests can build, save and take it apart."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartConfig, SamuXlsrMbartModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.tiny_sentencepiece import train_model

ENCODER = {
    "family": "wav2vec2", "extractor_norm": "layer", "pre_norm": True, "conv_bias": True, "normalize": True,
    "dim": 32, "ffn_dim": 48, "num_layers": 2, "num_heads": 4, "conv_pos": 16, "conv_pos_groups": 4,
    "conv_layers": [[16, 10, 5], *[[16, 3, 2]] * 4, *[[16, 2, 2]] * 2],
}  # fmt: skip
DECODER = {"dim": 32, "ffn_dim": 40, "num_layers": 2, "num_heads": 4, "max_positions": 64}


@dataclass
class TinyTranslator:
    """A model and what a checkpoint holds beside it.

    Attributes:
        model: the model.
        vocabulary: of its decoder.
        settings: its options.
        sentencepiece: file of the pieces.
    """

    model: SamuXlsrMbartModel
    vocabulary: Vocabulary
    settings: dict[str, Any]
    sentencepiece: Path

    def save(self, path: Path, **task: Any) -> Path:
        """Write a checkpoint as the host does, with traces of the training machine."""
        config = {
            "common": {"seed": 3, "fp16": False, "bf16": False, "tensorboard_logdir": "/nowhere/logs"},
            "model": {**self.settings, "encoder_path": "/nowhere/xlsr.pt", "decoder_path": "/nowhere/mbart"},
            "task": {"_name": "multitask_st", "data": "/nowhere/data", "tasks": "st", **task},
            "criterion": {"_name": "ctc_ce"},
            "checkpoint": {"save_dir": "/nowhere/checkpoints"},
        }
        state = {
            "args": None,
            "cfg": config,
            "model": self.model.state_dict(),
            "task_state": {"vocabulary": self.vocabulary.state_dict()},
            "optimizer_history": [{"optimizer_name": "FairseqAdam", "num_updates": 9, "lr_scheduler_state": {}}],
            "last_optimizer_state": {"state": {}},
            "extra_state": {"train_iterator": {"epoch": 2}},
        }
        torch.save(state, path)
        return path

    def groups(self) -> dict[str, str]:
        """Names of the tuned parameters with their groups."""
        return {name: self.model.group_of(name) for name, _ in self.model.tuned_parameters()}

    def train(self, seed: int = 1) -> None:
        """Move what is tuned, as training would."""
        torch.manual_seed(seed)
        with torch.no_grad():
            for _, parameter in self.model.tuned_parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)


def make_translator(folder: Path, vocabulary: Vocabulary | None = None, **options: Any) -> TinyTranslator:
    """Build a model with adapters and random weights; without a vocabulary, with all of mBART-50's tags."""
    sentencepiece = train_model(folder)
    vocabulary = vocabulary or Vocabulary.from_sentencepiece(sentencepiece)
    settings = {
        "_name": "samu_xlsr_mbart",
        "encoder_config": json.dumps(ENCODER),
        "decoder_config": json.dumps(DECODER),
        "adapter_dim": 8,
        "decoder_dropout": 0.0,
        "tuned_groups": "encoder_adapters,cross_attention,layer_norms",
        "seed": 3,
        **options,
    }
    cfg = SamuXlsrMbartConfig(**{name: value for name, value in settings.items() if name != "_name"})
    torch.manual_seed(0)
    model = SamuXlsrMbartModel(cfg, build_configured_encoder(cfg), len(vocabulary)).eval()
    return TinyTranslator(model, vocabulary, settings, sentencepiece)
