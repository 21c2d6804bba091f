"""Names of the wav2vec 2.0 family's weights: those of fairseq, which are ours, and those of Hugging Face."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

# In both formats the first convolution is what every model of the family has.
FAIRSEQ_MARK = "feature_extractor.conv_layers.0.0.weight"
HUGGINGFACE_MARK = "feature_extractor.conv_layers.0.conv.weight"

# Parts that serve pre-training or recognition only are left out, by name.
# In fairseq's format, whatever is none of these is such a part, of a fork maybe: it is left over by name. The last two
# change what the encoder computes; no encoder here has them, so that the strict report refuses such a file.
FAIRSEQ_PARTS = (
    "feature_extractor.",
    "layer_norm.",
    "post_extract_proj.",
    "mask_emb",
    "encoder.",
    "input_quantizer.",
    "project_inp.",
)
HUGGINGFACE_HEADS = ("quantizer.", "project_q.", "project_hid.", "lm_head.", "projector.", "classifier.")

# (name of Hugging Face, name of fairseq), as patterns of whole names.
PAIRS = (
    ("feature_extractor.conv_layers.{n}.conv.{p}", "feature_extractor.conv_layers.{n}.0.{p}"),
    ("feature_extractor.conv_layers.{n}.layer_norm.{p}", "feature_extractor.conv_layers.{n}.{norm}.{p}"),
    ("feature_projection.layer_norm.{p}", "layer_norm.{p}"),
    ("feature_projection.projection.{p}", "post_extract_proj.{p}"),
    ("masked_spec_embed", "mask_emb"),
    ("encoder.pos_conv_embed.conv.bias", "encoder.pos_conv.0.bias"),
    ("encoder.pos_conv_embed.conv.parametrizations.weight.original0", "encoder.pos_conv.0.weight_g"),
    ("encoder.pos_conv_embed.conv.parametrizations.weight.original1", "encoder.pos_conv.0.weight_v"),
    ("encoder.layers.{n}.attention.{q}.{p}", "encoder.layers.{n}.self_attn.{q}.{p}"),
    ("encoder.layers.{n}.layer_norm.{p}", "encoder.layers.{n}.self_attn_layer_norm.{p}"),
    ("encoder.layers.{n}.feed_forward.intermediate_dense.{p}", "encoder.layers.{n}.fc1.{p}"),
    ("encoder.layers.{n}.feed_forward.output_dense.{p}", "encoder.layers.{n}.fc2.{p}"),
    ("encoder.layers.{n}.final_layer_norm.{p}", "encoder.layers.{n}.final_layer_norm.{p}"),
    ("encoder.layer_norm.{p}", "encoder.layer_norm.{p}"),
)
FIELDS = {"n": r"(?P<n>\d+)", "p": r"(?P<p>weight|bias)", "q": r"(?P<q>[qkv]_proj|out_proj)"}


def find_prefix(names: Mapping[str, Tensor], mark: str) -> str | None:
    """Find what stands before the names of an encoder inside a larger model; None where there is no encoder."""
    found = sorted((name[: -len(mark)] for name in names if name == mark or name.endswith("." + mark)), key=len)
    return found[0] if found else None


def split_heads(
    state: Mapping[str, Tensor], prefix: str, is_head: Callable[[str], bool]
) -> tuple[dict[str, Tensor], list[str]]:
    """Take an encoder out of a larger model.

    Args:
        state: tensors by name.
        prefix: what stands before the encoder's names.
        is_head: which names, without the prefix, are left out.

    Returns:
        The encoder's tensors by name without the prefix, and the names that were left out.
    """
    inside = {name.removeprefix(prefix): name for name in state if name.startswith(prefix)}
    kept = {short: state[name] for short, name in inside.items() if not is_head(short)}
    left = [name for name in state if not name.startswith(prefix)]
    return kept, left + [name for short, name in inside.items() if is_head(short)]


def from_fairseq(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the positional convolution's weight the names that it has here, whichever version of torch wrote them."""
    places = {
        "encoder.pos_conv.0.parametrizations.weight.original0": "encoder.pos_conv.0.weight_g",
        "encoder.pos_conv.0.parametrizations.weight.original1": "encoder.pos_conv.0.weight_v",
    }
    return {places.get(name, name): tensor for name, tensor in state.items()}


def from_huggingface(state: Mapping[str, Tensor], extractor_norm: str) -> dict[str, Tensor]:
    """Rename Hugging Face's tensors; a name that is not known stays, so that the strict report shows it."""
    aliases = {
        "encoder.pos_conv_embed.conv.weight_g": "encoder.pos_conv.0.weight_g",
        "encoder.pos_conv_embed.conv.weight_v": "encoder.pos_conv.0.weight_v",
    }
    renamed = {}
    for name, tensor in state.items():
        renamed[aliases.get(name) or _rename(name, PAIRS, extractor_norm) or name] = tensor
    return renamed


def to_huggingface(state: Mapping[str, Tensor], extractor_norm: str) -> dict[str, Tensor]:
    """Rename the package's tensors to Hugging Face's names.

    Raises:
        KeyError: when a name has no partner there.
    """
    reverse = tuple((ours, theirs) for theirs, ours in PAIRS)
    renamed = {}
    for name, tensor in state.items():
        target = _rename(name, reverse, extractor_norm)
        if target is None:
            raise KeyError(name)
        renamed[target] = tensor
    return renamed


def _rename(name: str, pairs: tuple[tuple[str, str], ...], extractor_norm: str) -> str | None:
    norm = "2" if extractor_norm == "group" else "2.1"
    for source, target in pairs:
        source, target = source.replace("{norm}", norm), target.replace("{norm}", norm)
        pattern = re.escape(source)
        for letter, expression in FIELDS.items():
            pattern = pattern.replace(re.escape("{" + letter + "}"), expression)
        match = re.fullmatch(pattern, name)
        if match is not None:
            return target.format(**match.groupdict())
    return None
