"""Sentence embeddings and frames of recordings, by a trained model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairseq_samu.checkpoints.key_report import fingerprint, load_strict
from fairseq_samu.checkpoints.speech_encoder import read_trained_model
from fairseq_samu.data.audio import SAMPLE_RATE, read_audio
from fairseq_samu.errors import AudioError, explain
from fairseq_samu.inference.segmentation import Segment, segment_wave
from fairseq_samu.models.samu_xlsr import SentenceHead
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoders import TRAINING_OPTIONS, build_speech_encoder

# A path, an archive spec, or samples at 16 kHz.
Recording = Union[str, Path, NDArray[np.float32], Tensor]

RECORDINGS_AT_ONCE = 256  # are held in memory, and sorted by length together


@dataclass(frozen=True)
class SegmentEmbedding:
    """Embedding of a part of a recording.

    Attributes:
        start_seconds: where it begins.
        end_seconds: where it ends.
        embedding: (E,) float32.
    """

    start_seconds: float
    end_seconds: float
    embedding: NDArray[np.float32]


@dataclass(frozen=True)
class _Piece:
    """A segment on its way through the model: which recording it is of, and its samples."""

    recording: int
    segment: Segment
    wave: NDArray[np.float32]


class SpeechEmbedder:
    """A trained speech encoder with its sentence head, for use.

    Recordings are batched by length; a recording's result does not depend on the others, nor on their order (beyond
    the rounding of float32). Recordings longer than ``max_seconds`` are cut at pauses first.

    Args:
        encoder: the speech encoder.
        head: the sentence head.
        device: where the model runs.
        batch_seconds: audio in one batch, with padding, in seconds.
        max_seconds: longest segment, in seconds.
        root: folder that relative paths start from.

    Example:
        >>> embedder = SpeechEmbedder.load("checkpoints/checkpoint_best.pt")  # doctest: +SKIP
        >>> embedder.encode(["one.wav", "two.flac"]).shape  # doctest: +SKIP
        (2, 512)
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        head: SentenceHead,
        device: str | torch.device = "cpu",
        batch_seconds: float = 60.0,
        max_seconds: float = 20.0,
        root: str | Path | None = None,
    ) -> None:
        self.encoder = encoder.to(device).eval()
        self.head = head.to(device).eval()
        self.device = torch.device(device)
        self.batch_seconds = batch_seconds
        self.max_seconds = max_seconds
        self.root = root

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        batch_seconds: float = 60.0,
        max_seconds: float = 20.0,
        root: str | Path | None = None,
    ) -> "SpeechEmbedder":
        """Load a training checkpoint, or a directory that ``fairseq-samu convert`` exported.

        Args:
            path: the file or directory; nothing else of the training machine is needed.
            device: where the model runs.
            batch_seconds: audio in one batch, with padding, in seconds.
            max_seconds: longest segment, in seconds.
            root: folder that relative paths of recordings start from.

        Raises:
            CheckpointError: when it is missing, damaged, unsafe, or its weights do not fit.
        """
        trained = read_trained_model(path)
        sizes = {name: value for name, value in trained.config.items() if name not in TRAINING_OPTIONS}
        encoder = build_speech_encoder(sizes)
        load_strict(encoder, trained.state, where=f"{path} (encoder)")
        head_sizes = trained.head_config or {}
        head = SentenceHead(
            encoder.dim,
            head_sizes["embedding_dim"],
            head_sizes["num_pooling_heads"],
            head_sizes["frame_perceptron_dim"],
        )
        load_strict(head, trained.head or {}, where=f"{path} (head)")
        return cls(encoder, head, device, batch_seconds, max_seconds, root)

    @property
    def dim(self) -> int:
        """Size E of an embedding."""
        return self.head.projection.out_features

    @property
    def fingerprint(self) -> str:
        """Hash of all weights, as hexadecimal digits."""
        parts: dict[str, nn.Module] = {"encoder": self.encoder, "head": self.head}
        return fingerprint(
            {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
        )

    def encode(self, recordings: Sequence[Recording] | Recording) -> NDArray[np.float32]:
        """Embed recordings.

        The embedding of a recording that was cut is the mean of its segments' embeddings, weighted by how long each
        is not silent (35 dB below the recording's loudest 10 ms).

        Args:
            recordings: paths, archive specs (``archive.zip:offset:length``), or (N,) float samples at 16 kHz in
                [-1, 1] as arrays or tensors; one alone is taken as a list of one.

        Returns:
            (B, E) float32, in the order of ``recordings``.

        Raises:
            AudioError: naming the recording, when one cannot be read or holds no samples.
        """
        listed = _listed(recordings)
        sums = np.zeros((len(listed), self.dim))
        weights = np.zeros((len(listed), 1))
        for piece, embedding, _ in self._run(listed):
            weight = max(piece.segment.active_seconds, 1e-3)
            sums[piece.recording] += weight * embedding
            weights[piece.recording] += weight
        return (sums / np.maximum(weights, 1e-12)).astype(np.float32)

    def encode_segments(self, recordings: Sequence[Recording] | Recording) -> list[list[SegmentEmbedding]]:
        """Embed every segment of recordings by itself.

        Args:
            recordings: see :meth:`encode`.

        Returns:
            For each recording its segments in order; a recording of at most ``max_seconds`` is one segment.

        Raises:
            AudioError: see :meth:`encode`.
        """
        listed = _listed(recordings)
        found: list[list[SegmentEmbedding]] = [[] for _ in listed]
        for piece, embedding, _ in self._run(listed):
            start, end = piece.segment.start / SAMPLE_RATE, piece.segment.end / SAMPLE_RATE
            found[piece.recording].append(SegmentEmbedding(start, end, embedding))
        return [sorted(segments, key=lambda segment: segment.start_seconds) for segments in found]

    def frames(self, recordings: Sequence[Recording] | Recording) -> list[NDArray[np.float32]]:
        """Encode recordings to frames of 20 ms.

        Args:
            recordings: see :meth:`encode`.

        Returns:
            (T, D) float32 for each recording; those of segments one after another.

        Raises:
            AudioError: see :meth:`encode`.
        """
        listed = _listed(recordings)
        found: list[list[tuple[int, NDArray[np.float32]]]] = [[] for _ in listed]
        for piece, _, frames in self._run(listed):
            found[piece.recording].append((piece.segment.start, frames))
        return [np.concatenate([part for _, part in sorted(parts, key=lambda part: part[0])]) for parts in found]

    def _run(self, recordings: list[Recording]) -> Iterator[tuple[_Piece, NDArray[np.float32], NDArray[np.float32]]]:
        """Yield every segment with its (E,) embedding and (T, D) frames, in no particular order."""
        for first in range(0, len(recordings), RECORDINGS_AT_ONCE):
            pieces: list[_Piece] = []
            for index in range(first, min(first + RECORDINGS_AT_ONCE, len(recordings))):
                wave = self._read(recordings[index], index)
                for segment in segment_wave(wave, self.max_seconds, min(1.0, self.max_seconds / 4)):
                    pieces.append(_Piece(index, segment, wave[segment.start : segment.end]))
            for batch in _batches(pieces, int(self.batch_seconds * SAMPLE_RATE)):
                yield from self._encode_batch(batch)

    @torch.inference_mode()
    def _encode_batch(self, pieces: list[_Piece]) -> list[tuple[_Piece, NDArray[np.float32], NDArray[np.float32]]]:
        lengths = torch.tensor([len(piece.wave) for piece in pieces])
        source = torch.zeros(len(pieces), int(lengths.max()))
        for row, piece in enumerate(pieces):
            source[row, : len(piece.wave)] = torch.from_numpy(piece.wave)
        padding_mask = torch.arange(source.size(1))[None, :] >= lengths[:, None]
        encoded = self.encoder(source.to(self.device), padding_mask.to(self.device))
        embeddings = self.head(encoded.frames, encoded.padding_mask).float().cpu().numpy()
        counts = self.encoder.count_frames(lengths).tolist()
        frames = encoded.frames.float().cpu().numpy()
        return [(piece, embeddings[row], frames[row, : counts[row]]) for row, piece in enumerate(pieces)]

    def _read(self, recording: Recording, index: int) -> NDArray[np.float32]:
        """Read a recording, or check given samples."""
        if isinstance(recording, (str, Path)):
            return read_audio(str(recording), self.root)
        samples = recording.detach().cpu().numpy() if isinstance(recording, Tensor) else np.asarray(recording)
        fault = None
        if samples.ndim != 1 or not len(samples):
            fault = f"an array of shape {samples.shape}"
        elif samples.dtype.kind != "f":
            fault = f"an array of {samples.dtype}"
        elif not np.isfinite(samples).all():
            fault = "an array with NaN or infinite values"
        if fault:
            mend = "Average the channels, resample to 16 kHz, and scale to [-1, 1]."
            rule = "(N,) finite float samples at 16 kHz in [-1, 1]"
            raise AudioError(explain(f"recording {index}", "samples", rule, fault, mend))
        return np.ascontiguousarray(samples, dtype=np.float32)


def _listed(recordings: Sequence[Recording] | Recording) -> list[Recording]:
    """Take one recording alone as a list of one; a two-dimensional array is a list of its rows."""
    if isinstance(recordings, (str, Path)):
        return [recordings]
    if isinstance(recordings, (np.ndarray, Tensor)) and recordings.ndim == 1:
        return [recordings]
    return list(recordings)


def _batches(pieces: list[_Piece], max_samples: int) -> Iterator[list[_Piece]]:
    """Group segments of like length so that a padded batch holds at most ``max_samples``, or one segment."""
    batch: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: len(piece.wave), reverse=True):
        # Longest first: the first of a batch tells how long its padded rows are.
        if batch and (len(batch) + 1) * len(batch[0].wave) > max_samples:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch
