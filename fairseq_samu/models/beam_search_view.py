"""A translation model as the host's sequence generator wants to see it."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor, nn

from fairseq_samu.models.mbart_decoder import EncodedUtterances, MBartDecoder
from fairseq_samu.modules.decoder_attention import PastTokens
from fairseq_samu.ops.ctc_prefix_scores import CtcFrames

INPUTS = ("source", "padding_mask", "features", "source_tokens", "source_adapters", "target_adapters")
"""Keys of a batch's ``net_input`` that a search hands to a model."""


class Translator(Protocol):
    """What a search asks of a model."""

    decoder: MBartDecoder | None

    def encode_utterances(self, **net_input: Tensor) -> EncodedUtterances:
        """Prepare a batch for the decoder."""
        ...

    def __call__(self, **net_input: Tensor) -> Any:
        """Run the whole model; the output gives ``logits()``."""
        ...


@dataclass(frozen=True)
class SearchedUtterances:
    """Utterances that a search is writing hypotheses for.

    Attributes:
        encoded: one row an utterance.
        beam: hypotheses of each utterance; they stand side by side.
        ctc: what CTC says about each utterance, where it takes part.
    """

    encoded: EncodedUtterances
    beam: int = 1
    ctc: CtcFrames | None = None

    def reorder(self, order: Tensor) -> "SearchedUtterances":
        """Follow the search to its next hypotheses.

        An utterance stays one row however many hypotheses it has, so that nothing is copied until a search is done
        with an utterance.

        Args:
            order: (R',) int64, the hypothesis that each new one continues.
        """
        rows = order // self.beam
        utterances, counts = torch.unique_consecutive(rows, return_counts=True)
        beam = int(counts[0])
        if bool((counts != beam).any()):
            utterances, beam = rows, 1
        count = self.encoded.layers[0][0].size(0)
        unchanged = len(utterances) == count and bool((utterances == torch.arange(count, device=order.device)).all())
        if unchanged:
            return replace(self, beam=beam)
        ctc = None if self.ctc is None else self.ctc.select(utterances)
        return SearchedUtterances(self.encoded.select(utterances), beam, ctc)


class SearchEncoder(nn.Module):
    """Gives the host's generator what its hypotheses are about.

    Args:
        model: the speech translation model.
    """

    def __init__(self, model: Translator) -> None:
        super().__init__()
        self.model = model

    def forward_torchscript(self, net_input: dict[str, Tensor]) -> SearchedUtterances:
        """Encode a batch, under the name by which the host asks for it."""
        return SearchedUtterances(
            self.model.encode_utterances(**{name: net_input[name] for name in INPUTS if name in net_input})
        )

    def reorder_encoder_out(self, encoder_out: SearchedUtterances, new_order: Tensor) -> SearchedUtterances:
        """Follow the search; see :meth:`SearchedUtterances.reorder`."""
        return encoder_out.reorder(new_order)


class SearchDecoder(FairseqIncrementalDecoder):
    """Gives the host's generator the logits of one token after another.

    Args:
        decoder: the model's decoder.
    """

    def __init__(self, decoder: MBartDecoder) -> None:
        super().__init__(None)
        self.decoder = decoder

    def forward(
        self, prev_output_tokens: Tensor, encoder_out: SearchedUtterances, incremental_state: dict[str, Any], **_: Any
    ) -> tuple[Tensor, None]:
        """Logits (R, 1, V) after (R, U) tokens, of which all but the last were seen before."""
        if "past" not in incremental_state:
            incremental_state["past"] = [PastTokens() for _ in self.decoder.layers]
        past = incremental_state["past"]
        hidden = self.decoder(prev_output_tokens[:, -1:], encoder_out.encoded, past, past[0].length)
        return self.decoder.project(hidden), None

    def reorder_incremental_state_scripting(self, incremental_state: dict[str, Any], new_order: Tensor) -> None:
        """Follow the search to its next hypotheses, in place."""
        for past in incremental_state.get("past", []):
            past.reorder(new_order)

    def max_positions(self) -> int:
        """Longest text in tokens."""
        return self.decoder.config.max_positions


class BeamSearchView(nn.Module):
    """Encoder and decoder of a speech translation model, for the host's generator.

    Args:
        model: with a decoder.
    """

    def __init__(self, model: Translator) -> None:
        super().__init__()
        assert model.decoder is not None
        self.encoder = SearchEncoder(model)
        self.decoder = SearchDecoder(model.decoder)

    def forward(self, **net_input: Tensor) -> tuple[Tensor, None]:
        """Logits (B, U, V) of given texts, for the host's scoring of references; takes what the model takes."""
        return self.encoder.model(**net_input).logits(), None

    def max_decoder_positions(self) -> int:
        """Longest text in tokens."""
        return self.decoder.max_positions()

    def get_normalized_probs(self, net_output: tuple[Tensor, None], log_probs: bool, sample: Any = None) -> Tensor:
        """Log-probabilities, in float32, of (R, U, V) logits."""
        logits = net_output[0]
        return (
            F.log_softmax(logits, -1, dtype=torch.float32) if log_probs else F.softmax(logits, -1, dtype=torch.float32)
        )
