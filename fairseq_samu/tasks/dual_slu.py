"""The task of understanding speech: sentence embeddings and concepts, learnt together or one after the other."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from fairseq.tasks import register_task
from omegaconf import open_dict

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.saving import make_host_saving_atomic
from fairseq_samu.checkpoints.speech_encoder import LoadedEncoder, read_speech_encoder
from fairseq_samu.concepts import read_prefix_map
from fairseq_samu.data.concept_targets import ConceptTargets
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import REQUIRED_COLUMNS, Manifest, read_manifest
from fairseq_samu.data.row_selection import rows_of_languages
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.tuning import describe_groups, mark_groups
from fairseq_samu.tasks._checkpoint_vocabulary import load_one_vocabulary, require_vocabulary_of_checkpoint
from fairseq_samu.tasks._concept_head_loading import load_concept_head
from fairseq_samu.tasks._concept_rows import require_rows
from fairseq_samu.tasks._concept_spans import ConceptSpansWriter
from fairseq_samu.tasks._ctc_frames import leave_out_impossible
from fairseq_samu.tasks._ctc_search import build_ctc_generator
from fairseq_samu.tasks._dual_slu_config import DualSluConfig, validate
from fairseq_samu.tasks._encoder_loading import load_encoder
from fairseq_samu.tasks._speech_data_config import split_languages
from fairseq_samu.tasks._symbol_joiner import SymbolJoiner
from fairseq_samu.tasks.samu_distill import SamuDistillTask
from fairseq_samu.teachers.table import EmbeddingTable

logger = logging.getLogger(__name__)
LABELS_FILE = "labels.txt"
PREFIXES = "concept_prefixes"


@register_task("dual_slu", dataclass=DualSluConfig)
class DualSluTask(SamuDistillTask):
    """Speech in; its sentence embedding and its words with concept tags out.

    Source: arXiv:2406.12141. Which of the two is learnt is a matter of the criterion's weights, so that distillation,
    tagging, and both at once are the same task. The teacher embeds the transcript without tags (``src_text``), or with
    them (``--teacher-text-column tgt_text``). Labels stand in checkpoints.
    """

    cfg: DualSluConfig

    def __init__(self, cfg: DualSluConfig, teacher: Optional[EmbeddingTable]) -> None:
        super().__init__(cfg, teacher)
        self.vocabulary = ConceptVocabulary()
        self.prefixes: Mapping[str, str] = read_prefix_map(cfg.concept_prefixes) if cfg.concept_prefixes else {}
        self._spans: Optional[ConceptSpansWriter] = None

    @classmethod
    def setup_task(cls, cfg: DualSluConfig, from_checkpoint: bool = False, **kwargs: Any) -> "DualSluTask":
        """Open the teacher's table; a task set up from a checkpoint needs neither data nor table."""
        make_host_saving_atomic()
        if from_checkpoint:
            with open_dict(cfg):
                cfg.concept_prefixes = ""  # a path of the machine that trained
            return cls(cfg, None)
        validate(cfg)
        return cls(cfg, EmbeddingTable.open(cfg.teacher_table) if cfg.teacher_table else None)

    @property
    def target_dictionary(self) -> Any:
        """Labels that the tagging head writes; empty until a model is built or read."""
        return self.vocabulary.dictionary

    @property
    def source_dictionary(self) -> None:
        """Speech has none."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the task: its labels, and which concepts were relaxed to which."""
        return {"vocabulary": self.vocabulary.state_dict(), PREFIXES: dict(self.prefixes)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the labels of a checkpoint, in place.

        Raises:
            CheckpointError: it has none, or the one that it is to decode with has others.
        """
        load_one_vocabulary(self.vocabulary, state_dict.get("vocabulary"), "dual_slu")
        if not self.cfg.concept_prefixes:
            self.prefixes = dict(state_dict.get(PREFIXES) or {})

    # ---- model ----------------------------------------------------------------------------------------------------

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model; in training load what is pre-trained and print what is tuned."""
        if from_checkpoint:
            self._model = super(SamuDistillTask, self).build_model(cfg, from_checkpoint)
            return self._model
        self._require_loss(cfg)
        self.vocabulary.load_state_dict(self._read_labels().state_dict())
        mend = "Give the --concept-labels that it was trained with, or another --save-dir."
        require_vocabulary_of_checkpoint(self.cfg, self.vocabulary, mend)
        loaded = read_speech_encoder(cfg.encoder_path) if cfg.encoder_path else None
        with open_dict(cfg):
            self._fill_sizes(cfg, loaded)
        model = super(SamuDistillTask, self).build_model(cfg, from_checkpoint)
        if loaded is not None and not cfg.encoder_from_scratch:
            load_encoder(model.encoder, loaded, cfg.encoder_path)
            if loaded.head:
                load_strict(model.head, loaded.head, where=f"{cfg.encoder_path} (sentence head)")
                logger.info(f"sentence head from {cfg.encoder_path}")
        if cfg.slu_checkpoint:
            load_concept_head(model, self.vocabulary, Path(cfg.slu_checkpoint))
        groups = model.parameter_groups()
        logger.info("parameters\n" + describe_groups(groups))
        mark_groups(groups)
        self._model = model
        return model

    def _require_loss(self, cfg: Any) -> None:
        """Refuse a criterion that does not say what is learnt, or one that lacks a teacher."""
        if cfg.slu_weight is None or cfg.semantic_weight is None:
            mend = "Set --criterion dual_slu; --slu-weight 0 distils, --semantic-weight 0 tags."
            raise ConfigError(explain("samu_slu", "criterion", "dual_slu", "another one", mend))
        if cfg.semantic_weight > 0 and self.teacher is None:
            mend = "Name what `fairseq-samu embed` wrote, or set --semantic-weight 0."
            raise ConfigError(explain("dual_slu", "teacher_table", "given for the semantic loss", "", mend))
        logger.info(f"loss: {cfg.semantic_weight:g} * semantic + {cfg.slu_weight:g} * tagging")

    def _read_labels(self) -> ConceptVocabulary:
        path = Path(self.cfg.concept_labels or Path(self.cfg.data) / LABELS_FILE)
        return ConceptVocabulary.from_file(path)

    def _fill_sizes(self, cfg: Any, loaded: Optional[LoadedEncoder]) -> None:
        """Put into a model's options what labels, teacher and pre-trained weights know."""
        cfg.num_labels = len(self.vocabulary)
        if loaded is not None:
            cfg.encoder_config = json.dumps(loaded.config)
            for name, size in (loaded.head_config or {}).items():
                setattr(cfg, name, size)
        if self.teacher is not None:
            cfg.embedding_dim = cfg.embedding_dim or self.teacher.dim
            if cfg.embedding_dim != self.teacher.dim:
                rule, mend = f"the teacher's {self.teacher.dim}", "Give the table that the encoder learnt from."
                raise ConfigError(explain("samu_slu", "embedding_dim", rule, cfg.embedding_dim, mend))

    # ---- data -----------------------------------------------------------------------------------------------------

    def read_rows(self, split: str, with_text: bool) -> tuple[Manifest, Optional[ConceptTargets]]:
        """Read the manifest of a split and its annotations.

        Raises:
            ManifestError: the manifest breaks a rule, an annotation is unbalanced or has unknown tags, or the text
                for the teacher has tags.
        """
        tags = not self._model.slu_rests
        needed = [*REQUIRED_COLUMNS, *(["tgt_text"] if with_text and tags else [])]
        manifest = read_manifest(Path(self.cfg.data) / f"{split}.tsv", needed)
        rows = rows_of_languages(manifest, split_languages(self.cfg.languages)).tolist()
        targets = ConceptTargets(manifest, self.vocabulary, self.prefixes) if tags else None
        column = str(self.cfg.teacher_text_column)
        plain = column if self.teacher is not None and column != "tgt_text" else None
        require_rows(manifest, rows, targets, plain, allow_unknown=not split.startswith("train"))
        return manifest, targets

    def prepare_dataset(self, dataset: SpeechTextDataset) -> None:
        """Leave out of training, and name, the rows whose labels do not fit into their frames."""
        if dataset.targets is not None and dataset.has_texts:
            leave_out_impossible(dataset, self._model.encoder)

    # ---- decoding -------------------------------------------------------------------------------------------------

    def build_generator(self, models: Any, args: Any, extra_gen_cls_kwargs: Any = None, **kwargs: Any) -> Any:
        """CTC's greedy or beam search."""
        generator = build_ctc_generator(self.cfg, args, models, self.vocabulary)
        if self.cfg.spans_output:
            (dataset,) = self.datasets.values()
            step = models[0].encoder.samples_per_frame
            self._spans = ConceptSpansWriter(self.cfg.spans_output, dataset, self.vocabulary, step)
        return generator

    def inference_step(self, generator: Any, models: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        """As the host's; the concepts found are kept for ``--spans-output``."""
        hypotheses = super().inference_step(generator, models, sample, *args, **kwargs)
        if self._spans is not None:
            self._spans.add(sample, hypotheses)
        return hypotheses

    def build_bpe(self, args: Any) -> SymbolJoiner:
        """What turns labels into annotated text."""
        return SymbolJoiner(self.vocabulary.decode_symbols)

    def build_tokenizer(self, args: Any) -> None:
        """There is none beside the labels."""
        return None
