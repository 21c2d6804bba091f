"""Filling a dataset's feature cache with what a frozen encoder, or its frozen convolutions, give."""

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
from fairseq_samu.data.multitask_dataset import MultitaskDataset
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoders import TRAINING_OPTIONS

logger = logging.getLogger(__name__)
BATCH_SAMPLES = 16000 * 60
CachedDataset = SpeechTextDataset | MultitaskDataset


def fingerprint_encoder(encoder: SpeechEncoder, whole: bool = True) -> str:
    """Hash of all that cached features depend on: weights, and sizes such as heads and strides that weights hide.

    Args:
        encoder: the encoder.
        whole: the features are its frames; False: those of its convolutions, whose weights alone count then.
    """
    sizes = {name: value for name, value in encoder.config().items() if name not in TRAINING_OPTIONS}
    state = encoder.state_dict()
    if not whole:
        state = {name: state[name] for name in encoder.parameter_groups()["feature_extractor"]}
        sizes["stage"] = "convolutions"
    return hashlib.sha256((fingerprint(state) + json.dumps(sizes, sort_keys=True)).encode()).hexdigest()


def attach_feature_cache(
    folder: str, dataset: CachedDataset, encoder: SpeechEncoder, constant: bool, whole: bool = True
) -> FeatureCache:
    """Let a dataset hand out features of a frozen encoder instead of waves.

    Args:
        folder: parent of the caches.
        dataset: reads from the cache from now on.
        encoder: the encoder.
        constant: whether what is cached is frozen; the caller knows what it tunes.
        whole: cache the encoder's frames; False: the output of its convolutions.

    Returns:
        The filled cache; its ``build_seconds`` count all building so far.

    Raises:
        ConfigError: what is cached is tuned, or waves are changed in a way that is drawn anew every epoch.
    """
    if not constant:
        mend = "Freeze it, or leave the cache out."
        rule = "used with a frozen encoder" if whole else "used with a frozen feature extractor"
        raise ConfigError(explain("", "feature_cache", rule, folder, mend))
    if dataset.options.training and dataset.options.augment is not None:
        mend = "Use --speed-factors alone (each speed is cached), or leave the cache out."
        raise ConfigError(explain("", "feature_cache", "used without noise and gain", folder, mend))
    dim = encoder.dim if whole else encoder.feature_dim
    cache = FeatureCache(folder, fingerprint_encoder(encoder, whole), dim)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # the trainer moves the model later; a copy serves on the device until then
    runner = (copy.deepcopy(encoder) if device.type == "cuda" else encoder).to(device).eval()

    def encode(waves: list[NDArray[np.float32]]) -> list[NDArray[np.floating[Any]]]:
        values, mask = pad(waves)
        with torch.no_grad():
            features, padding = runner.extract_features(values.to(device), mask.to(device))
            if whole:
                features = runner.encode_features(features, padding).frames
        lengths = (~padding).sum(dim=1).tolist()
        arrays = features.float().cpu().numpy()
        return [arrays[row, :length] for row, length in enumerate(lengths)]

    seconds = dataset.use_cache(cache, encode, BATCH_SAMPLES)
    logger.info(
        f"feature cache: {len(cache)} recordings in {cache.folder}, {seconds:.1f} s spent now, "
        f"{cache.build_seconds:.1f} s in all"
    )
    return cache
