"""Telling a learning rate scheduler of an epoch's validation before the epoch's checkpoint is written."""

from functools import wraps
from typing import Any


def make_host_tell_before_saving() -> None:
    """Let the host call ``expect(value)`` of a scheduler that has it before it saves; doing it twice changes nothing.

    The host saves the end of an epoch first and tells the scheduler how the validation went afterwards, so that a run
    that goes on from that checkpoint would never learn of it. The value is None in the middle of an epoch, after which
    no step of the scheduler follows.
    """
    from fairseq import checkpoint_utils

    save = checkpoint_utils.save_checkpoint
    if getattr(save, "tells_before_saving", False):
        return

    @wraps(save)
    def save_checkpoint(cfg: Any, trainer: Any, epoch_itr: Any, val_loss: Any) -> Any:
        expect = getattr(trainer.lr_scheduler, "expect", None)
        if expect is not None:
            expect(val_loss if epoch_itr.end_of_epoch() else None)
        return save(cfg, trainer, epoch_itr, val_loss)

    save_checkpoint.tells_before_saving = True  # type: ignore[attr-defined]
    # the host keeps its best score as an attribute of whatever has this name
    checkpoint_utils.save_checkpoint = save_checkpoint
