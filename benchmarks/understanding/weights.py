"""One random state for all systems, and the files in which a system of another environment reads it."""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.measuring.encoders import draw_weight
from benchmarks.understanding.sizes import BLANK, EMBEDDING, FIRST_LABEL, Sizes
from fairseq_samu.checkpoints.huggingface_export import export_huggingface
from fairseq_samu.models.samu_xlsr import SentenceHead
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.modules.concept_head import ConceptHead

LOGIT_SPREAD = 20.0  # of the last weights: a few labels are likely, as in a trained model
RECURRENCE = 0.5  # of the LSTM's recurrent weights: states change from frame to frame
INPUT_GAIN = 3.0  # of its input weights
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout")
BLANK_BIAS = 18.0  # the blank wins many frames


def random_state(sizes: Sizes, seed: int = 1) -> dict[str, Tensor]:
    """Draw all weights.

    Args:
        sizes: of the model.
        seed: of the draw.

    Returns:
        Tensors named as in the model samu_slu: ``encoder.*``, ``head.*``, ``slu_head.*``.
    """
    generator = torch.Generator().manual_seed(seed)
    dim = sizes.encoder["dim"]
    with FakeTensorMode():
        encoder = build_speech_encoder(sizes.encoder)
        head = SentenceHead(dim, EMBEDDING)
        tagger = ConceptHead(dim, sizes.labels, sizes.lstm_dim, sizes.num_lstm_layers, sizes.lstm_dim)
    state = {
        f"encoder.{name}": draw_weight(name, p.shape, generator, sizes.encoder["num_layers"])
        for name, p in encoder.named_parameters()
    }
    for part, module in (("head", head), ("slu_head", tagger)):
        for name, parameter in module.named_parameters():
            state[f"{part}.{name}"] = _draw_head(name, parameter.shape, generator)
    state["slu_head.output.weight"] *= LOGIT_SPREAD
    bias = state["slu_head.output.bias"]
    bias[BLANK], bias[BLANK + 1 : FIRST_LABEL] = BLANK_BIAS, -30.0  # no system writes the specials
    return state


def _draw_head(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    tensor = torch.empty(shape).normal_(generator=generator)
    if len(shape) < 2:
        return tensor.mul_(0.1)
    gain = RECURRENCE if "weight_hh" in name else INPUT_GAIN if "weight_ih" in name else 1.0
    if name == "hidden.weight":
        gain = 2.0  # the LSTM's outputs are small
    return tensor.mul_(gain / math.sqrt(shape[-1]))


def write_state(folder: Path, sizes: Sizes) -> None:
    """Write the random state: ``encoder/`` as transformers reads it, and ``state.safetensors`` with our names."""
    state = random_state(sizes)
    save_file(state, folder / "state.safetensors")
    encoder = {name.removeprefix("encoder."): tensor for name, tensor in state.items() if name.startswith("encoder.")}
    export_huggingface(folder / "encoder", build_speech_encoder(sizes.encoder).config(), encoder)
    config = json.loads((folder / "encoder/config.json").read_text("utf-8"))
    config |= dict.fromkeys(DROPOUTS, 0.0)  # draws of two systems differ
    (folder / "encoder/config.json").write_text(json.dumps(config), encoding="utf-8")
