"""One random state for all systems, named as in the package, whose beam search ends as that of a trained model does."""

import math

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.measuring.encoders import draw_weight
from benchmarks.translation.sizes import EOS, TAG, Sizes
from fairseq_samu.models.mbart_decoder import POSITION_OFFSET, MBartDecoder, MBartDecoderConfig
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.modules.adapter import Adapter

LOGIT_SPREAD = 3.0  # standard deviation of the logits: some tokens are likely, as in a trained model
UNLIKELY = 0.5  # what the rows of tokens outside of the trimmed vocabulary are scaled by
SPECIALS = TAG + 1


def kept_tokens(sizes: Sizes) -> Tensor:
    """Ids (V',) int64 of the trimmed vocabulary: the specials, the tag, and evenly spread pieces."""
    spread = torch.linspace(SPECIALS, sizes.vocabulary - 1, sizes.trimmed - SPECIALS, dtype=torch.float64)
    return torch.cat([torch.arange(SPECIALS), spread.long()])


def random_state(sizes: Sizes, trim: bool = False, seed: int = 1) -> dict[str, Tensor]:
    """Draw all weights.

    The decoder of random weights would write one token for ever. Three things make it write as a trained one does: the
    last norm has random signs, so that a token does not call for itself; the end symbol grows likelier with the
    position; and tokens outside of the trimmed vocabulary are unlikely, as those of other languages are.

    Args:
        sizes: of the model, with the whole vocabulary.
        trim: keep the rows of the trimmed vocabulary.
        seed: of the draw.

    Returns:
        Tensors named ``encoder.*`` (adapters included) and ``decoder.*``.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = sizes.encoder["num_layers"] + sizes.decoder["num_layers"]
    state = {}
    for name, shape in parameter_shapes(sizes).items():
        state[name] = draw_weight(name, shape, generator, layers)
    _spread_tokens(state, sizes, generator)
    if trim:
        embedding = state["decoder.embed_tokens.weight"]
        state["decoder.embed_tokens.weight"] = embedding[kept_tokens(sizes)]
    return state


def parameter_shapes(sizes: Sizes) -> dict[str, torch.Size]:
    """Name every parameter of the model, adapters included."""
    with FakeTensorMode():
        encoder = build_speech_encoder(sizes.encoder)
        for layer in encoder.transformer_layers():
            layer.attention_adapter = Adapter(encoder.dim, sizes.bottleneck)
            layer.ffn_adapter = Adapter(encoder.dim, sizes.bottleneck)
        decoder = MBartDecoder(MBartDecoderConfig(vocabulary_size=sizes.vocabulary, **sizes.decoder))
    parts = {"encoder": encoder, "decoder": decoder}
    return {f"{part}.{name}": p.shape for part, module in parts.items() for name, p in module.named_parameters()}


def _spread_tokens(state: dict[str, Tensor], sizes: Sizes, generator: torch.Generator) -> None:
    dim = sizes.decoder["dim"]
    norm = state["decoder.layer_norm.weight"]
    norm.mul_(torch.randint(0, 2, norm.shape, generator=generator) * 2.0 - 1.0)
    embedding = state["decoder.embed_tokens.weight"].mul_(LOGIT_SPREAD)
    unlikely = torch.ones(sizes.vocabulary, dtype=torch.bool)
    unlikely[kept_tokens(sizes)] = False
    embedding[unlikely] *= UNLIKELY
    direction = torch.empty(dim).normal_(generator=generator)
    direction /= direction.norm()
    positions = state["decoder.embed_positions.weight"]
    steps = torch.arange(positions.size(0) - POSITION_OFFSET) / sizes.text_length
    positions[POSITION_OFFSET:] += 0.5 * LOGIT_SPREAD * math.sqrt(dim) * steps[:, None] * direction
    highest = LOGIT_SPREAD * math.sqrt(2.0 * math.log(sizes.trimmed))
    embedding[EOS] = highest / (0.3 * math.sqrt(dim)) * norm.sign() * direction
