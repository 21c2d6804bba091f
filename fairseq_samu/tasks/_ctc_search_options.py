"""Options of decoding what a CTC head writes, for the tasks that have one."""

from dataclasses import dataclass, field
from pathlib import Path

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from fairseq_samu.errors import explain


@dataclass
class CtcSearchOptions(FairseqDataclass):
    """How labels are searched for, beside the host's ``--beam`` and ``--nbest``."""

    ngram_model: str = field(
        default="", metadata={"help": "n-gram model (ARPA, or KenLM's binary form) that takes part in the search"}
    )
    ngram_unit: ChoiceEnum(["label", "word"]) = field(  # type: ignore[valid-type]
        default="label", metadata={"help": "what ngram_model counts: CTC labels, or words and tags"}
    )
    ngram_weight: float = field(default=0.5, metadata={"help": "weight of ngram_model beside the CTC head's 1"})
    label_bonus: float = field(
        default=0.0, metadata={"help": "added, in nats, for every label in beam search, against short hypotheses"}
    )
    labels_per_frame: int = field(
        default=0, metadata={"help": "how many labels of a frame, the most probable, beam search tries (0 = all)"}
    )
    spans_output: str = field(
        default="", metadata={"help": "file for the concepts found with their times, one JSON object a row"}
    )


def find_search_faults(cfg: CtcSearchOptions) -> list[str]:
    """Describe every option of the search that cannot work, for a task's ``validate``."""
    faults = []

    def check(name: str, holds: bool, rule: str, mend: str) -> None:
        if not holds:
            faults.append(explain("decoding", name, rule, getattr(cfg, name), mend))

    found = not cfg.ngram_model or Path(cfg.ngram_model).is_file()
    check("ngram_model", found, "a file", "Check the path.")
    check("ngram_weight", cfg.ngram_weight >= 0, "0 or more", "Leave --ngram-model out for none.")
    check("labels_per_frame", cfg.labels_per_frame >= 0, "0 or more", "Use 0 for all.")
    spans = Path(cfg.spans_output)
    fits = not cfg.spans_output or (spans.parent.is_dir() and not spans.is_dir())
    check("spans_output", fits, "a file in a folder that exists", "Make the folder, and name a file in it.")
    return faults
