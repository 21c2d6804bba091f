"""What searches for the labels that a CTC head writes, as options ask for."""

from collections.abc import Sequence
from typing import Any

from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.ctc_search import CtcGenerator, CtcSearch, make_generator
from fairseq_samu.tasks._ctc_search_options import CtcSearchOptions, find_search_faults
from fairseq_samu.tasks._search import NEEDING_TEXTS, WITHOUT_MEANING

NEEDING_A_DECODER = (*WITHOUT_MEANING, *NEEDING_TEXTS, "sampling", "lm_path")
"""Options of the host that need a decoder of another kind."""


def build_ctc_generator(
    cfg: CtcSearchOptions, args: Any, models: Sequence[Any], vocabulary: ConceptVocabulary
) -> CtcGenerator:
    """Build what reads labels: best path for a beam of 1 without a language model, else prefix beam search.

    Args:
        cfg: options of the search.
        args: those of the host's generator, of which ``beam`` and ``nbest`` count.
        models: that decode.
        vocabulary: of their labels.

    Raises:
        ConfigError: an option cannot work, or the language model cannot be used.
    """
    validate_ctc_search(cfg, args, models)
    search = CtcSearch(
        beam=args.beam,
        nbest=args.nbest,
        labels_per_frame=cfg.labels_per_frame,
        label_bonus=cfg.label_bonus,
        ngram_model=cfg.ngram_model,
        ngram_unit=str(cfg.ngram_unit),
        ngram_weight=cfg.ngram_weight,
    )
    return make_generator(vocabulary.dictionary.symbols, search)


def validate_ctc_search(cfg: CtcSearchOptions, args: Any, models: Sequence[Any]) -> None:
    """Report every option of decoding that cannot work at once.

    Raises:
        ConfigError: an option is out of its range, or needs a model of another kind.
    """
    faults = find_search_faults(cfg)
    if len(models) > 1:
        faults.append(explain("decoding", "path", "one model where CTC decodes", len(models), "Name one alone."))
    if any(getattr(model, "slu_rests", False) for model in models):
        mend = "Name one that was trained with a --slu-weight above 0."
        faults.append(explain("decoding", "path", "a model that learnt to tag", "one that did not", mend))
    if args.beam < 1:
        faults.append(explain("decoding", "beam", "1 or more", args.beam, "Use 1 for the best path."))
    if not 1 <= args.nbest <= max(args.beam, 1):
        mend = "Widen the beam."
        faults.append(explain("decoding", "nbest", f"from 1 to the beam, {args.beam}", args.nbest, mend))
    for name in NEEDING_A_DECODER:
        if getattr(args, name, None):
            mend = f"Leave --{name.replace('_', '-')} out."
            faults.append(explain("decoding", name, "left out where CTC decodes", getattr(args, name), mend))
    if faults:
        raise ConfigError(report_all(faults))
