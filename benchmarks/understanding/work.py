"""What the systems work on: recordings and labels, drawn from a seed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.understanding.sizes import EMBEDDING, EOS, FIRST_LABEL, PAD, Sizes

SAMPLE_RATE = 16000
HOP, WINDOW_REST = 320, 80  # samples a frame, and what the last frame reads beyond its own
LABELS_PER_SECOND = 8.0  # characters and tags of spoken French


@dataclass(frozen=True)
class Batch:
    """Recordings and their labels.

    Attributes:
        wave: (B, N) float32 at 16 kHz, zero mean and unit variance, zero at padding.
        lengths: (B,) int64 samples.
        labels: (B, U) int64, labels, the end, and padding.
        label_lengths: (B,) int64 labels without the end.
        teacher: (B, E) float32, embeddings of the transcripts.
    """

    wave: Tensor
    lengths: Tensor
    labels: Tensor
    label_lengths: Tensor
    teacher: Tensor

    @property
    def seconds(self) -> float:
        """Audio without padding."""
        return self.lengths.sum().item() / SAMPLE_RATE

    @property
    def padding_mask(self) -> Tensor:
        """(B, N) bool, True = padding."""
        return torch.arange(self.wave.size(1)) >= self.lengths[:, None]

    @property
    def shares(self) -> Tensor:
        """(B,) float32, lengths as shares of the longest, which is how SpeechBrain tells them."""
        return self.lengths.float() / self.wave.size(1)


def make_batch(sizes: Sizes, seed: int = 1) -> Batch:
    """Draw recordings of similar lengths, as buckets give them, and eight labels a second.

    Lengths are whole frames, a little more: only there do lengths in samples and SpeechBrain's shares, rounded to
    frames, name the same frames, and both systems the same work.
    """
    generator = torch.Generator().manual_seed(seed)
    low, high = sizes.seconds
    shares = torch.linspace(0.0, 1.0, sizes.utterances).tolist()
    frames = [int(SAMPLE_RATE * (low + share * (high - low))) // HOP for share in shares]
    lengths = [HOP * count + WINDOW_REST + 20 for count in frames]
    counts = [max(1, round(samples / SAMPLE_RATE * LABELS_PER_SECOND)) for samples in lengths]
    wave = torch.zeros(len(lengths), max(lengths))
    labels = torch.full((len(lengths), max(counts) + 1), PAD)
    for row, (samples, count) in enumerate(zip(lengths, counts, strict=True)):
        recording = torch.empty(samples).normal_(generator=generator)
        wave[row, :samples] = (recording - recording.mean()) / recording.std()
        labels[row, :count] = torch.randint(FIRST_LABEL, sizes.labels, (count,), generator=generator)
        labels[row, count] = EOS
    teacher = torch.nn.functional.normalize(torch.empty(len(lengths), EMBEDDING).normal_(generator=generator))
    return Batch(wave, torch.tensor(lengths), labels, torch.tensor(counts), teacher)
