"""Decoder and head for CTC of a model, scoring every token together, in the host's sequence generator."""

from typing import Any, Protocol

from torch import Tensor

from fairseq_samu.models.beam_search_view import (
    INPUTS,
    BeamSearchView,
    SearchDecoder,
    SearchedUtterances,
    SearchEncoder,
    Translator,
)
from fairseq_samu.models.mbart_decoder import EncodedUtterances, MBartDecoder
from fairseq_samu.ops.ctc_prefix_scores import (
    CtcFrames,
    CtcPrefixes,
    extend_prefixes,
    read_frames,
    score_next_labels,
    start_prefixes,
)

TAGS = 1
"""Tokens that the decoder writes in front of what CTC hears: the tag of the language."""


class Recogniser(Translator, Protocol):
    """What a joint search asks of a model."""

    def project_output(self, output: Any, target_adapters: Tensor | None = None) -> EncodedUtterances:
        """Prepare for the decoder what the model has handed out."""
        ...


class JointSearchEncoder(SearchEncoder):
    """Gives the host's generator what its hypotheses are about, and what CTC says about it.

    Args:
        model: with a head for CTC.
        blank: label of CTC that stands for none.
    """

    model: Recogniser

    def __init__(self, model: Recogniser, blank: int) -> None:
        super().__init__(model)
        self.blank = blank

    def forward_torchscript(self, net_input: dict[str, Tensor]) -> SearchedUtterances:
        """Encode a batch, under the name by which the host asks for it."""
        output = self.model(**{name: net_input[name] for name in INPUTS if name in net_input})
        encoded = self.model.project_output(output, net_input.get("target_adapters"))
        return SearchedUtterances(encoded, ctc=read_frames(output.ctc_logits, output.padding_mask, self.blank))


class JointSearchDecoder(SearchDecoder):
    """Gives the host's generator logits of the decoder and scores of CTC.

    Args:
        decoder: the model's decoder.
        end: id of the end symbol.
    """

    def __init__(self, decoder: MBartDecoder, end: int) -> None:
        super().__init__(decoder)
        self.end = end

    def forward(  # type: ignore[override]
        self, prev_output_tokens: Tensor, encoder_out: SearchedUtterances, incremental_state: dict[str, Any], **_: Any
    ) -> tuple[Tensor, dict[str, Tensor | None]]:
        """As :meth:`SearchDecoder.forward`, with ``ctc`` (R, V) for the next token: None where that is the tag."""
        logits = super().forward(prev_output_tokens, encoder_out, incremental_state)[0]
        assert encoder_out.ctc is not None
        scores = None
        written = prev_output_tokens.size(1) - 1 - TAGS
        if written >= 0:
            prefixes = self._prefixes(encoder_out.ctc, prev_output_tokens, incremental_state)
            scores = score_next_labels(encoder_out.ctc, prefixes, self.end)
        return logits, {"attn": None, "ctc": scores}

    @staticmethod
    def _prefixes(frames: CtcFrames, tokens: Tensor, incremental_state: dict[str, Any]) -> CtcPrefixes:
        """What (R, U) tokens are to CTC: those before the last were seen in the steps before."""
        if "ctc" in incremental_state:
            # the host writes over its table of tokens
            prefixes = extend_prefixes(frames, incremental_state["ctc"], tokens[:, -1].clone())
        else:
            prefixes = start_prefixes(frames, len(tokens) // len(frames.shares))
        incremental_state["ctc"] = prefixes
        return prefixes

    def reorder_incremental_state_scripting(self, incremental_state: dict[str, Any], new_order: Tensor) -> None:
        """Follow the search to its next hypotheses, in place."""
        super().reorder_incremental_state_scripting(incremental_state, new_order)
        if "ctc" in incremental_state:
            incremental_state["ctc"] = incremental_state["ctc"].select(new_order)


class JointSearchView(BeamSearchView):
    """Encoder, head for CTC and decoder of a model, for the host's generator.

    A token's score is ``(1 - weight) * log p_attention + weight * log p_ctc``, the end symbol's that of the text being
    whole; the language tag, which CTC does not know, has that of attention alone.

    Source: Eq. 13 of Hori et al. (ACL 2017, P17-1048), one-pass decoding. Deviation: every token is scored by both.

    Args:
        model: with a decoder and a head for CTC.
        weight: of CTC, from 0 to 1.
        blank: label of CTC that stands for none.
        end: id of the end symbol.
    """

    def __init__(self, model: Recogniser, weight: float, blank: int, end: int) -> None:
        super().__init__(model)
        assert model.decoder is not None
        self.encoder = JointSearchEncoder(model, blank)
        self.decoder = JointSearchDecoder(model.decoder, end)
        self.weight = weight

    def get_normalized_probs(  # type: ignore[override]
        self, net_output: tuple[Tensor, dict[str, Tensor | None]], log_probs: bool, sample: Any = None
    ) -> Tensor:
        """Scores, in float32, of (R, 1, V) logits and what CTC adds; exponentials of them without ``log_probs``."""
        logits, extra = net_output
        scores = (1.0 - self.weight) * super().get_normalized_probs((logits, None), True, sample)
        if extra["ctc"] is not None:
            scores = scores + self.weight * extra["ctc"].unsqueeze(1)
        return scores if log_probs else scores.exp()
