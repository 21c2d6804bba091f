"""The task of distilling a sentence-embedding teacher into a speech encoder."""

import json
import logging
from pathlib import Path
from typing import Any, Optional

from fairseq.tasks import register_task
from omegaconf import open_dict

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.saving import make_host_saving_atomic
from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.data.manifest import Manifest, read_manifest
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.models.tuning import describe_groups, mark_groups
from fairseq_samu.tasks._feature_caching import attach_feature_cache
from fairseq_samu.tasks._retrieval_validation import CandidateTexts
from fairseq_samu.tasks._samu_distill_config import SamuDistillConfig, validate
from fairseq_samu.tasks._speech_data_config import make_dataset_options
from fairseq_samu.tasks._speech_task import SpeechTask
from fairseq_samu.teachers.table import EmbeddingTable

logger = logging.getLogger(__name__)


@register_task("samu_distill", dataclass=SamuDistillConfig)
class SamuDistillTask(SpeechTask):
    """Speech with transcripts in, an encoder whose utterance embeddings are the teacher's out.

    Source: section III of arXiv:2306.00789. The teacher is a table of embeddings and no part of the model.
    """

    def __init__(self, cfg: SamuDistillConfig, teacher: Optional[EmbeddingTable]) -> None:
        super().__init__(cfg)
        self.teacher = teacher
        self._candidates: dict[str, CandidateTexts] = {}
        self._validated: Optional[CandidateTexts] = None

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
            mark_groups(model.parameter_groups())
        self._model = model
        return model

    def load_dataset(self, split: str, combine: bool = False, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read the manifest of a split, check that its texts have embeddings, and fill the feature cache.

        Raises:
            ManifestError: the manifest breaks a rule.
            TeacherError: a text has no embedding.
        """
        manifest, targets = self.read_rows(split, with_text=task_cfg is None)
        options = make_dataset_options(self.cfg, split, str(self.cfg.teacher_text_column))
        dataset = SpeechTextDataset(manifest, options, self.teacher, targets)
        self.prepare_dataset(dataset)
        if self.teacher is not None:
            self.teacher.require((dataset.text_of(int(row)) for row in dataset.rows), where=str(manifest.path))
        if self.cfg.feature_cache:
            model = self._model
            cache = attach_feature_cache(self.cfg.feature_cache, dataset, model.encoder, model.feature_stage)
            self._cache_seconds = cache.build_seconds
        self.datasets[split] = dataset
        if self.teacher is not None and not dataset.options.training:
            self._candidates[split] = CandidateTexts(dataset)

    def read_rows(self, split: str, with_text: bool) -> tuple[Manifest, Any]:
        """Read the manifest of a split, and what is to be written for its rows: nothing in this task."""
        return read_manifest(Path(self.cfg.data) / f"{split}.tsv"), None

    def prepare_dataset(self, dataset: SpeechTextDataset) -> None:
        """Change a data set before it is used; nothing in this task."""

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """As the host's; the set whose batches come next is the one whose texts are searched."""
        self._validated = next(
            (self._candidates.get(split) for split, known in self.datasets.items() if known is dataset), None
        )
        return super().get_batch_iterator(dataset, *args, **kwargs)

    def valid_step(self, sample: Any, model: Any, criterion: Any) -> Any:
        """As the host's, with the texts of the whole set as candidates of each recording."""
        return super().valid_step(self._validated.add_to(sample) if self._validated else sample, model, criterion)
