"""The task of writing what is said: translating speech, and transcribing it."""

import json
import logging
from pathlib import Path
from typing import Any, Optional

import torch
from fairseq.tasks import register_task
from omegaconf import open_dict

from fairseq_samu.checkpoints.saving import make_host_saving_atomic
from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.multitask_dataset import MultitaskDataset
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.data.targets import TargetTexts, required_columns
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.ctc_search import GreedyCtcGenerator
from fairseq_samu.models.tuning import describe_groups, mark_groups, require_tuned
from fairseq_samu.tasks._checkpoint_vocabulary import load_one_vocabulary, require_vocabulary_of_checkpoint
from fairseq_samu.tasks._decoder_loading import find_kept, read_pretrained_text
from fairseq_samu.tasks._encoder_loading import load_encoder
from fairseq_samu.tasks._feature_caching import attach_feature_cache
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, parse_tasks, validate
from fairseq_samu.tasks._search import models_and_sample, validate_search
from fairseq_samu.tasks._speech_data_config import make_dataset_options
from fairseq_samu.tasks._speech_task import SpeechTask
from fairseq_samu.tasks._symbol_joiner import SymbolJoiner

logger = logging.getLogger(__name__)


@register_task("multitask_st", dataclass=MultitaskStConfig)
class MultitaskStTask(SpeechTask):
    """Speech in; its translation (``st``) or its transcript (``asr``) out, in any number of languages.

    Source: section IV-B of arXiv:2306.00789. A target begins with the tag of its language, which decoding is made to
    begin with, row by row, so that a manifest may ask for several languages. Vocabulary and sizes stand in checkpoints.
    """

    def __init__(self, cfg: MultitaskStConfig) -> None:
        super().__init__(cfg)
        self.vocabulary = Vocabulary()

    @classmethod
    def setup_task(cls, cfg: MultitaskStConfig, from_checkpoint: bool = False, **kwargs: Any) -> "MultitaskStTask":
        """Check the options; a task set up from a checkpoint needs no data."""
        make_host_saving_atomic()
        if not from_checkpoint:
            validate(cfg)
        return cls(cfg)

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
        if from_checkpoint:
            self._model = super().build_model(cfg, from_checkpoint)
            return self._model
        speech = read_speech_encoder(cfg.encoder_path) if cfg.encoder_path else None
        text = read_pretrained_text(self.cfg, cfg)
        mend = "Give the sentencepiece model or decoder that it was trained with, or another --save-dir."
        require_vocabulary_of_checkpoint(self.cfg, text.vocabulary, mend)
        self.vocabulary.load_state_dict(text.vocabulary.state_dict())
        with open_dict(cfg):
            if speech is not None:
                cfg.encoder_config = json.dumps(speech.config)
            cfg.decoder_config = text.decoder_config(cfg.decoder_config)
        model = super().build_model(cfg, from_checkpoint)
        if speech is not None and not cfg.encoder_from_scratch:
            load_encoder(model.encoder, speech, cfg.encoder_path)
        if model.decoder is not None:
            text.load_into(model.decoder, cfg.decoder_path)
        require_tuned(model, cfg.tuned_groups)
        logger.info("parameters\n" + describe_groups(model.parameter_groups()))
        mark_groups(model.parameter_groups())
        self._model = model
        return model

    # ---- data -----------------------------------------------------------------------------------------------------

    def load_dataset(self, split: str, combine: bool = False, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read the manifest of a split, check its languages, and fill the feature cache.

        A set that is decoded (``task_cfg`` is given) may lack the texts.

        Raises:
            ManifestError: the manifest breaks a rule, lacks a column, a language has no tag, or a text is too long.
        """
        tasks = parse_tasks(self.cfg.tasks)
        columns = required_columns(tasks, with_text=task_cfg is None, language=self.cfg.target_language)
        manifest = read_manifest(Path(self.cfg.data) / f"{split}.tsv", columns)
        options = make_dataset_options(self.cfg, split)
        parts = {}
        for task in tasks:
            targets = TargetTexts(manifest, self.vocabulary, task, self.cfg.target_language)
            if task_cfg is None and self._model.decoder is not None:
                targets.require_length(self._model.decoder.config.max_positions)
            parts[task] = SpeechTextDataset(manifest, options, targets=targets)
        dataset: Any = MultitaskDataset(parts) if len(parts) > 1 else parts[tasks[0]]
        if self.cfg.feature_cache:
            model = self._model
            cache = attach_feature_cache(self.cfg.feature_cache, dataset, model.encoder, model.feature_stage)
            self._cache_seconds = cache.build_seconds
        self.datasets[split] = dataset

    def max_positions(self) -> Optional[int]:
        """No limit: the data sets' limits are in seconds."""
        return None

    # ---- decoding -------------------------------------------------------------------------------------------------

    def build_generator(self, models: Any, args: Any, extra_gen_cls_kwargs: Any = None, **kwargs: Any) -> Any:
        """The host's generator over views of the models, or best-path decoding where a model has CTC alone.

        Language tags are left out of what is printed.

        Raises:
            ConfigError: an option of the search needs what speech or these models do not have.
        """
        has_texts = all(dataset.has_texts for dataset in self.datasets.values())
        validate_search(self.cfg, args, models, has_texts)
        if self.cfg.trim_vocabulary:
            kept = find_kept(self.cfg, self.vocabulary, self.vocabulary.languages)
            logger.info(f"vocabulary trimmed from {len(self.vocabulary):,} to {len(kept):,} tokens")
            self.vocabulary.trim(kept)
            for model in models:
                model.trim_vocabulary(kept)
        if self.cfg.bf16 is True:
            models = [model.to(torch.bfloat16) for model in models]
        vocabulary = self.vocabulary
        if models[0].decoder is None:
            return GreedyCtcGenerator(vocabulary.bos, vocabulary.eos, vocabulary.tag_ids)
        extra = {**(extra_gen_cls_kwargs or {}), "symbols_to_strip_from_output": vocabulary.tag_ids}
        views = [BeamSearchView(model) for model in models]
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
