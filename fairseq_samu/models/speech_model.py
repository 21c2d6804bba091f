"""What every model with a speech encoder does alike: it knows its update and what that update draws."""

from typing import Any, Optional

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor

from fairseq_samu.models.speech_encoder import SpeechEncoder, SpeechEncoderOutput
from fairseq_samu.models.training_draws import TrainingDraws


class SpeechModel(BaseFairseqModel):
    """Base of the models.

    Attributes:
        adapter_names: names of adapters that a batch chooses among row by row, in the order of their numbers.

    Args:
        cfg: options, with ``seed``.
    """

    encoder: SpeechEncoder

    def __init__(self, cfg: Any) -> None:
        super().__init__()
        self.seed = cfg.seed if isinstance(cfg.seed, int) else 1
        self.num_updates = 0
        self.adapter_names: list[str] = []

    def set_num_updates(self, num_updates: int) -> None:
        """Told by the trainer before each update, after it has switched to training mode."""
        super().set_num_updates(num_updates)
        rested = self.encoder_rests
        self.num_updates = num_updates
        if self.encoder_rests != rested:
            self.train(self.training)

    def max_positions(self) -> Optional[int]:
        """No limit: the task's limits are in seconds."""
        return None

    @property
    def feature_stage(self) -> Optional[int]:
        """Stage of the encoder up to which features can be computed once, see ``SpeechEncoder.run_to_stage``."""
        return self.encoder.constant_stage()

    def draws_of(self, row_ids: Optional[Tensor]) -> Optional[TrainingDraws]:
        """What masking and layerdrop are seeded from for (B,) rows in this update; None outside of training."""
        if row_ids is None or not self.training:
            return None
        return TrainingDraws(self.seed, self.num_updates, row_ids)

    @property
    def encoder_rests(self) -> bool:
        """Whether the speech encoder is not moved by the update at hand although it is tuned in others."""
        return False

    def encode(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        row_ids: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
        return_layers: bool = False,
        adapters: Optional[Tensor] = None,
    ) -> SpeechEncoderOutput:
        """Encode utterances.

        Args:
            source: (B, N) float wave at 16 kHz, or None where ``features`` are given.
            padding_mask: (B, N), or (B, T) with features; bool, True = padding.
            row_ids: (B,) int64 numbers that seed the masking of each row; None for no masking.
            features: (B, T, C or D) output of the same encoder at ``feature_stage``, computed before.
            return_layers: hand out the layers that run, too.
            adapters: (B,) int64, place in ``adapter_names`` of each row's adapter, -1 for none; None for none of all.

        Returns:
            Frames with their mask.
        """
        draws = None if self.encoder_rests else self.draws_of(row_ids)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.encoder_rests):
            if features is None:
                return self.encoder(source, padding_mask, draws, return_layers, adapters)
            if padding_mask is None:
                padding_mask = torch.zeros(features.shape[:2], dtype=torch.bool, device=features.device)
            stage = self.feature_stage or 0
            return self.encoder.run_from_stage(features, padding_mask, stage, draws, return_layers, adapters)
