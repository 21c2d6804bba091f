"""Rows whose labels do not fit into their frames: CTC has no path for them."""

import logging

import numpy as np
import torch

from fairseq_samu.data.row_selection import leave_out, name_rows
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ManifestError, explain
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.ops.ctc_frames import count_least_frames

logger = logging.getLogger(__name__)


def leave_out_impossible(dataset: SpeechTextDataset, encoder: SpeechEncoder) -> None:
    """Leave rows out of training that have fewer frames than labels; those of other sets are named and stay.

    Frames are counted at the fastest speed that training may draw.

    Args:
        dataset: with targets that end with one token beside the labels.
        encoder: that makes the frames.

    Raises:
        ManifestError: none is left to train on.
    """
    assert dataset.targets is not None
    options = dataset.options
    speed = max(options.speed_factors) if options.training else 1.0
    samples = torch.from_numpy(np.ceil(dataset.lengths[dataset.rows] / speed).astype(np.int64))
    frames = encoder.count_frames(samples)
    needed = torch.zeros_like(frames)
    for place, row in enumerate(dataset.rows.tolist()):
        tokens = dataset.targets.tokens(row)
        assert tokens is not None
        labels = torch.from_numpy(tokens[:-1])
        needed[place] = count_least_frames(labels.unsqueeze(0), torch.tensor([len(labels)]))[0]
    impossible = (frames < needed).numpy()
    if options.training:
        reason = "having fewer frames than CTC needs for their labels"
        dataset.rows = leave_out(dataset.manifest, dataset.rows, impossible, reason)
        if not len(dataset.rows):
            rule, mend = "of one row at least", "Shorten the texts, or check the column n_frames (samples at 16 kHz)."
            where = str(dataset.manifest.path)
            raise ManifestError(explain(where, "labels that fit into their frames", rule, "of none", mend))
    elif impossible.any():
        logger.warning(
            f"{dataset.manifest.path}: {impossible.sum()} of {len(dataset.rows)} rows have fewer frames than CTC needs "
            f"for their labels, and no loss of CTC; {name_rows(dataset.manifest, dataset.rows[impossible])}"
        )
