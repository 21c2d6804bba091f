"""The vocabulary of a training run, and the pre-trained decoder that it belongs to."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.mbart import LoadedDecoder, read_mbart
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.targets import TargetTexts, required_columns
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.adapter_options import ADAPTER_MARK
from fairseq_samu.models.mbart_decoder import MBartDecoder
from fairseq_samu.models.speech_encoder_options import parse_sizes
from fairseq_samu.tasks._multitask_st_config import (
    MultitaskStConfig,
    manifests_to_trim_by,
    parse_added_languages,
    parse_tasks,
)
from fairseq_samu.tasks._task_mixing_config import reads_speech

logger = logging.getLogger(__name__)
SENTENCEPIECE_FILE = "sentencepiece.model"


@dataclass
class PretrainedText:
    """What a run starts from on the side of text.

    Attributes:
        vocabulary: after added languages and trimming.
        loaded: the decoder's file, or None from scratch.
        relatives: for every added language the token of its relative, in the file's numbering.
        kept: tokens of the (extended) vocabulary of the file that are kept, or None where all are.
    """

    vocabulary: Vocabulary
    loaded: LoadedDecoder | None
    relatives: list[int]
    kept: Tensor | None

    def configure(self, model_cfg: Any) -> None:
        """Write the sizes of the decoder: those of the file, or those given, over mBART-50's."""
        given = parse_sizes("decoder_config", model_cfg.decoder_config or "{}")
        sizes = {**self.loaded.config} if self.loaded else given
        sizes.pop("tied", None)
        sizes["vocabulary_size"] = len(self.vocabulary)
        sizes["num_added_tags"] = len(self.relatives)
        model_cfg.decoder_config = json.dumps(sizes)

    def load_into(self, model: Any, model_cfg: Any) -> None:
        """Copy the file's weights into the decoder of a model of this vocabulary.

        Raises:
            CheckpointError: they do not fit.
        """
        decoder: MBartDecoder | None = model.decoder
        if decoder is None or self.loaded is None or not self.loaded.state:
            return
        path = model_cfg.decoder_path
        state = dict(self.loaded.state)
        embedding = state["embed_tokens.weight"]
        if self.relatives:
            embedding = torch.cat([embedding, embedding[torch.tensor(self.relatives)]])
        state["embed_tokens.weight"] = embedding if self.kept is None else embedding[self.kept]
        if decoder.added_tags is not None:
            state["added_tags"] = torch.zeros_like(decoder.added_tags)
        report = load_strict(
            decoder, state, where=path, left_over=self.loaded.left_over, optional=lambda name: ADAPTER_MARK in name
        )
        logger.info(f"decoder from {path} ({self.loaded.source}): {len(report.matched)} names matched and were loaded")


def read_pretrained_text(cfg: MultitaskStConfig, model_cfg: Any) -> PretrainedText:
    """Read vocabulary and decoder of a training run.

    Args:
        cfg: options of the task.
        model_cfg: options of the model.

    Raises:
        ConfigError: there is no vocabulary, or it lacks a language.
        CheckpointError: the decoder's folder is incomplete or damaged.
    """
    path = getattr(model_cfg, "decoder_path", "")
    loaded = read_mbart(path) if path else None
    if loaded is not None:
        vocabulary = Vocabulary.from_tokens(loaded.tokens, loaded.sentencepiece)
    else:
        languages = [code.strip() for code in cfg.vocabulary_languages.split(",") if code.strip()]
        vocabulary = Vocabulary.from_sentencepiece(_find_pieces(cfg), languages or None)
    added = parse_added_languages(cfg.added_languages)
    relatives = [vocabulary.add_language(code, like)[1] for code, like in added]
    kept = find_kept(cfg, vocabulary, [code for code, _ in added]) if cfg.trim_vocabulary else None
    if kept is not None:
        whole = len(vocabulary)
        vocabulary.trim(kept)
        logger.info(f"vocabulary trimmed from {whole:,} to {len(vocabulary):,} tokens")
    if loaded is not None and model_cfg.decoder_from_scratch:
        loaded.state.clear()
    return PretrainedText(vocabulary, loaded, relatives, kept)


def find_kept(cfg: MultitaskStConfig, vocabulary: Vocabulary, languages: Sequence[str]) -> Tensor:
    """Find the tokens of the texts that ``trim_vocabulary`` names.

    Args:
        cfg: options of the task.
        vocabulary: as it is before.
        languages: codes of languages that keep their tags, beside those of the texts.

    Returns:
        (V',) int64.

    Raises:
        ManifestError: a manifest breaks a rule, lacks a column, or a language has no tag.
    """
    tasks = parse_tasks(cfg.tasks)
    reads_sources = cfg.joint_tasks or not all(map(reads_speech, tasks))  # transcripts, or sources to translate
    columns = [name for name in required_columns(tasks, True, cfg.target_language) if name not in ("audio", "n_frames")]

    def texts() -> Any:
        for path in manifests_to_trim_by(cfg):
            manifest = read_manifest(path, columns)
            for targets in (TargetTexts(manifest, vocabulary, task, cfg.target_language) for task in tasks):
                for index, row in enumerate(manifest):
                    language = targets.language_of(index)
                    yield getattr(row, targets.columns.text), language
                    if reads_sources and row.src_text:
                        yield row.src_text, language  # whose own language needs no tag

    return vocabulary.kept_ids(texts(), languages)


def _find_pieces(cfg: MultitaskStConfig) -> Path:
    path = Path(cfg.sentencepiece_model or Path(cfg.data) / SENTENCEPIECE_FILE)
    if not path.is_file():
        mend = "Give --decoder-path, or train pieces with `fairseq-samu prepare sentencepiece`."
        raise ConfigError(explain("multitask_st", "sentencepiece_model", "a file", path, mend))
    return path
