"""The library that the package's linear layers compute with."""

from torch import nn

from fairseq_samu.modules.fast_linear import FastLinear


def use_products_of_the_peer(model: nn.Module) -> None:
    """Have linear layers compute by torch's own choice, as a peer's do, and not by the faster library."""
    for layer in model.modules():
        if isinstance(layer, FastLinear):
            layer.__class__ = nn.Linear
