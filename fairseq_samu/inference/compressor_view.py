"""What the length compressor of a trained model makes of recordings."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints.trained_translator import read_trained_translator
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import CheckpointError, explain
from fairseq_samu.inference.recordings import Batching, Recording, batch_recordings, pad_pieces
from fairseq_samu.inference.requested_texts import Languages, RequestReader, Requests
from fairseq_samu.inference.translator_building import TranslationModel, build_translator, build_vocabulary
from fairseq_samu.models.compressor_options import ScheduledCompressor

WHOLE = 1e6  # seconds: no recording is cut


@dataclass(frozen=True)
class SeenCompression:
    """What became of one recording; tensors on the CPU.

    Attributes:
        recording: its place in the list.
        wave: (N,) float32 samples at 16 kHz.
        labels: (T,) int64, CTC's most probable label of each frame.
        of_frame: (T,) int64 segment of each frame; S for one that was dropped.
        starts: (S,) int64 first frame of each segment.
        attention: (S, T) float32 how much each segment takes of each frame, mean over the heads; None where it was not
            asked for.
    """

    recording: int
    wave: Tensor
    labels: Tensor
    of_frame: Tensor
    starts: Tensor
    attention: Tensor | None


class CompressorView:
    """A trained model whose compressor can be looked into.

    Args:
        model: with a compressor that is in use.
        vocabulary: of its labels.
        device: where the model runs.
        missing_adapter: for a model with named adapters, what a language without one gets: ``error``, ``base`` or
            ``nearest``.

    Raises:
        CheckpointError: the model has none, or was saved before it began.
    """

    def __init__(
        self,
        model: TranslationModel,
        vocabulary: Vocabulary,
        device: str | torch.device = "cpu",
        missing_adapter: str = "error",
    ) -> None:
        compressor = model.compressor
        if compressor is None:
            mend = "Train with --compressor."
            raise CheckpointError(explain("", "compressor", "in the model", "off", mend))
        if not compressor.is_active:
            rule, done = f"begun (--compressor-start-update {compressor.start_update})", int(compressor.num_updates)
            raise CheckpointError(explain("", "compressor", rule, f"not yet, after {done} updates", "Train longer."))
        self.compressor: ScheduledCompressor = compressor
        self.model = model.to(device).eval()
        self.vocabulary = vocabulary
        self.device = torch.device(device)
        self.requests = RequestReader(model, vocabulary, missing_adapter)

    @classmethod
    def load(
        cls, path: str | Path, device: str | torch.device = "cpu", missing_adapter: str = "error"
    ) -> "CompressorView":
        """Load a training checkpoint of a translation model.

        Args:
            path: the file; nothing else of the training machine is needed.
            device: where the model runs.
            missing_adapter: see the class.

        Raises:
            CheckpointError: when it is missing, damaged, unsafe, of another model, or without a compressor in use.
        """
        loaded = read_trained_translator(path)
        vocabulary = build_vocabulary(loaded.vocabulary)
        model = build_translator(loaded, vocabulary, str(path))
        try:
            return cls(model, vocabulary, device, missing_adapter)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error

    def label_of(self, number: int) -> str:
        """Piece of a label; empty for the blank."""
        return "" if number == self.compressor.blank else str(self.vocabulary.dictionary[number])

    def describe(self) -> dict[str, str]:
        """What the compressor is set to, by the names of the options."""
        compressor = self.compressor
        limit = compressor.max_segments or "none"
        return {
            "compressor": compressor.representative,
            "lookback": compressor.scope,
            "blanks": compressor.blanks,
            "max length": str(limit),
        }

    @torch.no_grad()
    def look(
        self,
        recordings: Sequence[Recording],
        root: str | Path | None = None,
        with_attention: bool = True,
        batch_seconds: float = 60.0,
        adapters: Languages | None = None,
    ) -> Iterator[SeenCompression]:
        """Compress recordings.

        Args:
            recordings: paths, specs of parts, or (N,) float samples at 16 kHz.
            root: folder that relative paths start from.
            with_attention: compute the attention too, which takes room for S x T figures.
            batch_seconds: audio in one batch, with padding, in seconds.
            adapters: languages or names of adapters, one for all or one for each recording; only models with named
                adapters need them.

        Yields:
            What became of each, in no particular order.

        Raises:
            AudioError: naming the recording, when one cannot be read.
            ConfigError: a language has no adapter.
        """
        requests = Requests([], self.requests.spoken(len(recordings), adapters))
        for batch in batch_recordings(list(recordings), Batching(batch_seconds, WHOLE, root)):
            source, padding_mask = pad_pieces(batch, self.device)
            chosen = requests.adapters_of([piece.recording for piece in batch], self.device)
            inputs, found = self._run(source, padding_mask, chosen)
            labels = inputs["labels"] if inputs.get("labels") is not None else inputs["logits"].argmax(dim=-1)
            attention = self.compressor.attention_weights(**inputs).float().cpu() if with_attention else None
            lengths = torch.logical_not(inputs["padding_mask"]).sum(dim=1).tolist()
            for row, (piece, frames) in enumerate(zip(batch, lengths, strict=True)):
                count = int(found.segments.counts[row])
                # what is beyond the last segment of this row, padding of longer ones included, is in none
                yield SeenCompression(
                    recording=piece.recording,
                    wave=torch.from_numpy(piece.wave),
                    labels=labels[row, :frames].cpu(),
                    of_frame=found.segments.of_frame[row, :frames].clamp(max=count).cpu(),
                    starts=found.segments.starts[row, :count].cpu(),
                    attention=None if attention is None else attention[row, :count, :frames],
                )

    def _run(self, source: Tensor, padding_mask: Tensor, adapters: dict[str, Tensor]) -> tuple[dict[str, Any], Any]:
        """Run the model, and give what its compressor took, by name, and handed out."""
        seen: list[tuple[dict[str, Any], Any]] = []
        parameters = inspect.signature(self.compressor.forward)

        def keep(_: Any, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
            seen.append((dict(parameters.bind(*args, **named).arguments), output))

        handle = self.compressor.register_forward_hook(keep, with_kwargs=True)
        try:
            self.model.encode_utterances(source, padding_mask, **adapters)
        finally:
            handle.remove()
        return seen[0]
