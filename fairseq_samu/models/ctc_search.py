"""Reading the labels of a CTC head, in the place of the host's sequence generator."""

from typing import Any

import torch
from torch import Tensor

from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartModel
from fairseq_samu.ops.ctc_best_path import find_best_paths


class GreedyCtcGenerator:
    """Best-path decoding of a model without a decoder, with the interface and output of the host's generator.

    Args:
        blank: label that stands for none.
        eos: token that ends a hypothesis.
        symbols_to_strip_from_output: tokens that are no text.
    """

    def __init__(self, blank: int, eos: int, symbols_to_strip_from_output: set[int]) -> None:
        self.blank = blank
        self.eos = eos
        self.symbols_to_strip_from_output = {*symbols_to_strip_from_output, eos}

    @torch.no_grad()
    def generate(
        self, models: list[SamuXlsrMbartModel], sample: dict[str, Any], **_: Any
    ) -> list[list[dict[str, Tensor]]]:
        """One hypothesis a row, as the host writes them, of the one model in ``models``."""
        names = ("source", "padding_mask", "features")
        inputs = {name: sample["net_input"][name] for name in names if name in sample["net_input"]}
        output = models[0](**inputs)
        assert output.ctc_logits is not None
        hypotheses = []
        for path in find_best_paths(output.ctc_logits, output.padding_mask, self.blank):
            tokens = torch.cat([path.labels, path.labels.new_tensor([self.eos])])
            positional = torch.cat([path.log_probs, path.log_probs.new_zeros(1)])
            score = torch.tensor(path.score / max(len(tokens), 1))
            empty = torch.empty(0)
            hypotheses.append(
                [
                    {
                        "tokens": tokens,
                        "score": score,
                        "positional_scores": positional,
                        "attention": empty,
                        "alignment": empty,
                    }
                ]
            )
        return hypotheses
