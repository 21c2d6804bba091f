"""Building a trained translation model from what a file says of it, and proving that it is the right one."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.trained_translator import LoadedTranslator
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.models.adapter_probe import make_probe_wave
from fairseq_samu.models.multitask_st import MultitaskOutput, MultitaskStConfig, MultitaskStModel
from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartConfig, SamuXlsrMbartModel

TranslationModel = SamuXlsrMbartModel | MultitaskStModel
MODELS: dict[str, tuple[Any, Any]] = {
    "samu_xlsr_mbart": (SamuXlsrMbartConfig, SamuXlsrMbartModel),
    "multitask_st": (MultitaskStConfig, MultitaskStModel),
}
"""Options and class of a model by its registered name."""

PROBE_TOKENS = 8
PROBE_COLUMNS = 64  # of the logits for CTC


def build_vocabulary(state: Mapping[str, Tensor]) -> Vocabulary:
    """Build a vocabulary of what a file holds of it.

    Raises:
        ConfigError: when that is incomplete.
    """
    vocabulary = Vocabulary()
    vocabulary.load_state_dict(state)
    return vocabulary


def build_translator(
    loaded: LoadedTranslator,
    vocabulary: Vocabulary,
    where: str = "checkpoint",
    optional: Callable[[str], bool] = lambda name: False,
) -> TranslationModel:
    """Build a trained model with its weights.

    Args:
        loaded: config and weights.
        vocabulary: of the model.
        where: name of the file, for messages.
        optional: names of weights that the file may lack.

    Returns:
        The model in evaluation mode, in float32; which parameters need gradients tells what was tuned.

    Raises:
        CheckpointError: when the weights do not fit the config.
        ConfigError: when the config is impossible.
    """
    cfg = model_options(loaded)
    model_class = MODELS[loaded.architecture][1]
    model: TranslationModel = model_class.build_model(cfg, SimpleNamespace(target_dictionary=vocabulary.dictionary))
    load_strict(model, loaded.state, where=where, optional=optional)
    return model.eval()


def model_options(loaded: LoadedTranslator) -> Any:
    """Options of a trained model; those that this version does not know are left out."""
    config_class = MODELS[loaded.architecture][0]
    known = {item.name for item in fields(config_class)}
    return config_class(**{name: value for name, value in loaded.settings.items() if name in known})


@torch.no_grad()
def probe_translator(model: TranslationModel) -> dict[str, Tensor]:
    """Outputs of a model for a fixed second of noise and fixed first tokens, by which to know it again.

    Where adapters have names, the input goes through the first one.

    Args:
        model: in float32; is left in evaluation mode.

    Returns:
        ``frames`` (T, D) of the speech encoder, or ``states`` (S, D) of a textual encoder; ``hidden`` (U, D) where
        there is a decoder; ``ctc_logits`` (T, at most 64) where there is a head for CTC; all float32 on the CPU.
    """
    model.eval()
    device = next(model.parameters()).device
    wave = make_probe_wave()
    size = model.decoder.config.vocabulary_size if model.decoder is not None else PROBE_TOKENS
    # the end, which begins a text, and tokens all over the vocabulary, the last ones (tags) too
    tokens = torch.linspace(2, size - 1, PROBE_TOKENS).long().unsqueeze(0).to(device)
    inputs = {"source_tokens": tokens} if model.encoder is None else {"source": wave.to(device)}
    first = torch.zeros(1, dtype=torch.int64, device=device) if model.adapter_names else None
    out = model(**inputs, prev_output_tokens=tokens, source_adapters=first, target_adapters=first)
    found = {"states": out.states[0]} if isinstance(out, MultitaskOutput) else {"frames": out.frames[0]}
    if out.hidden is not None:
        found["hidden"] = out.hidden[0]
    if out.ctc_logits is not None:
        found["ctc_logits"] = out.ctc_logits[0, :, :PROBE_COLUMNS]
    return {name: tensor.float().cpu().contiguous() for name, tensor in found.items()}
