"""What decoding asks of the host's generator, beside its options."""

import logging
from collections.abc import Sequence
from typing import Any

from fairseq.sequence_scorer import SequenceScorer
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError

from fairseq_samu.checkpoints.trained_translator import decoder_learnt_transcripts
from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.tasks._joint_search import find_joint_faults
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, parse_tasks, reads_speech

logger = logging.getLogger(__name__)

WITHOUT_MEANING = ("match_source_len", "print_alignment", "constraints", "print_step", "retain_iter_history")
"""Options of the host that need tokens in the source, or a decoder of another kind."""

NEEDING_TEXTS = ("score_reference", "prefix_size")

NEEDING_A_DECODER = ("score_reference", "lm_path")


def decodes_by_ctc(cfg: MultitaskStConfig, models: Sequence[Any]) -> bool:
    """Whether CTC decodes: where no model has a decoder, or the user wants it."""
    return cfg.ctc_decoding is True or all(model.decoder is None for model in models)


def learnt_transcripts(model_cfg: Any) -> bool:
    """Whether the decoder of a checkpoint did; see ``checkpoints.trained_translator.decoder_learnt_transcripts``.

    Args:
        model_cfg: options of the model, as they stand in the whole config of the checkpoint.
    """
    try:
        beside = OmegaConf.select(model_cfg, "..criterion") if OmegaConf.is_config(model_cfg) else None
    except ConfigKeyError:  # they stand alone
        beside = None
    return decoder_learnt_transcripts(OmegaConf.to_container(beside) if beside is not None else None)


def warn_of_decoder(cfg: MultitaskStConfig, models: Sequence[Any]) -> None:
    """Say that a decoder is about to write transcripts, which it never learnt."""
    if parse_tasks(cfg.tasks) == ["asr"] and not decodes_by_ctc(cfg, models) and cfg.ctc_decoding_weight < 1:
        logger.warning("the decoder of this model was trained without transcripts: add --ctc-decoding")


def validate_search(cfg: MultitaskStConfig, options: Any, models: Sequence[Any], has_texts: bool) -> None:
    """Report every option of decoding that cannot work at once.

    Args:
        cfg: options of the task.
        options: of the host's generator.
        models: that are to decode together.
        has_texts: whether every row has the text that is to be found.

    Raises:
        ConfigError: an option needs what speech, these rows or these models do not have.
    """
    faults = []
    if len(parse_tasks(cfg.tasks)) > 1:
        mend = "Decode one after the other: a row has one hypothesis."
        faults.append(explain("decoding", "tasks", "one of those learnt", cfg.tasks, mend))
    if cfg.feature_cache and len(models) > 1:
        mend = "Leave --feature-cache out: it holds what one encoder computes."
        faults.append(explain("decoding", "feature_cache", "used with one model", len(models), mend))
    for name in NEEDING_TEXTS:
        if getattr(options, name, None) and not has_texts:
            mend = f"Fill in the column of texts, or leave --{name.replace('_', '-')} out."
            faults.append(explain("decoding", name, "left out without texts", getattr(options, name), mend))
    for name in WITHOUT_MEANING:
        if getattr(options, name, None):
            mend = f"Leave --{name.replace('_', '-')} out."
            faults.append(explain("decoding", name, "left out for speech", getattr(options, name), mend))
    faults += _find_misfits(cfg, models) + find_joint_faults(cfg, options, models)
    if decodes_by_ctc(cfg, models):
        if len(models) > 1:
            faults.append(explain("decoding", "path", "one model where CTC decodes", len(models), "Name one alone."))
        for name in NEEDING_A_DECODER:
            if getattr(options, name, None):
                mend = f"Leave --{name.replace('_', '-')} out."
                faults.append(explain("decoding", name, "left out where CTC decodes", getattr(options, name), mend))
    elif any(model.decoder is None for model in models):
        mend = "Name models of one kind."
        faults.append(explain("decoding", "path", "of models that all have a decoder, or none", "both kinds", mend))
    if faults:
        raise ConfigError(report_all(faults))


def _find_misfits(cfg: MultitaskStConfig, models: Sequence[Any]) -> list[str]:
    """What the models lack for the task to be decoded."""
    faults = []
    task = parse_tasks(cfg.tasks)[0]
    names = {", ".join(model.adapter_names) for model in models}
    if len(names) > 1:
        mend = "Decode with models whose --adapter-names are the same, in the same order."
        faults.append(explain("decoding", "path", "of models with the same adapters", "; ".join(sorted(names)), mend))
    if reads_speech(task) and any(model.encoder is None for model in models):
        mend = "Decode --tasks mt, or name a model that was trained with speech."
        faults.append(explain("decoding", "path", f"of models that read speech, for {task}", "one of text", mend))
    if not reads_speech(task) and not all(hasattr(model, "encode_text") for model in models):
        mend = "Decode --tasks st or asr."
        faults.append(explain("decoding", "path", "of models that read texts, for mt", "one of speech", mend))
    if cfg.ctc_decoding and (task != "asr" or not all(getattr(model, "has_ctc", False) for model in models)):
        mend = "Use it with --tasks asr and a model with a CTC head."
        faults.append(explain("decoding", "ctc_decoding", "used for transcripts, with a CTC head", task, mend))
    return faults


def models_and_sample(
    generator: Any, models: Sequence[Any], sample: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """Models and batch as a generator of the host takes them.

    Diverse beam search takes ids of rows, where there are any, for places in the batch; without ids it counts. What
    scores references runs whole models. A search looks for source texts under the host's name.
    """
    inputs = {name: value for name, value in sample.items() if name != "id"}
    if isinstance(generator, SequenceScorer):
        return [BeamSearchView(model) for model in models], inputs
    if "source_tokens" in sample["net_input"]:
        inputs["net_input"] = {**sample["net_input"], "src_tokens": sample["net_input"]["source_tokens"]}
    return models, inputs
