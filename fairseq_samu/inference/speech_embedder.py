"""Sentence embeddings and frames of recordings, by a trained model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairseq_samu.checkpoints.key_report import fingerprint, load_strict
from fairseq_samu.checkpoints.speech_encoder import read_trained_model
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.inference.recordings import (
    Batching,
    Piece,
    Recording,
    batch_recordings,
    list_recordings,
    pad_pieces,
)
from fairseq_samu.models.samu_xlsr import SentenceHead
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoders import TRAINING_OPTIONS, build_speech_encoder


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
        self.batching = Batching(batch_seconds, max_seconds, root)

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
            recordings: paths, specs (``archive.zip:offset:length``, ``talk.wav:offset:length``), or (N,) float samples
                at 16 kHz in [-1, 1] as arrays or tensors; one alone is taken as a list of one.

        Returns:
            (B, E) float32, in the order of ``recordings``.

        Raises:
            AudioError: naming the recording, when one cannot be read or holds no samples.
        """
        listed = list_recordings(recordings)
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
        listed = list_recordings(recordings)
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
        listed = list_recordings(recordings)
        found: list[list[tuple[int, NDArray[np.float32]]]] = [[] for _ in listed]
        for piece, _, frames in self._run(listed):
            found[piece.recording].append((piece.segment.start, frames))
        return [np.concatenate([part for _, part in sorted(parts, key=lambda part: part[0])]) for parts in found]

    def _run(self, recordings: list[Recording]) -> Iterator[tuple[Piece, NDArray[np.float32], NDArray[np.float32]]]:
        """Yield every segment with its (E,) embedding and (T, D) frames, in no particular order."""
        for batch in batch_recordings(recordings, self.batching):
            yield from self._encode_batch(batch)

    @torch.inference_mode()
    def _encode_batch(self, pieces: list[Piece]) -> list[tuple[Piece, NDArray[np.float32], NDArray[np.float32]]]:
        source, padding_mask = pad_pieces(pieces, self.device)
        encoded = self.encoder(source, padding_mask)
        embeddings = self.head(encoded.frames, encoded.padding_mask).float().cpu().numpy()
        counts = self.encoder.count_frames((~padding_mask).sum(dim=1)).tolist()
        frames = encoded.frames.float().cpu().numpy()
        return [(piece, embeddings[row], frames[row, : counts[row]]) for row, piece in enumerate(pieces)]
