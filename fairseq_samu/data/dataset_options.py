"""How rows become items, and draws that depend on a row alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DatasetOptions:
    """How rows become items.

    Attributes:
        audio_root: folder that relative audio paths start from.
        seed: of everything that is drawn, together with epoch and row.
        training: order, speed and augmentation are drawn, and the limits on duration hold.
        min_audio_seconds: shorter rows are left out of training.
        max_audio_seconds: longer rows are left out of training.
        languages: rows of other languages are left out; none named: all are used.
        train_share: share of the training rows that is used.
        train_minutes: minutes of training speech of each language that are used; 0 for all.
        sampling_alpha: balance of languages, see ``sampling.sample_epoch``.
        speed_factors: one is drawn a row and epoch.
        augment: changes a wave by draws from the generator, or None.
        skip_bad_audio: unreadable rows are counted and named instead of ending the run.
        text_column: column that the teacher embeds.
        double_waves: hand out waves in double precision, because a trainer in half precision rounds every float32
            tensor of a batch, waves included, to 11 bits (float16) or 8 (bfloat16).
    """

    audio_root: Path
    seed: int = 1
    training: bool = False
    min_audio_seconds: float = 0.0
    max_audio_seconds: float = float("inf")
    languages: Sequence[str] = ()
    train_share: float = 1.0
    train_minutes: float = 0.0
    sampling_alpha: float = 1.0
    speed_factors: Sequence[float] = (1.0,)
    augment: Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]] | None = field(default=None)
    skip_bad_audio: bool = False
    text_column: str = "src_text"
    double_waves: bool = False


def hash_to_integers(values: NDArray[np.int64], key: tuple[int, ...]) -> NDArray[np.uint64]:
    """Well-mixed 53-bit integers that depend on each value and the key alone (splitmix64).

    Args:
        values: (R,) int64.
        key: seed, purpose, epoch.

    Returns:
        (R,) uint64.
    """
    state = np.asarray(values).astype(np.uint64)
    with np.errstate(over="ignore"):
        for part in (*key, 0):
            state = state * np.uint64(0x9E3779B97F4A7C15) + np.uint64(part) + np.uint64(1)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state >> np.uint64(11)
