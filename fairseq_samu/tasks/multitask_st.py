"""The task of writing what is said or written: translating and transcribing speech, translating text."""

import json
import logging
from typing import Any, Optional

import torch
from fairseq.tasks import register_task
from omegaconf import open_dict

from fairseq_samu.checkpoints.saving import make_host_saving_atomic
from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.models.ctc_search import GreedyCtcGenerator
from fairseq_samu.models.tuning import describe_groups, mark_groups, require_tuned
from fairseq_samu.tasks._adapter_loading import FileAdapters
from fairseq_samu.tasks._adapter_routing import route_dataset
from fairseq_samu.tasks._checkpoint_vocabulary import load_one_vocabulary, require_vocabulary_of_checkpoint
from fairseq_samu.tasks._decoder_loading import find_kept
from fairseq_samu.tasks._encoder_loading import load_encoder
from fairseq_samu.tasks._feature_caching import attach_feature_cache
from fairseq_samu.tasks._joint_search import build_views, require_own_tokens
from fairseq_samu.tasks._multitask_data import build_dataset
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, parse_tasks, reads_speech, validate
from fairseq_samu.tasks._search import (
    decodes_by_ctc,
    learnt_transcripts,
    models_and_sample,
    validate_search,
    warn_of_decoder,
)
from fairseq_samu.tasks._symbol_joiner import SymbolJoiner
from fairseq_samu.tasks._task_balance import TaskBalancing
from fairseq_samu.tasks._text_loading import read_text_side

logger = logging.getLogger(__name__)


