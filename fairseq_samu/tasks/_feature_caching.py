"""Filling a dataset's feature cache with what the frozen part of an encoder gives."""

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
from fairseq_samu.data.stacked_datasets import StackedDatasets
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoders import TRAINING_OPTIONS

logger = logging.getLogger(__name__)
BATCH_SAMPLES = 16000 * 60
CachedDataset = SpeechTextDataset | StackedDatasets


def fingerprint_encoder(encoder: SpeechEncoder, stage: int) -> str:
    """Hash of all that cached features depend on: weights, and sizes such as heads and strides that weights hide.

    Args:
        encoder: the encoder.
        stage: of the features, see ``SpeechEncoder.run_to_stage``; only weights in front of it count.
    """
    sizes = {name: value for name, value in encoder.config().items() if name not in TRAINING_OPTIONS}
    state = encoder.state_dict()
    groups = encoder.parameter_groups()
    if stage == 0:
        state = {name: state[name] for name in groups["feature_extractor"]}
        sizes["stage"] = "convolutions"
    elif stage < encoder.whole_stage:
        behind = [f"layer.{number}" for number in range(stage, encoder.num_layers)] + ["final_norm"]
        later = {name for group in behind for name in groups.get(group, ())}
        state = {name: tensor for name, tensor in state.items() if name not in later}
        sizes["stage"] = f"layer {stage}"
    return hashlib.sha256((fingerprint(state) + json.dumps(sizes, sort_keys=True)).encode()).hexdigest()


def attach_feature_cache(
    folder: str, dataset: CachedDataset, encoder: SpeechEncoder, stage: int | None
) -> FeatureCache:
    """Let a dataset hand out features of an encoder's frozen part instead of waves.

    Args:
        folder: parent of the caches.
        dataset: reads from the cache from now on.
        encoder: the encoder.
        stage: up to which the encoder is constant, see ``SpeechEncoder.run_to_stage``; None where nothing is. The
            caller knows what it tunes and draws.

    Returns:
        The filled cache; its ``build_seconds`` count all building so far.

    Raises:
        ConfigError: what is cached is tuned, or waves are changed in a way that is drawn anew every epoch.
    """
    if stage is None:
        mend = "Freeze it, or leave the cache out."
        raise ConfigError(explain("", "feature_cache", "used with a frozen feature extractor", folder, mend))
    if dataset.options.training and dataset.options.augment is not None:
        mend = "Use --speed-factors alone (each speed is cached), or leave the cache out."
        raise ConfigError(explain("", "feature_cache", "used without noise and gain", folder, mend))
    dim = encoder.dim if stage else encoder.feature_dim
    cache = FeatureCache(folder, fingerprint_encoder(encoder, stage), dim)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # the trainer moves the model later; a copy serves on the device until then
    runner = (copy.deepcopy(encoder) if device.type == "cuda" else encoder).to(device).eval()

    def encode(waves: list[NDArray[np.float32]]) -> list[NDArray[np.floating[Any]]]:
        values, mask = pad(waves)
        with torch.no_grad():
            features, padding = runner.run_to_stage(values.to(device), mask.to(device), stage)
        lengths = (~padding).sum(dim=1).tolist()
        arrays = features.float().cpu().numpy()
        return [arrays[row, :length] for row, length in enumerate(lengths)]

    seconds = dataset.use_cache(cache, encode, BATCH_SAMPLES)
    logger.info(
        f"feature cache: {len(cache)} recordings in {cache.folder}, {_describe(stage, encoder)}, {seconds:.1f} s spent "
        f"now, {cache.build_seconds:.1f} s in all"
    )
    return cache


def _describe(stage: int, encoder: SpeechEncoder) -> str:
    if stage == 0:
        return "outputs of the convolutions"
    if stage >= encoder.num_layers:
        return "frames" if stage == encoder.whole_stage else "outputs of the last layer"
    return f"inputs of layer {stage + 1} of {encoder.num_layers}"
