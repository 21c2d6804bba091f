"""The parts of a speech encoder, and up to which of them it gives the same in every update."""

from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from fairseq_samu.models.encoder_configs import EncoderConfig
from fairseq_samu.models.training_draws import MaskingOptions
from fairseq_samu.modules.named_adapters import NamedAdapters


class EncoderStages(nn.Module, ABC):
    """Base of the speech encoders: what they consist of.

    A stage is a place between two parts: 0 behind the convolutions, ``s`` up to the number of layers in front of layer
    ``s`` (counted from 0), or of the final norm; :attr:`whole_stage` behind everything.

    Attributes:
        dim: features D of a frame.
        feature_dim: features C of the convolutions' output.
        num_layers: transformer layers.
        layerdrop: probability of skipping a layer in training.
        masking: random masking in training.
        checkpoint_activations: recompute the layers' activations in the backward pass, to save memory.

    Args:
        config: sizes and training options that all families share.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dim = config.dim
        self.feature_dim = config.dim
        self.num_layers = config.num_layers
        self.layerdrop = config.layerdrop
        self.checkpoint_activations = config.checkpoint_activations
        self.masking = MaskingOptions(
            config.mask_time_prob, config.mask_time_length, config.mask_channel_prob, config.mask_channel_length
        )

    @abstractmethod
    def transformer_layers(self) -> nn.ModuleList:
        """Layers in their order; each is a ``TransformerLayer`` with places for adapters."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Plain JSON with ``family`` and every size that :func:`build_speech_encoder` needs to build the like."""

    @abstractmethod
    def group_of(self, name: str) -> str:
        """Name the group of a parameter: ``feature_extractor``, ``embedding``, ``layer.N`` or ``final_norm``."""

    def parameter_groups(self) -> dict[str, list[str]]:
        """Sort the names of all parameters into groups, from the input to the output.

        Returns:
            ``feature_extractor`` (convolutions that read the wave or its spectrogram), ``embedding`` (what stands
            between them and the layers), ``layer.0`` ..., ``final_norm`` where there is one.
        """
        order = ["feature_extractor", "embedding", *(f"layer.{i}" for i in range(self.num_layers)), "final_norm"]
        groups: dict[str, list[str]] = {group: [] for group in order}
        for name, _ in self.named_parameters():
            groups[self.group_of(name)].append(name)
        return {group: names for group, names in groups.items() if names}

    @property
    def whole_stage(self) -> int:
        """The stage at which nothing is left to do: features are frames."""
        return self.num_layers + 1

    def first_tuned_stage(self) -> int:
        """The lowest part that is tuned: 0 in front of the layers, then the layer, their number for the final norm.

        Returns:
            A stage; :attr:`whole_stage` where nothing is tuned.
        """
        stages = [self.whole_stage]
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                group = self.group_of(name)
                layer = group.removeprefix("layer.")
                stages.append(int(layer) if layer.isdigit() else self.num_layers if group == "final_norm" else 0)
        return min(stages)

    def first_routed_stage(self) -> int:
        """The first layer with named adapters: from there on features depend on the row, not on its recording alone."""
        for index, layer in enumerate(self.transformer_layers()):
            if any(isinstance(place, NamedAdapters) for place in layer.children()):
                return index
        return self.whole_stage

    def constant_stage(self) -> int | None:
        """The last stage whose features are the same in every update, and for every row with the same recording.

        Returns:
            A stage; None where the convolutions are tuned.
        """
        names = dict(self.named_parameters())
        if any(names[name].requires_grad for name in self.parameter_groups()["feature_extractor"]):
            return None
        drawn = self.masking.time_prob > 0 or self.masking.channel_prob > 0 or self.layerdrop > 0
        return 0 if drawn else min(self.first_tuned_stage(), self.first_routed_stage())
