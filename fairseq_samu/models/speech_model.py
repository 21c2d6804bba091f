"""What every model with a speech encoder does alike: it knows its update and what that update draws."""

from typing import Any, Optional

from fairseq.models import BaseFairseqModel
from torch import Tensor

from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.training_draws import TrainingDraws


class SpeechModel(BaseFairseqModel):
    """Base of the models.

    Args:
        cfg: options, with ``seed``.
    """

    encoder: SpeechEncoder

    def __init__(self, cfg: Any) -> None:
        super().__init__()
        self.seed = cfg.seed if isinstance(cfg.seed, int) else 1
        self.num_updates = 0

    def set_num_updates(self, num_updates: int) -> None:
        """Told by the trainer before each update."""
        super().set_num_updates(num_updates)
        self.num_updates = num_updates

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
