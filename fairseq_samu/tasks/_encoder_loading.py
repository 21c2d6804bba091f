"""Pre-trained weights of a speech encoder, put into a model that may have adapters."""

import logging

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.speech_encoder import LoadedEncoder
from fairseq_samu.models.samu_xlsr_mbart import ADAPTER_MARK
from fairseq_samu.models.speech_encoder import SpeechEncoder

logger = logging.getLogger(__name__)


def load_encoder(encoder: SpeechEncoder, loaded: LoadedEncoder, path: str) -> None:
    """Copy a file's weights into an encoder; adapters that only one of the two has stay as they are.

    Args:
        encoder: of the model.
        loaded: what the file holds.
        path: of the file, for messages.

    Raises:
        CheckpointError: other weights than those of adapters do not fit.
    """
    report = load_strict(
        encoder, loaded.state, where=path, left_over=loaded.left_over, optional=lambda name: ADAPTER_MARK in name
    )
    logger.info(f"speech encoder from {path} ({loaded.source}): {report.text()}")
    if any(ADAPTER_MARK in name for name in report.left_over):
        logger.warning(
            f"{path}: the adapters of this encoder are left out, and without them its frames are others than it was "
            "trained for. --adapter-dim of their inner size takes them in."
        )
