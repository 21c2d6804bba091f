"""The peer: Hugging Face's Whisper with LoRA by PEFT, or with our own adapters put in by hooks.

Runs in an environment of its own, where PEFT is; without PEFT it runs in any with transformers.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from benchmarks.adapters.sizes import PAD, Sizes
from benchmarks.adapters.system import System, load_adapters
from benchmarks.adapters.work import SAMPLE_RATE, SAMPLES_A_FRAME, Batch

IGNORED = -100  # label at padding
LORA_PLACES = r".*encoder\.layers\.\d+\.self_attn\.(q_proj|v_proj)"  # of the encoder, as ours


class HuggingFacePeer(System):
    """WhisperForConditionalGeneration with SDPA attention, as it is loaded from a directory.

    Args:
        sizes: of the model.
        folder: the common weights.
        tuned_by: ``lora`` by PEFT on queries and values, or ``hooks``: a bottleneck behind each layer, ours exactly.
        whole_windows: fill every recording up to 30 s, as the model demands. Otherwise the model is cut to the batch's
            length, which its users cannot do by an option: ``max_source_positions`` and the table of positions.
        fresh: begin with adapters that change nothing, as LoRA always does here; hooks otherwise read the common ones.
    """

    def __init__(
        self, sizes: Sizes, folder: Path, tuned_by: str = "lora", whole_windows: bool = True, fresh: bool = True
    ) -> None:
        self.extract = WhisperFeatureExtractor.from_pretrained(folder / "whisper")
        self.base = WhisperForConditionalGeneration.from_pretrained(folder / "whisper")
        self.whole_windows = whole_windows
        self.base.requires_grad_(False)
        if tuned_by == "hooks":
            self.model: Any = self.base
            _hook_adapters_in(self.base, load_adapters(folder, fresh), sizes)
        else:
            from peft import LoraConfig, get_peft_model

            lora = LoraConfig(r=sizes.rank, lora_alpha=sizes.rank, target_modules=LORA_PLACES, lora_dropout=0.0)
            self.model = get_peft_model(self.base, lora)
        self.inputs: dict[str, Tensor] = {}

    def prepare(self, batch: Batch) -> None:
        """Compute the spectrograms, as the peer's recipes do once for a data set."""
        waves = [wave.numpy() for wave in batch.wave]
        padding = "max_length" if self.whole_windows else "longest"
        found = self.extract(waves, sampling_rate=SAMPLE_RATE, padding=padding, return_tensors="pt")
        if not self.whole_windows:
            _cut_positions(self.base, batch.wave.size(1) // SAMPLES_A_FRAME)
        self.inputs = {
            "input_features": found["input_features"],
            "decoder_input_ids": batch.prev_output_tokens,
            "labels": batch.target.masked_fill(batch.target.eq(PAD), IGNORED),
        }

    def loss(self, batch: Batch) -> Tensor:
        """Loss of the model itself."""
        found: Tensor = self.model(**self.inputs, use_cache=False).loss
        return found

    @torch.no_grad()
    def frames(self, batch: Batch) -> Tensor:
        """Frames of the whole window or of the batch's length."""
        found: Tensor = self.base.get_encoder()(self.inputs["input_features"]).last_hidden_state
        return found

    def save(self, folder: Path) -> None:
        """Write the adapters by PEFT, or the whole model where it knows nothing of them."""
        self.model.save_pretrained(folder)


def _cut_positions(model: WhisperForConditionalGeneration, frames: int) -> None:
    """Have the encoder read windows of another length."""
    encoder = model.get_encoder()
    if encoder.embed_positions.num_embeddings != frames:
        positions = encoder.embed_positions.weight.detach()[:frames].clone()
        encoder.embed_positions = nn.Embedding.from_pretrained(positions)
        encoder.config.max_source_positions = frames


class _Bottleneck(nn.Module):
    def __init__(self, dim: int, bottleneck: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, bottleneck), nn.Linear(bottleneck, dim)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(F.relu(self.down(x)))


def _hook_adapters_in(model: WhisperForConditionalGeneration, state: dict[str, Tensor], sizes: Sizes) -> None:
    for index, layer in enumerate(model.get_encoder().layers):
        place = f"encoder.layers.{index}.layer_adapter."
        layer.layer_adapter = _Bottleneck(sizes.encoder["dim"], sizes.bottleneck)
        layer.layer_adapter.load_state_dict(
            {name.removeprefix(place): tensor for name, tensor in state.items() if name.startswith(place)}
        )
        layer.register_forward_hook(_adapt_output)


def _adapt_output(layer: nn.Module, _: Any, output: Any) -> Any:
    return layer.layer_adapter(output) if isinstance(output, Tensor) else (layer.layer_adapter(output[0]), *output[1:])
