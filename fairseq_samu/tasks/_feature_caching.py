"""Filling a dataset's feature cache with the frames of a frozen encoder."""

import copy
import hashlib
import json
import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairseq_samu.checkpoints.key_report import fingerprint
from fairseq_samu.data.collate import pad
from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.samu_xlsr import SamuXlsrModel
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoders import TRAINING_OPTIONS

logger = logging.getLogger(__name__)
BATCH_SAMPLES = 16000 * 60


def fingerprint_encoder(encoder: SpeechEncoder) -> str:
    """Hash of all that frames depend on: weights, and sizes such as heads and strides that weights hide."""
    sizes = {name: value for name, value in encoder.config().items() if name not in TRAINING_OPTIONS}
    facts = fingerprint(encoder.state_dict()) + json.dumps(sizes, sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def attach_feature_cache(folder: str, dataset: SpeechTextDataset, model: SamuXlsrModel) -> FeatureCache:
    """Let a dataset hand out the frames of the model's frozen encoder instead of waves.

    Args:
        folder: parent of the caches.
        dataset: its ``cache`` is set.
        model: its encoder must be frozen as a whole.

    Returns:
        The filled cache; its ``build_seconds`` count all building so far.

    Raises:
        ConfigError: the encoder is tuned, or waves are changed in a way that is drawn anew every epoch.
    """
    if not model.encoder_is_frozen:
        mend = "Set --num-tuned-layers 0, or leave the cache out."
        raise ConfigError(explain("", "feature_cache", "used with a frozen encoder", folder, mend))
    if dataset.options.training and dataset.options.augment is not None:
        mend = "Use --speed-factors alone (each speed is cached), or leave the cache out."
        raise ConfigError(explain("", "feature_cache", "used without noise and gain", folder, mend))
    encoder = model.encoder
    cache = FeatureCache(folder, fingerprint_encoder(encoder), encoder.dim)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # the trainer moves the model later; a copy serves on the device until then
    runner = (copy.deepcopy(encoder) if device.type == "cuda" else encoder).to(device).eval()

    def encode(waves: list[NDArray[np.float32]]) -> list[NDArray[np.floating[Any]]]:
        values, mask = pad(waves)
        with torch.no_grad():
            output = runner(values.to(device), mask.to(device))
        lengths = (~output.padding_mask).sum(dim=1).tolist()
        frames = output.frames.float().cpu().numpy()
        return [frames[row, :length] for row, length in enumerate(lengths)]

    seconds = dataset.use_cache(cache, encode, BATCH_SAMPLES)
    logger.info(
        f"feature cache: {len(cache)} recordings in {cache.folder}, {seconds:.1f} s spent now, "
        f"{cache.build_seconds:.1f} s in all"
    )
    return cache
