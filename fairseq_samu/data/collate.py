"""The one definition of a batch.

========================  =====================  ============================================================
key                       shape, dtype           meaning
========================  =====================  ============================================================
``id``                    (B,) int64             index of each row in its manifest
``nsentences``            int                    B
``ntokens``               int                    valid audio samples at 16 kHz (task "mt": tokens), all rows
``grid``                  int                    the same with padding
``num_skipped``           int                    rows of this batch that were left out as unreadable
``net_input``             dict                   what the model's forward takes
``net_input.source``      (B, N) float32/64      waves at 16 kHz, zero-padded (absent with cached features)
``net_input.features``    (B, T, D) float16/32   cached frames, zero-padded (absent with waves)
``net_input.padding_mask``  (B, N) or (B, T) bool  True = padding
``net_input.row_ids``     (B,) int64             as ``id``: seeds what masking draws for a row
``net_input.source_tokens``  (B, U) int64        pieces of the source text, padded (task "mt" alone, and then instead
                                                 of ``source``, ``features``, ``padding_mask`` and ``row_ids``)
``net_input.source_adapters``  (B,) int64        number of the named adapter that each row takes through the speech
                                                 encoder, -1 = none (absent where that has no named adapters)
``net_input.target_adapters``  (B,) int64        the same of the decoder
``teacher``               (B, E) float32         target embeddings (absent without a teacher)
``language``              (B,) int64             index of the spoken language (absent without ``src_lang``)
``task``                  str                    what the targets are: "st", "asr", "mt", "slu" (absent without)
``target_tag``            (B,) int64             language tag that each target begins with (absent without tags)
``target``                (B, U) int64           [tag,] tokens, end; padded (None where a set to decode has no texts)
``target_lengths``        (B,) int64             valid tokens of each target (absent where ``target`` is None)
``net_input.prev_output_tokens``  (B, U) int64   end, then all tokens but the last (absent without target or tag)
``transcript``            (B, U) int64           pieces of what is said, padded (absent where a row has none)
``transcript_lengths``    (B,) int64             valid tokens of each transcript
========================  =====================  ============================================================

Pieces have neither tag nor end. A batch of several tasks is described in ``fairseq_samu.data.joint_dataset``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Target:
    """What a model learns to write for a row.

    Attributes:
        task: "st", "asr", "mt" or "slu".
        tag: language tag that a decoder begins with; None where CTC alone writes.
        pad: id of the padding token.
        tokens: (U,) int64 [tag,] tokens, end; None where the text is not known.
        transcript: (U,) int64 pieces of what is said, whatever the target; None where it is not asked for.
    """

    task: str
    tag: int | None
    pad: int
    tokens: NDArray[np.int64] | None
    transcript: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Item:
    """One row, read.

    Attributes:
        index: row in the manifest.
        num_samples: valid audio samples at 16 kHz; tokens of both texts where there is no speech.
        source: (N,) float32 or float64 wave, or None where features stand in for it.
        features: (T, D) cached frames, or None.
        teacher: (E,) float32 target, or None.
        language: index of the spoken language, or None.
        target: what the model learns to write, or None.
        source_tokens: (U,) int64 pieces of a text to translate, or None where speech is read.
        source_adapter: number of the speech encoder's named adapter, -1 for none; None where rows are not routed.
        target_adapter: the same of the decoder.
    """

    index: int
    num_samples: int
    source: NDArray[np.floating[Any]] | None = None
    features: NDArray[np.floating[Any]] | None = None
    teacher: NDArray[np.float32] | None = None
    language: int | None = None
    target: Target | None = None
    source_tokens: NDArray[np.int64] | None = None
    source_adapter: int | None = None
    target_adapter: int | None = None


def pad(arrays: Sequence[NDArray[Any]]) -> tuple[Tensor, Tensor]:
    """Stack arrays that differ in their first axis.

    Args:
        arrays: B arrays (L, ...) of one dtype.

    Returns:
        (B, L, ...) zero-padded tensor and its (B, L) padding mask, True = padding.
    """
    longest = max(len(array) for array in arrays)
    first = arrays[0]
    values = np.zeros((len(arrays), longest, *first.shape[1:]), dtype=first.dtype)
    mask = np.ones((len(arrays), longest), dtype=bool)
    for row, array in enumerate(arrays):
        values[row, : len(array)] = array
        mask[row, : len(array)] = False
    return torch.from_numpy(values), torch.from_numpy(mask)


def collate(items: Sequence[Item | None]) -> dict[str, Any]:
    """Make a batch of rows; unreadable rows (None) are counted and left out.

    Args:
        items: rows of one kind (all with waves, all with features, or all with source tokens).

    Returns:
        A batch as described at the head of this file; empty where no row is left.
    """
    rows = [item for item in items if item is not None]
    if not rows:
        return {}
    ids = torch.tensor([item.index for item in rows], dtype=torch.int64)
    net_input, grid = _make_input(rows, ids)
    for name in ("source_adapter", "target_adapter"):
        if getattr(rows[0], name) is not None:
            net_input[f"{name}s"] = torch.tensor([getattr(item, name) for item in rows], dtype=torch.int64)
    batch: dict[str, Any] = {
        "id": ids,
        "nsentences": len(rows),
        "ntokens": sum(item.num_samples for item in rows),
        "grid": grid,
        "num_skipped": len(items) - len(rows),
        "net_input": net_input,
    }
    if rows[0].teacher is not None:
        batch["teacher"] = torch.from_numpy(np.stack([item.teacher for item in rows if item.teacher is not None]))
    if rows[0].language is not None:
        batch["language"] = torch.tensor([item.language for item in rows], dtype=torch.int64)
    targets = [item.target for item in rows if item.target is not None]
    if targets:
        _add_targets(batch, targets)
    return batch


def _make_input(rows: Sequence[Item], ids: Tensor) -> tuple[dict[str, Tensor], int]:
    """What the model reads, and the size of the batch in samples or tokens, padding included."""
    if rows[0].source_tokens is not None:
        texts = [item.source_tokens for item in rows if item.source_tokens is not None]
        tokens, _ = _pad_tokens(texts, [item.target for item in rows if item.target is not None])
        return {"source_tokens": tokens}, len(rows) * max(item.num_samples for item in rows)
    if rows[0].features is not None:
        values, mask = pad([item.features for item in rows if item.features is not None])
        valid = int((~mask).sum())
        grid = int(sum(item.num_samples for item in rows) * mask.numel() / max(valid, 1))
        return {"features": values, "padding_mask": mask, "row_ids": ids}, grid
    values, mask = pad([item.source for item in rows if item.source is not None])
    return {"source": values, "padding_mask": mask, "row_ids": ids}, mask.numel()


def _pad_tokens(texts: Sequence[NDArray[np.int64]], targets: Sequence[Target]) -> tuple[Tensor, Tensor]:
    """Stack token lists into (B, U) int64, padded with the id of the padding token, and their lengths (B,)."""
    values, mask = pad(texts)
    return values.masked_fill(mask, targets[0].pad), (~mask).sum(dim=1)


def _add_targets(batch: dict[str, Any], targets: Sequence[Target]) -> None:
    """Add the keys about targets to a batch."""
    batch["task"] = targets[0].task
    tags = [target.tag for target in targets if target.tag is not None]
    if tags:
        batch["target_tag"] = torch.tensor(tags, dtype=torch.int64)
    batch["target"] = None
    transcripts = [target.transcript for target in targets if target.transcript is not None]
    if len(transcripts) == len(targets):
        batch["transcript"], batch["transcript_lengths"] = _pad_tokens(transcripts, targets)
    texts = [target.tokens for target in targets if target.tokens is not None]
    if len(texts) < len(targets):
        return
    tokens, lengths = _pad_tokens(texts, targets)
    batch["target"], batch["target_lengths"] = tokens, lengths
    if tags:
        # The end symbol comes first; what a decoder reads at padding does not matter.
        ends = torch.tensor([[text[-1]] for text in texts], dtype=torch.int64)
        batch["net_input"]["prev_output_tokens"] = torch.cat([ends, tokens[:, :-1]], dim=1)
