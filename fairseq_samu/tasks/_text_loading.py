"""The text side of a training run: vocabulary, sizes and weights, of mBART's decoder or of a translator of texts."""

import json
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.text_parts import BETWEEN, PARTS, LoadedTextParts, read_text_parts
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.adapter_options import ADAPTER_MARK
from fairseq_samu.models.speech_encoder_options import parse_sizes
from fairseq_samu.models.textual_encoder import TextConfig
from fairseq_samu.tasks._decoder_loading import read_pretrained_text
from fairseq_samu.tasks._encoder_loading import warn_of_adapters
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig

logger = logging.getLogger(__name__)
EXTRACTORS = "extractors."  # a run may put them in, or leave them out
UPDATES = "num_updates"  # of the run that the checkpoint is from


class TextSide(Protocol):
    """What a run starts from on the side of text."""

    vocabulary: Vocabulary

    def configure(self, model_cfg: Any) -> None:
        """Write the sizes into the options of the model."""
        ...

    def load_into(self, model: Any, model_cfg: Any) -> None:
        """Copy weights into the built model, where there are any."""
        ...


@dataclass
class TranslatorText:
    """Textual encoder and decoder of the model multitask_st.

    Attributes:
        vocabulary: of the checkpoint, or of the pieces given.
        loaded: the checkpoint's parts; None from scratch.
    """

    vocabulary: Vocabulary
    loaded: LoadedTextParts | None

    def configure(self, model_cfg: Any) -> None:
        """Write the sizes, whole, into ``text_config``.

        Raises:
            ConfigError: a size is unknown or impossible, or another than the checkpoint's.
        """
        given = parse_sizes("text_config", model_cfg.text_config)
        if self.loaded is not None:
            own = self.loaded.config
            others = {name: value for name, value in given.items() if own.get(name) != value}
            if others:
                mend = "Leave --text-config out: the sizes are read from --text-path."
                raise ConfigError(explain("", "text_config", f"as in {model_cfg.text_path}", others, mend))
            given = own
        model_cfg.text_config = json.dumps(TextConfig.from_dict(given).to_dict())

    def load_into(self, model: Any, model_cfg: Any) -> None:
        """Copy textual encoder and decoder; extractors and adapters that only one of the two has stay as they are.

        Projection, compressor and length adapter are copied where both have them, and a warning names what a model of
        speech leaves out; the compressor begins anew to count updates.

        Raises:
            CheckpointError: other weights do not fit.
        """
        if self.loaded is None:
            return
        for prefix in (*PARTS, *BETWEEN):
            part: nn.Module | None = getattr(model, prefix.rstrip("."))
            state = {name.removeprefix(prefix): t for name, t in self.loaded.state.items() if name.startswith(prefix)}
            if prefix in BETWEEN and (part is None or not state):
                if state and model.encoder is not None:
                    logger.warning(f"{model_cfg.text_path}: its {prefix[:-1]} is left out, since this model has none")
                continue
            assert part is not None
            state.pop(UPDATES, None)
            report = load_strict(part, state, where=model_cfg.text_path, optional=_is_optional)
            logger.info(f"{prefix[:-1]} from {model_cfg.text_path}: {report.text()}")
            warn_of_adapters(report, model_cfg.text_path, prefix[:-1], "--decoder-adapter-dim")


def _is_optional(name: str) -> bool:
    return name.startswith((EXTRACTORS, UPDATES)) or ADAPTER_MARK in name


def read_text_side(cfg: MultitaskStConfig, model_cfg: Any) -> TextSide:
    """Read vocabulary and pre-trained text parts of a training run, for either model.

    Args:
        cfg: options of the task.
        model_cfg: options of the model.

    Raises:
        ConfigError: there is no vocabulary, it lacks a language, or an option cannot be used with a checkpoint.
        CheckpointError: what is pre-trained is incomplete, damaged, or of another kind.
    """
    if not hasattr(model_cfg, "text_config"):
        return read_pretrained_text(cfg, model_cfg)
    if not model_cfg.text_path:
        return TranslatorText(read_pretrained_text(cfg, model_cfg).vocabulary, None)
    faults = [
        explain("multitask_st", name, "left out with text_path", getattr(cfg, name), f"Leave {option} out.")
        for name, option in (
            ("added_languages", "--added-languages"),
            ("trim_vocabulary", "--trim-vocabulary"),
            ("sentencepiece_model", "--sentencepiece-model"),
            ("vocabulary_languages", "--vocabulary-languages"),
        )
        if getattr(cfg, name)
    ]
    if faults:
        raise ConfigError(report_all(faults))
    loaded = read_text_parts(model_cfg.text_path)
    vocabulary = Vocabulary()
    vocabulary.load_state_dict(loaded.vocabulary)
    return TranslatorText(vocabulary, loaded)
