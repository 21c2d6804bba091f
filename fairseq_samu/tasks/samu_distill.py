"""The task of distilling a sentence-embedding teacher into a speech encoder."""

import json
import logging
from pathlib import Path
from typing import Any, Optional

import torch
from fairseq import metrics
from fairseq.tasks import FairseqTask, register_task
from omegaconf import open_dict

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.saving import make_host_saving_atomic
from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.augmentation import WaveformAugmenter
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.models.tuning import describe_groups
from fairseq_samu.tasks._feature_caching import attach_feature_cache
from fairseq_samu.tasks._retrieval_validation import CandidateTexts
from fairseq_samu.tasks._samu_distill_config import SamuDistillConfig, parse_speed_factors, validate
from fairseq_samu.teachers.table import EmbeddingTable

logger = logging.getLogger(__name__)


@register_task("samu_distill", dataclass=SamuDistillConfig)
class SamuDistillTask(FairseqTask):
    """Speech with transcripts in, an encoder whose utterance embeddings are the teacher's out.

    Source: section III of arXiv:2306.00789. The teacher is a table of embeddings and no part of the model.
    """

    def __init__(self, cfg: SamuDistillConfig, teacher: Optional[EmbeddingTable]) -> None:
        super().__init__(cfg)
        self.teacher = teacher
        self._model: Any = None
        self._candidates: dict[str, CandidateTexts] = {}
        self._validated: Optional[CandidateTexts] = None
        self._cache_seconds = 0.0

    @classmethod
    def setup_task(cls, cfg: SamuDistillConfig, from_checkpoint: bool = False, **kwargs: Any) -> "SamuDistillTask":
        """Open the teacher's table; a task set up from a checkpoint needs neither data nor table."""
        make_host_saving_atomic()
        if from_checkpoint:
            return cls(cfg, None)
        validate(cfg)
        return cls(cfg, EmbeddingTable.open(cfg.teacher_table) if cfg.teacher_table else None)

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model; in training load the encoder's weights and print what is tuned."""
        loaded = None
        if not from_checkpoint and cfg.encoder_path:
            loaded = read_speech_encoder(cfg.encoder_path)
        with open_dict(cfg):
            if loaded is not None:
                cfg.encoder_config = json.dumps(loaded.config)
            if not cfg.embedding_dim and self.teacher is not None:
                cfg.embedding_dim = self.teacher.dim
        model = super().build_model(cfg, from_checkpoint)
        if loaded is not None and not cfg.encoder_from_scratch:
            report = load_strict(model.encoder, loaded.state, where=cfg.encoder_path, left_over=loaded.left_over)
            logger.info(f"speech encoder from {cfg.encoder_path} ({loaded.source}): {report.text()}")
        if not from_checkpoint:
            logger.info("parameters\n" + describe_groups(model.parameter_groups()))
        self._model = model
        return model

    def load_dataset(self, split: str, combine: bool = False, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read the manifest of a split, check that its texts have embeddings, and fill the feature cache.

        Raises:
            ManifestError: the manifest breaks a rule.
            TeacherError: a text has no embedding.
        """
        manifest = read_manifest(Path(self.cfg.data) / f"{split}.tsv")
        dataset = SpeechTextDataset(manifest, self._dataset_options(split), self.teacher)
        if self.teacher is not None:
            self.teacher.require((dataset.text_of(int(row)) for row in dataset.rows), where=str(manifest.path))
        if self.cfg.feature_cache:
            cache = attach_feature_cache(self.cfg.feature_cache, dataset, self._model)
            self._cache_seconds = cache.build_seconds
        self.datasets[split] = dataset
        if self.teacher is not None and not dataset.options.training:
            self._candidates[split] = CandidateTexts(dataset)

    def _dataset_options(self, split: str) -> DatasetOptions:
        cfg = self.cfg
        augment = None
        if cfg.noise_prob > 0 or cfg.gain_db > 0:
            snr = (cfg.noise_min_snr, cfg.noise_max_snr)
            augment = WaveformAugmenter(noise_prob=cfg.noise_prob, noise_snr_db=snr, gain_db=cfg.gain_db)
        return DatasetOptions(
            audio_root=Path(cfg.audio_root or cfg.data),
            seed=cfg.seed,
            training=split.startswith("train"),
            min_audio_seconds=cfg.min_audio_seconds,
            max_audio_seconds=cfg.max_audio_seconds,
            sampling_alpha=cfg.sampling_alpha,
            speed_factors=parse_speed_factors(cfg.speed_factors),
            augment=augment,
            skip_bad_audio=str(cfg.on_bad_audio) == "skip",
            text_column=str(cfg.teacher_text_column),
        )

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """As the host's; the set whose batches come next is the one whose texts are searched."""
        self._validated = next(
            (self._candidates.get(split) for split, known in self.datasets.items() if known is dataset), None
        )
        return super().get_batch_iterator(dataset, *args, **kwargs)

    def valid_step(self, sample: Any, model: Any, criterion: Any) -> Any:
        """As the host's, with the texts of the whole set as candidates of each recording."""
        return super().valid_step(self._validated.add_to(sample) if self._validated else sample, model, criterion)

    def optimizer_step(self, optimizer: Any, model: Any, update_num: int) -> None:
        """As the host's, with the same gradients for one worker as for several.

        What rests gets no gradient, so that weight decay cannot move it. What layerdrop skipped gets a gradient of
        zero, as data-parallel training gives it, so that momentum and decay do not depend on the number of workers.
        """
        module = self._model
        resting = {id(p) for p in module.encoder.parameters()} if module.encoder_rests else set()
        for parameter in module.parameters():
            if id(parameter) in resting:
                parameter.grad = None
            elif parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        super().optimizer_step(optimizer, model, update_num)

    def reduce_metrics(self, logging_outputs: Any, criterion: Any) -> None:
        """Log the criterion's sums, padding, speed in seconds of audio, and what was skipped."""
        super().reduce_metrics(logging_outputs, criterion)
        samples = sum(log.get("ntokens", 0) for log in logging_outputs)
        grid = sum(log.get("grid", 0) for log in logging_outputs)
        if grid:
            metrics.log_scalar("padding", 1.0 - float(samples) / float(grid), float(grid), priority=185, round=4)
            metrics.log_speed("audio_s_per_s", float(samples) / SAMPLE_RATE, priority=95, round=1)
        skipped = sum(log.get("num_skipped", 0) for log in logging_outputs)
        if skipped:
            metrics.log_scalar_sum("num_skipped", float(skipped), priority=186)
        if self._cache_seconds:
            metrics.log_scalar("cache_seconds", self._cache_seconds, weight=0, priority=900, round=1)
