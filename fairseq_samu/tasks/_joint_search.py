"""What takes part in a search beside the decoder: the head for CTC, and a language model of the host."""

from collections.abc import Sequence
from typing import Any

from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.joint_search_view import JointSearchView
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, parse_tasks

WITHOUT_JOINT = ("score_reference", "sampling")
"""Options of the host that take scores for probabilities; those of a joint search do not sum up to one."""


def build_views(cfg: MultitaskStConfig, models: Sequence[Any], vocabulary: Vocabulary) -> list[BeamSearchView]:
    """Models as the host's generator wants to see them, with CTC where it has a weight."""
    weight = cfg.ctc_decoding_weight
    if weight == 0:
        return [BeamSearchView(model) for model in models]
    return [JointSearchView(model, weight, vocabulary.bos, vocabulary.eos) for model in models]


def find_joint_faults(cfg: MultitaskStConfig, options: Any, models: Sequence[Any]) -> list[str]:
    """Describe everything that keeps CTC from taking part in the decoder's search.

    Args:
        cfg: options of the task.
        options: of the host's generator.
        models: that are to decode together.
    """
    if cfg.ctc_decoding_weight == 0:
        return []
    faults = []

    def check(name: str, holds: bool, rule: str, value: object, mend: str) -> None:
        if not holds:
            faults.append(explain("decoding", name, rule, value, mend))

    weight, tasks = cfg.ctc_decoding_weight, parse_tasks(cfg.tasks)
    able = all(model.decoder is not None and getattr(model, "has_ctc", False) for model in models)
    check("ctc_decoding_weight", tasks == ["asr"], "0 but for transcripts", weight, "Use it with --tasks asr.")
    rule, mend = "0 without both a decoder and a CTC head", "Name a model that was trained with both."
    check("ctc_decoding_weight", able, rule, weight, mend)
    mend = "Leave one of the two out."
    check("ctc_decoding_weight", cfg.ctc_decoding is not True, "0 where CTC decodes alone", weight, mend)
    check("path", len(models) == 1, "one model where CTC has a weight", len(models), "Name one alone.")
    for name in WITHOUT_JOINT:
        value = getattr(options, name, None)
        check(name, not value, "left out where CTC has a weight", value, f"Leave --{name.replace('_', '-')} out.")
    return faults


def require_own_tokens(language_model: Any, vocabulary: Vocabulary) -> None:
    """Refuse a language model whose tokens are not those that the decoder writes, or have other numbers.

    Args:
        language_model: of the host, or None.
        vocabulary: of the decoder, trimmed where it is.

    Raises:
        ConfigError: they differ.
    """
    tokens = None if language_model is None else list(language_model.decoder.dictionary.symbols)
    if tokens is None or tokens == vocabulary.tokens:
        return
    where = "trimmed for this decoding" if len(tokens) > len(vocabulary) else "of another vocabulary"
    found = f"{len(tokens):,} tokens, which are not the {len(vocabulary):,} of the decoder ({where})"
    mend = "Train it on the output of `fairseq-samu prepare lm-texts` for this checkpoint, without --trim-vocabulary."
    raise ConfigError(explain("decoding", "lm_path", "a model of the decoder's own tokens", found, mend))
