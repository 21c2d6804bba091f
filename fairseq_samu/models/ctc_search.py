"""Reading the labels of a CTC head, in the place of the host's sequence generator."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairseq_samu.models.ngram_model import NgramModel
from fairseq_samu.ops.ctc_alignment import align_labels
from fairseq_samu.ops.ctc_best_path import find_best_paths
from fairseq_samu.ops.ctc_prefix_beam_search import BeamOptions, CtcHypothesis, search_prefixes

INPUTS = ("source", "padding_mask", "features", "source_adapters")
BLANK, PAD, EOS = 0, 1, 2  # of the host's dictionaries, whose `<s>` serves as the blank
Hypotheses = list[list[dict[str, Tensor]]]


@dataclass(frozen=True)
class CtcSearch:
    """How labels are searched for.

    Attributes:
        beam: prefixes that are kept after every frame; 1 without a language model takes CTC's best path instead.
        nbest: hypotheses of each utterance, at most ``beam``.
        labels_per_frame: how many labels of a frame, the most probable, a prefix is extended by; 0 for all.
        label_bonus: added for every label, in nats.
        ngram_model: ARPA file, or KenLM's binary form of one; empty for none.
        ngram_unit: what it counts: ``label``, or ``word``.
        ngram_weight: of its log-probabilities.
    """

    beam: int = 1
    nbest: int = 1
    labels_per_frame: int = 0
    label_bonus: float = 0.0
    ngram_model: str = ""
    ngram_unit: str = "label"
    ngram_weight: float = 0.5


class CtcGenerator(ABC):
    """Base of what reads the labels of one model without a decoder, with the interface of the host's generator.

    A hypothesis is what the host's generator gives, and has beside it ``starts`` and ``ends``: (U,) int64, the first
    frame of each label and the frame behind its last. ``score`` is the mean of its logarithmic probability over its
    labels and end, in nats; several of a row are ordered by the whole.

    Args:
        blank: label that stands for none.
        eos: token that ends a hypothesis.
        symbols_to_strip_from_output: tokens that are no text.
    """

    def __init__(self, blank: int, eos: int, symbols_to_strip_from_output: Collection[int] = ()) -> None:
        self.blank = blank
        self.eos = eos
        self.symbols_to_strip_from_output = {*symbols_to_strip_from_output, eos}

    @torch.no_grad()
    def generate(self, models: list[Any], sample: dict[str, Any], **_: Any) -> Hypotheses:
        """Hypotheses of every row, best first, of the one model in ``models``."""
        output = models[0](**{name: sample["net_input"][name] for name in INPUTS if name in sample["net_input"]})
        assert output.ctc_logits is not None
        return self.search(output.ctc_logits, output.padding_mask)

    @abstractmethod
    def search(self, logits: Tensor, padding_mask: Tensor) -> Hypotheses:
        """Hypotheses of every row, best first, of (B, T, V) logits and their (B, T) mask, True = padding."""

    def describe(self, labels: Tensor, log_probs: Tensor, starts: Tensor, ends: Tensor, score: float) -> dict[str, Any]:
        """Dress a hypothesis as the host's generator does.

        Args:
            labels: (U,) int64.
            log_probs: (U,) log-probability of each.
            starts: (U,) first frame of each.
            ends: (U,) frame behind the last of each.
            score: of all together.
        """
        empty = torch.empty(0)
        return {
            "tokens": torch.cat([labels, labels.new_tensor([self.eos])]),
            "score": torch.tensor(score / (len(labels) + 1)),
            "positional_scores": torch.cat([log_probs, log_probs.new_zeros(1)]),
            "attention": empty,
            "alignment": empty,
            "starts": starts,
            "ends": ends,
        }


class GreedyCtcGenerator(CtcGenerator):
    """Best-path decoding: one hypothesis a row."""

    def search(self, logits: Tensor, padding_mask: Tensor) -> Hypotheses:
        """See :meth:`CtcGenerator.search`."""
        return [
            [self.describe(path.labels, path.log_probs, path.starts, path.ends, path.score)]
            for path in find_best_paths(logits, padding_mask, self.blank)
        ]


class BeamCtcGenerator(CtcGenerator):
    """Prefix beam search, with or without a language model.

    A label's own probability, and its frames, are those on the most probable path of its hypothesis.

    Args:
        blank: see :class:`CtcGenerator`.
        eos: see :class:`CtcGenerator`.
        options: of the search.
        nbest: hypotheses of each row, at most.
        symbols_to_strip_from_output: see :class:`CtcGenerator`.
    """

    def __init__(
        self,
        blank: int,
        eos: int,
        options: BeamOptions,
        nbest: int = 1,
        symbols_to_strip_from_output: Collection[int] = (),
    ) -> None:
        super().__init__(blank, eos, symbols_to_strip_from_output)
        self.options = options
        self.nbest = nbest

    def search(self, logits: Tensor, padding_mask: Tensor) -> Hypotheses:
        """See :meth:`CtcGenerator.search`."""
        log_probs = torch.log_softmax(logits.float(), dim=-1).double().cpu().numpy()
        lengths = (~padding_mask).sum(dim=1).tolist()
        found = [best[: self.nbest] for best in search_prefixes(log_probs, lengths, self.blank, self.options)]
        rows = [row for row, best in enumerate(found) for _ in best]
        listed = [hypothesis for best in found for hypothesis in best]
        places = align_labels(
            log_probs[rows], [lengths[row] for row in rows], [one.labels for one in listed], self.blank
        )
        described = (
            self._describe_at(log_probs[row], hypothesis, starts, ends)
            for row, hypothesis, (starts, ends) in zip(rows, listed, places, strict=True)
        )
        return [[next(described) for _ in best] for best in found]

    def _describe_at(
        self, log_probs: np.ndarray, hypothesis: CtcHypothesis, starts: np.ndarray, ends: np.ndarray
    ) -> dict[str, Any]:
        spans = zip(hypothesis.labels, starts, ends, strict=True)
        surest = [log_probs[start:end, label].max() for label, start, end in spans]
        return self.describe(
            torch.from_numpy(hypothesis.labels),
            torch.tensor(surest, dtype=torch.float32),
            torch.from_numpy(starts),
            torch.from_numpy(ends),
            hypothesis.score,
        )


def make_generator(symbols: Sequence[str], search: CtcSearch) -> CtcGenerator:
    """Build what reads labels.

    Args:
        symbols: labels by their ids, beginning with the host's own.
        search: how.

    Raises:
        ConfigError: the language model cannot be used.
    """
    if search.beam == 1 and not search.ngram_model:
        return GreedyCtcGenerator(BLANK, EOS)
    model = NgramModel(search.ngram_model, symbols, search.ngram_unit) if search.ngram_model else None
    options = BeamOptions(
        beam=search.beam,
        labels_per_frame=search.labels_per_frame,
        forbidden=(PAD, EOS),
        label_bonus=search.label_bonus,
        model=model,
        model_weight=search.ngram_weight,
    )
    return BeamCtcGenerator(BLANK, EOS, options, search.nbest)
