"""The pre-trained weights that a speech translation model was trained from, by the model's own names."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints import read_mbart, read_speech_encoder
from fairseq_samu.data.language_tags import tag_token
from fairseq_samu.data.vocabulary import Vocabulary

EMBEDDING = "decoder.embed_tokens.weight"


def read_pretrained_base(
    config: dict[str, Any], vocabulary: Vocabulary, encoder: str | Path | None, decoder: str | Path | None
) -> dict[str, Tensor]:
    """Read pre-trained weights as a model with this vocabulary has them before training.

    Args:
        config: of the model, as ``LoadedTranslator.config``.
        vocabulary: of the model, perhaps trimmed or with added languages.
        encoder: what ``read_speech_encoder`` takes; None leaves it out.
        decoder: what ``read_mbart`` takes; None leaves it out.

    Returns:
        Tensors by the model's own names.

    Raises:
        CheckpointError: when a file cannot be read, or its vocabulary lacks tokens of the model's.
    """
    base: dict[str, Tensor] = {}
    if encoder is not None:
        base.update({f"encoder.{name}": tensor for name, tensor in read_speech_encoder(encoder).state.items()})
    if decoder is not None:
        text = read_mbart(decoder)
        base.update({f"decoder.{name}": tensor for name, tensor in text.state.items()})
        whole = Vocabulary.from_tokens(text.tokens, text.sentencepiece)
        rows = dict(whole.dictionary.indices)
        rows.update(_rows_of_added(str(config.get("task", {}).get("added_languages") or ""), whole))
        # A token that is missing means another base; row 0 in its place lets the fingerprint say so.
        base[EMBEDDING] = base[EMBEDDING][torch.tensor([rows.get(token, 0) for token in vocabulary.tokens])]
    return base


def _rows_of_added(languages: str, whole: Vocabulary) -> dict[str, int]:
    """Tags of ``be=ru,ca=es``, each with the row of its relative, from which it began."""
    pairs = [item.strip().split("=") for item in languages.split(",") if item.strip()]
    return {tag_token(code): whole.tag(like) for code, like in pairs}
