"""Pre-trained weights of a speech encoder, put into a model that may have adapters."""

import logging

from fairseq_samu.checkpoints.key_report import KeyReport, load_strict
from fairseq_samu.checkpoints.speech_encoder import LoadedEncoder
from fairseq_samu.models.adapter_options import ADAPTER_MARK
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
    warn_of_adapters(report, path, "encoder", "--adapter-dim")


def warn_of_adapters(report: KeyReport, path: str, part: str, option: str) -> None:
    """Warn where adapters of a file are left out.

    Args:
        report: of what was loaded.
        path: of the file.
        part: of the model, in words.
        option: that gives the part adapters.
    """
    if any(ADAPTER_MARK in name for name in report.left_over):
        logger.warning(
            f"{path}: adapters of this {part} are left out, and without them its outputs are others than it was "
            f"trained for. {option} of their inner size, and their --adapter-names where they have names, take them in."
        )