@register_task("multitask_st", dataclass=MultitaskStConfig)
class MultitaskStTask(TaskBalancing):
    """Speech in; its translation (``st``) or transcript (``asr``) out; or texts translated (``mt``); many languages.

    Source: section IV-B of arXiv:2306.00789; several tasks together: arXiv:2311.03810. A target begins with the tag of
    its language, which decoding is made to begin with, row by row, so that a manifest may ask for several languages.
    Vocabulary and sizes stand in checkpoints.
    """

    def __init__(self, cfg: MultitaskStConfig) -> None:
        super().__init__(cfg)
        self.vocabulary = Vocabulary()
        self._decoders_transcribe = True

    @classmethod
    def setup_task(cls, cfg: MultitaskStConfig, from_checkpoint: bool = False, **kwargs: Any) -> "MultitaskStTask":
        """Check the options; a task set up from a checkpoint needs no data."""
        make_host_saving_atomic()
        if not from_checkpoint:
            validate(cfg)
        return cls(cfg)

    @property
    def task_names(self) -> list[str]:
        """What is learnt or decoded, the main task first."""
        return parse_tasks(self.cfg.tasks)

    @property
    def reads_speech(self) -> bool:
        """Whether any of the tasks does."""
        return any(map(reads_speech, self.task_names))

    @property
    def target_dictionary(self) -> Any:
        """Tokens that the decoder writes; empty until a model is built or read."""
        return self.vocabulary.dictionary

    @property
    def source_dictionary(self) -> None:
        """Speech has none."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the task: its vocabulary."""
        return {"vocabulary": self.vocabulary.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the vocabulary of a checkpoint, in place.

        Raises:
            CheckpointError: it has none, or the one that it is to decode with has another.
        """
        load_one_vocabulary(self.vocabulary, state_dict.get("vocabulary"), "multitask_st")

    # ---- model ----------------------------------------------------------------------------------------------------

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model; in training load what is pre-trained and print what is tuned."""
        adapters = FileAdapters.read(cfg, from_checkpoint)
        if from_checkpoint:
            self._decoders_transcribe &= learnt_transcripts(cfg)
            self._model = super().build_model(cfg, from_checkpoint)
            adapters.load_when_read(self._model)
            return self._model
        reads = cfg.encoder_path and not getattr(cfg, "without_speech", False)
        speech = read_speech_encoder(cfg.encoder_path) if reads else None
        text = read_text_side(self.cfg, cfg)
        mend = "Give the sentencepiece model or decoder that it was trained with, or another --save-dir."
        require_vocabulary_of_checkpoint(self.cfg, text.vocabulary, mend)
        self.vocabulary.load_state_dict(text.vocabulary.state_dict())
        with open_dict(cfg):
            if speech is not None:
                cfg.encoder_config = json.dumps(speech.config)
            text.configure(cfg)
        model = super().build_model(cfg, from_checkpoint)
        if speech is not None and not cfg.encoder_from_scratch:
            load_encoder(model.encoder, speech, cfg.encoder_path)
        text.load_into(model, cfg)
        adapters.load_into(model, self.cfg)
        require_tuned(model, cfg.tuned_groups)
        logger.info("parameters\n" + describe_groups(model.parameter_groups()))
        mark_groups(model.parameter_groups())
        self._model = model
        return model

    # ---- data -----------------------------------------------------------------------------------------------------

    def load_dataset(self, split: str, combine: bool = False, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read the manifests of a split, check their languages, choose adapters, and fill the feature cache.

        A set that is decoded (``task_cfg`` is given) may lack the texts.

        Raises:
            ManifestError: a manifest breaks a rule, lacks a column, a language has no tag or adapter, or a text is too
                long.
        """
        model = self._model
        longest = model.decoder.config.max_positions if model is not None and model.decoder is not None else None
        dataset = build_dataset(self.cfg, self.vocabulary, split, task_cfg is not None, longest)
        if model is not None:
            route_dataset(dataset, model, str(self.cfg.missing_adapter))
        if self.cfg.feature_cache and self.reads_speech:
            cache = attach_feature_cache(self.cfg.feature_cache, dataset, model.encoder, model.feature_stage)
            self._cache_seconds = cache.build_seconds
        self.datasets[split] = dataset

    def max_positions(self) -> Optional[int]:
        """No limit: the data sets' limits are in seconds."""
        return None

    # ---- decoding -------------------------------------------------------------------------------------------------

    def build_generator(self, models: Any, args: Any, extra_gen_cls_kwargs: Any = None, **kwargs: Any) -> Any:
        """The host's generator over views of the models, or best-path decoding where a model has CTC alone.

        Language tags are left out of what is printed. A decoder that writes transcripts without having learnt them is
        warned of.

        Raises:
            ConfigError: an option of the search needs what speech or these models do not have.
        """
        has_texts = all(dataset.has_texts for dataset in self.datasets.values())
        validate_search(self.cfg, args, models, has_texts)
        if not self._decoders_transcribe:
            warn_of_decoder(self.cfg, models)
        if self.cfg.trim_vocabulary:
            kept = find_kept(self.cfg, self.vocabulary, self.vocabulary.languages)
            logger.info(f"vocabulary trimmed from {len(self.vocabulary):,} to {len(kept):,} tokens")
            self.vocabulary.trim(kept)
            for model in models:
                model.trim_vocabulary(kept)
        if self.cfg.bf16 is True:
            models = [model.to(torch.bfloat16) for model in models]
        vocabulary = self.vocabulary
        if decodes_by_ctc(self.cfg, models):
            return GreedyCtcGenerator(vocabulary.bos, vocabulary.eos, vocabulary.tag_ids)
        extra = {**(extra_gen_cls_kwargs or {}), "symbols_to_strip_from_output": vocabulary.tag_ids}
        require_own_tokens(extra.get("lm_model"), vocabulary)
        views = build_views(self.cfg, models, vocabulary)
        return super().build_generator(views, args, extra_gen_cls_kwargs=extra, **kwargs)

    def inference_step(
        self, generator: Any, models: Any, sample: Any, prefix_tokens: Any = None, constraints: Any = None
    ) -> Any:
        """As the host's; every hypothesis begins with the tag of its row's target language, as given prefixes do."""
        if prefix_tokens is None:
            prefix_tokens = sample["target_tag"].unsqueeze(1)
        models, inputs = models_and_sample(generator, models, sample)
        return super().inference_step(generator, models, inputs, prefix_tokens=prefix_tokens, constraints=constraints)

    def build_bpe(self, args: Any) -> SymbolJoiner:
        """What turns pieces into text."""
        return SymbolJoiner(self.vocabulary.decode_pieces)

    def build_tokenizer(self, args: Any) -> None:
        """There is none beside the pieces."""
        return None
