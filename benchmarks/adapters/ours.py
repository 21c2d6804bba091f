"""The measured system: samu_xlsr_mbart with Whisper's encoder and adapters, and the loss of its criterion."""

import json
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.adapters.sizes import PAD, Sizes
from benchmarks.adapters.system import STATE, WINDOW_SECONDS, System, load_adapters
from benchmarks.adapters.work import SAMPLE_RATE, Batch
from benchmarks.measuring.our_products import use_products_of_the_peer
from fairseq_samu.checkpoints.adapter_files import write_adapter
from fairseq_samu.checkpoints.adapter_loading import take_adapter
from fairseq_samu.models.adapter_probe import probe_part
from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartConfig, SamuXlsrMbartModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from fairseq_samu.ops.linear_cross_entropy import linear_cross_entropy

LANGUAGE = "be"  # name of the adapters


class OurSystem(System):
    """samu_xlsr_mbart.

    Args:
        sizes: of the model.
        folder: the common weights.
        cached: hand over the output of the encoder's convolutions, computed before, instead of waves.
        recompute: recompute the encoder's activations in the backward pass.
        products_of_peer: linear layers compute by torch's own choice, as the peer's do, and not by the faster library.
        fresh: begin with adapters that change nothing.
    """

    def __init__(
        self,
        sizes: Sizes,
        folder: Path,
        cached: bool = False,
        recompute: bool = False,
        products_of_peer: bool = False,
        fresh: bool = True,
    ) -> None:
        cfg = SamuXlsrMbartConfig(
            encoder_config=json.dumps(sizes.encoder),
            decoder_config=json.dumps(sizes.decoder),
            adapter_dim=sizes.bottleneck,
            adapter_placement="one",
            adapter_names=LANGUAGE,
            tuned_groups="encoder_adapters",
            checkpoint_activations=recompute,
            decoder_dropout=0.0,
        )
        self.model = SamuXlsrMbartModel(cfg, build_configured_encoder(cfg), sizes.vocabulary, PAD)
        state = load_file(folder / STATE) | load_adapters(folder, fresh)
        self.model.load_state_dict({_with_language(name): tensor for name, tensor in state.items()})
        if products_of_peer:
            use_products_of_the_peer(self.model)
        self.cached = cached
        self.inputs: dict[str, Tensor] = {}

    @torch.no_grad()
    def prepare(self, batch: Batch) -> None:
        """Compute the output of the convolutions where it is cached."""
        self.inputs = {"source": batch.wave, "padding_mask": batch.padding_mask}
        if self.cached:
            features, padding_mask = self.model.encoder.extract_features(batch.wave, batch.padding_mask)
            self.inputs = {"features": features.contiguous(), "padding_mask": padding_mask}
        self.inputs["source_adapters"] = torch.zeros(len(batch.lengths), dtype=torch.int64)

    def loss(self, batch: Batch) -> Tensor:
        """By the operation that the criterion uses; padding is masked."""
        return self._loss(self.inputs, batch)

    def unmasked_loss(self, batch: Batch, whole_windows: bool) -> Tensor:
        """The same where padding counts as silence, as it does for the peer: of 30 s, or of the batch's length."""
        return self._loss(self._unmasked(batch, whole_windows), batch)

    @torch.no_grad()
    def frames(self, batch: Batch, whole_windows: bool = False) -> Tensor:
        """Frames where padding counts as silence."""
        inputs = self._unmasked(batch, whole_windows)
        return self.model.encode(inputs["source"], adapters=inputs["source_adapters"]).frames

    def _loss(self, inputs: dict[str, Tensor], batch: Batch) -> Tensor:
        output = self.model(**inputs, prev_output_tokens=batch.prev_output_tokens)
        valid = batch.target.ne(PAD)
        return linear_cross_entropy(output.hidden[valid], output.output_weight, batch.target[valid]).loss.mean()

    def _unmasked(self, batch: Batch, whole_windows: bool) -> dict[str, Tensor]:
        samples = WINDOW_SECONDS * SAMPLE_RATE if whole_windows else batch.wave.size(1)
        wave = F.pad(batch.wave, (0, samples - batch.wave.size(1)))
        return {"source": wave, "source_adapters": self.inputs["source_adapters"]}

    def save(self, folder: Path) -> None:
        """Write the file of `fairseq-samu adapters export`, fingerprints of base and outputs included."""
        self.model.eval()
        state = dict(self.model.state_dict())
        adapter = take_adapter(state, LANGUAGE, partial(probe_part, self.model), LANGUAGE, LANGUAGE)
        write_adapter(folder / f"{LANGUAGE}.safetensors", adapter)


def _with_language(name: str) -> str:
    """Names of parameters of named adapters."""
    return name.replace("layer_adapter.", f"layer_adapter.{LANGUAGE}.")
