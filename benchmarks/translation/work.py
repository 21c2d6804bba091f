"""What the systems work on: recordings and texts, drawn from a seed or as long as real ones."""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.translation.sizes import EOS, PAD, TAG, Sizes
from benchmarks.translation.weights import SPECIALS

SAMPLE_RATE = 16000
TOKENS_PER_SECOND = 4.0
REAL_LENGTHS = Path(__file__).resolve().parents[2] / "manifests/prompts/train.tsv"


@dataclass(frozen=True)
class Batch:
    """Recordings and their texts.

    Attributes:
        wave: (B, N) float32 at 16 kHz, zero mean and unit variance, zero at padding.
        lengths: (B,) int64 samples.
        target: (B, U) int64, ``[tag] pieces </s>`` and padding.
    """

    wave: Tensor
    lengths: Tensor
    target: Tensor

    @property
    def seconds(self) -> float:
        """Audio without padding."""
        return self.lengths.sum().item() / SAMPLE_RATE

    @property
    def padding_mask(self) -> Tensor:
        """(B, N) bool, True = padding."""
        return torch.arange(self.wave.size(1)) >= self.lengths[:, None]

    @property
    def prev_output_tokens(self) -> Tensor:
        """(B, U) int64, ``</s> [tag] pieces``."""
        shifted = torch.cat([torch.full_like(self.target[:, :1], EOS), self.target[:, :-1]], dim=1)
        return shifted.masked_fill(self.target.eq(PAD), PAD)


def make_batch(lengths: list[int], vocabulary: int, seed: int) -> Batch:
    """Draw recordings of the given samples, and texts of four tokens a second."""
    generator = torch.Generator().manual_seed(seed)
    wave = torch.zeros(len(lengths), max(lengths))
    counts = [2 + round(samples / SAMPLE_RATE * TOKENS_PER_SECOND) for samples in lengths]
    target = torch.full((len(lengths), max(counts)), PAD)
    for row, (samples, tokens) in enumerate(zip(lengths, counts, strict=True)):
        recording = torch.empty(samples).normal_(generator=generator)
        wave[row, :samples] = (recording - recording.mean()) / recording.std()
        target[row, :tokens] = torch.randint(SPECIALS, vocabulary, (tokens,), generator=generator)
        target[row, 0], target[row, tokens - 1] = TAG, EOS
    return Batch(wave, torch.tensor(lengths), target)


def one_batch(sizes: Sizes, seed: int = 1) -> Batch:
    """A batch of recordings of similar length, as buckets give them."""
    low, high = sizes.seconds
    shares = torch.linspace(0.0, 1.0, sizes.utterances).tolist()
    return make_batch([int(SAMPLE_RATE * (low + share * (high - low))) for share in shares], sizes.vocabulary, seed)


def real_batches(sizes: Sizes, sort: bool, seed: int = 1) -> list[Batch]:
    """Batches of recordings as long as those of the embedded corpus, in random order or sorted by length.

    Every batch has at most as much padded audio as the batch of :func:`one_batch`.
    """
    with REAL_LENGTHS.open(encoding="utf-8", newline="") as file:
        known = [int(row["n_frames"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))[: sizes.epoch]
    lengths = [known[index] for index in order.tolist()]
    room = max(int(sizes.utterances * sizes.seconds[1] * SAMPLE_RATE), max(lengths))
    groups: list[list[int]] = [[]]
    for samples in sorted(lengths) if sort else lengths:
        if (len(groups[-1]) + 1) * max([*groups[-1], samples]) > room:
            groups.append([])
        groups[-1].append(samples)
    return [make_batch(group, sizes.vocabulary, seed + index) for index, group in enumerate(groups)]
