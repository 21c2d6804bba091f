"""The data set of a split: its manifests read for every task, and the tasks put together."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.joint_dataset import JointTaskDataset
from fairseq_samu.data.manifest import Manifest, read_manifest
from fairseq_samu.data.manifest_scan import scan_header
from fairseq_samu.data.mixed_corpora import MixedCorpora
from fairseq_samu.data.multitask_dataset import MultitaskDataset
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.data.targets import SourceTexts, TargetTexts, required_columns
from fairseq_samu.data.text_noise import TextNoise
from fairseq_samu.data.text_pairs import TextPairDataset
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, parse_tasks
from fairseq_samu.tasks._speech_data_config import make_dataset_options
from fairseq_samu.tasks._task_mixing_config import manifests_of_task, parse_task_ratios, reads_speech

logger = logging.getLogger(__name__)
SOURCE = "src_text"


def build_dataset(
    cfg: MultitaskStConfig,
    vocabulary: Vocabulary,
    split: str,
    for_decoding: bool,
    max_positions: Optional[int] = None,
) -> Any:
    """Read the manifests of a split and check their languages.

    One task is a data set of its own; several are batches of one task each (:class:`MultitaskDataset`), or in training
    with ``joint_tasks`` batches of all of them (:class:`JointTaskDataset`). With ``joint_tasks``, batches of speech
    have transcripts wherever the manifests of their task have ``src_text``, in validation too.

    Args:
        cfg: options of the task.
        vocabulary: turns texts into tokens.
        split: name of the manifest; those that begin with ``train`` are for training, and take ``extra_manifests`` in.
        for_decoding: the rows are decoded: every one of them is used as it is, and they may lack the texts to be
            written.
        max_positions: most tokens of a text that the model's positions reach; None for no limit.

    Raises:
        ManifestError: a manifest breaks a rule, lacks a column, a language has no tag, or a text is too long. Pairs of
            texts that are too long are left out of training instead, and counted.
    """
    reader = _SplitReader(cfg, vocabulary, split, for_decoding, max_positions)
    joint = cfg.joint_tasks and reader.options.training
    left_out = ("asr",) if joint and cfg.shared_asr else ()  # it learns from the main task's rows
    parts = {task: reader.read_task(task) for task in reader.tasks if task not in left_out}
    if joint:
        return JointTaskDataset(parts, parse_task_ratios(cfg.task_ratios), cfg.seed)
    return MultitaskDataset(parts) if len(parts) > 1 else parts[reader.tasks[0]]


class _SplitReader:
    """Reads the manifests of a split; those that tasks share once."""

    def __init__(
        self,
        cfg: MultitaskStConfig,
        vocabulary: Vocabulary,
        split: str,
        for_decoding: bool,
        max_positions: Optional[int],
    ) -> None:
        self.cfg = cfg
        self.vocabulary = vocabulary
        self.split = split
        self.for_decoding = for_decoding
        self.max_positions = max_positions
        self.tasks = parse_tasks(cfg.tasks)
        options = make_dataset_options(cfg, split)
        self.options = replace(options, training=options.training and not for_decoding)
        self._shared: dict[Path, Manifest] = {}

    def read_task(self, task: str) -> Any:
        """Data set of a task, of one corpus or of several."""
        paths = self._paths(task)
        manifests = [self._manifest(path, task) for path in paths]
        options = [self.options, *(replace(self.options, audio_root=path.parent) for path in paths[1:])]
        if reads_speech(task):
            with_transcripts = self._have_transcripts(manifests)
            corpora: list[Any] = [
                self._speech(task, manifest, option, with_transcripts)
                for manifest, option in zip(manifests, options, strict=True)
            ]
        else:
            corpora = [self._pairs(manifest, option) for manifest, option in zip(manifests, options, strict=True)]
        return corpora[0] if len(corpora) == 1 else MixedCorpora(corpora, self.cfg.corpus_temperature)

    def _paths(self, task: str) -> list[Path]:
        paths = manifests_of_task(self.cfg, task, self.split)
        return paths if self.options.training else paths[:1]

    def _manifest(self, path: Path, task: str) -> Manifest:
        if path not in self._shared:
            sharing = [other for other in self.tasks if path in self._paths(other)]
            columns = required_columns(sharing, not self.for_decoding, self.cfg.target_language)
            if self.cfg.joint_tasks and not self.for_decoding and SOURCE in scan_header(str(path)):
                columns = list(dict.fromkeys([*columns, SOURCE]))
            self._shared[path] = read_manifest(path, columns)
        return self._shared[path]

    def _have_transcripts(self, manifests: list[Manifest]) -> bool:
        """Whether batches of a task get transcripts: where they are asked for and all of its manifests have them."""
        if not self.cfg.joint_tasks or self.for_decoding:
            return False
        without = [manifest.path for manifest in manifests if SOURCE not in manifest.columns]
        if without and len(without) < len(manifests):
            logger.warning(f"no transcripts beside the targets, because manifests lack {SOURCE}: {', '.join(without)}")
        return not without

    def _speech(
        self, task: str, manifest: Manifest, options: DatasetOptions, with_transcripts: bool
    ) -> SpeechTextDataset:
        targets = TargetTexts(manifest, self.vocabulary, task, self.cfg.target_language)
        if not self.for_decoding and self.max_positions is not None:
            targets.require_length(self.max_positions)
        transcripts = SourceTexts(manifest, self.vocabulary) if with_transcripts else None
        return SpeechTextDataset(manifest, options, targets=targets, transcripts=transcripts)

    def _pairs(self, manifest: Manifest, options: DatasetOptions) -> TextPairDataset:
        cfg = self.cfg
        noise = None
        if options.training and cfg.source_noise_prob > 0:
            noise = TextNoise(self.vocabulary, cfg.source_noise_prob, cfg.source_noise_share, cfg.seed)
        return TextPairDataset(
            manifest,
            self.vocabulary,
            options,
            noise,
            language=cfg.target_language,
            max_batch_tokens=cfg.max_text_tokens if any(map(reads_speech, self.tasks)) else None,
            max_positions=self.max_positions,
        )
