"""The measured system: samu_xlsr_mbart with its criterion's loss and its view for the host's generator."""

import json

import torch
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor

from benchmarks.translation.fairseq_peer import make_dictionary
from benchmarks.translation.sizes import BEAM, LABEL_SMOOTHING, PAD, TAG, Sizes
from benchmarks.translation.system import System, load
from benchmarks.translation.work import Batch
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartConfig, SamuXlsrMbartModel
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.ops.linear_cross_entropy import linear_cross_entropy


class OurSystem(System):
    """samu_xlsr_mbart.

    Args:
        sizes: of the model.
        state: the common weights.
        cache_features: hand over the output of the encoder's convolutions, computed before, instead of waves.
        chunked_loss: fuse output layer and loss, chunk by chunk; otherwise all logits are made first.
        fast_products: have linear layers compute by oneDNN where that is the faster library.
    """

    def __init__(
        self,
        sizes: Sizes,
        state: dict[str, Tensor],
        cache_features: bool = False,
        chunked_loss: bool = True,
        fast_products: bool = False,
    ) -> None:
        cfg = SamuXlsrMbartConfig(
            encoder_config=json.dumps(sizes.encoder),
            decoder_config=json.dumps(sizes.decoder),
            adapter_dim=sizes.bottleneck,
            decoder_dropout=0.0,
        )
        self.model = SamuXlsrMbartModel(cfg, build_speech_encoder(sizes.encoder), sizes.vocabulary, PAD)
        load(self.model, ((name, name, tensor) for name, tensor in state.items()))
        if fast_products:
            use_fast_products(self.model)
        self.dictionary = make_dictionary(sizes.vocabulary)
        self.chunked_loss = chunked_loss
        self.cache_features = cache_features
        self._features: dict[int, dict[str, Tensor]] = {}

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the losses, by the operation that the criterion uses."""
        output = self.model(**self._sources(batch), prev_output_tokens=batch.prev_output_tokens)
        valid = batch.target.ne(PAD)
        target = batch.target[valid]
        if self.chunked_loss:
            return linear_cross_entropy(output.hidden[valid], output.output_weight, target, LABEL_SMOOTHING).loss.sum()
        logits = output.logits()[valid]
        smoothing = LABEL_SMOOTHING * logits.size(1) / (logits.size(1) - 1)
        return torch.nn.functional.cross_entropy(logits, target, reduction="sum", label_smoothing=smoothing)

    def decode(self, batch: Batch, max_tokens: int) -> list[list[int]]:
        """Search by the host's generator over the package's view of the model."""
        view = BeamSearchView(self.model)
        generator = SequenceGenerator(
            [view], self.dictionary, beam_size=BEAM, max_len_b=max_tokens - 1, len_penalty=0.0
        )
        prefix = torch.full((len(batch.lengths), 1), TAG)
        found = generator.generate([view], {"net_input": self._sources(batch)}, prefix_tokens=prefix)
        return [hypotheses[0]["tokens"].tolist() for hypotheses in found]

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """Compute what is cached for a batch, before it is measured."""
        if self.cache_features:
            wave = batch.wave.to(self._dtype)
            features, padding_mask = self.model.encoder.extract_features(wave, batch.padding_mask)
            self._features[id(batch)] = {"features": features.contiguous(), "padding_mask": padding_mask}

    def _sources(self, batch: Batch) -> dict[str, Tensor]:
        if self.cache_features:
            return self._features[id(batch)]
        return {"source": batch.wave.to(self._dtype), "padding_mask": batch.padding_mask}

    @property
    def _dtype(self) -> torch.dtype:
        return self.model.decoder.embed_tokens.weight.dtype
