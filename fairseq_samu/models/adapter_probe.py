"""Outputs of a model's encoder or decoder for a fixed input, by which adapters on them are known again."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fairseq_samu.models.mbart_decoder import MBartDecoder
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_model import SpeechModel

PROBE_SAMPLES = 16000  # one second
KEPT_FRAMES = 4  # every fourth, so that files stay small
NUM_STATES = 16  # that the decoder attends to
# Marks that every vocabulary has, however trimmed: </s>, <s> and <unk>.
TOKENS = (2, 0, 3, 2, 3, 0, 3, 2)


def make_probe_wave() -> Tensor:
    """A second of noise (1, N) float32, the same everywhere."""
    return torch.randn(1, PROBE_SAMPLES, generator=torch.Generator().manual_seed(0)) * 0.1


class _Probed(nn.Module):
    """A part of a model on its fixed input."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, numbers: Tensor | None) -> Tensor:
        part = self.part
        device = next(part.parameters()).device
        if isinstance(part, SpeechEncoder):
            frames: Tensor = part(make_probe_wave().to(device), adapters=numbers).frames[0]
            return frames[::KEPT_FRAMES]
        assert isinstance(part, MBartDecoder)
        generator = torch.Generator().manual_seed(1)
        states = torch.randn(1, NUM_STATES, part.config.dim, generator=generator).to(device)
        nothing_padded = torch.zeros(1, NUM_STATES, dtype=torch.bool, device=device)
        hidden: Tensor = part(
            torch.tensor([TOKENS], device=device), part.project_frames(states, nothing_padded, numbers)
        )
        return hidden[0]


@torch.no_grad()
def probe_part(model: SpeechModel, part: str, adapter: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """Run a part of a model on a fixed input, with other weights than it has.

    Args:
        model: in float32; is left as it was.
        part: ``encoder`` or ``decoder``.
        adapter: name of the adapter that the input goes through; empty for the one without a name.
        tensors: weights by their names inside the part; where there are none, the model's own are used.

    Returns:
        (T, D) frames or (U, D) states, float32 on the CPU.
    """
    probed = _Probed(getattr(model, part))
    own = probed.state_dict().keys()
    given = {name: tensor for inside, tensor in tensors.items() if (name := f"part.{inside}") in own}
    device = next(probed.parameters()).device
    numbers = torch.tensor([model.adapter_names.index(adapter)], device=device) if adapter else None
    modes = [(module, module.training) for module in probed.part.modules()]
    for module, _ in modes:
        module.training = False
    try:
        output: Tensor = functional_call(probed, given, (numbers,))
    finally:
        for module, mode in modes:
            module.training = mode
    return output.float().cpu().contiguous()
