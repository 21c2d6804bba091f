"""Pairs of texts in two languages, read into the one definition of a batch."""

import logging
import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.collate import Item, Target
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.data.row_dataset import RowDataset
from fairseq_samu.data.row_selection import leave_out
from fairseq_samu.data.targets import SourceTexts, TargetTexts
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ManifestError, explain, report_all

logger = logging.getLogger(__name__)
TOLD_SECONDS = 30.0


class SourceNoise(Protocol):
    """What changes source texts in training."""

    max_share: float

    def noise(self, tokens: NDArray[np.int64], epoch: int, row: int) -> NDArray[np.int64]:
        """Tokens (U',) that stand in for (U,) tokens of a row in an epoch; at most ``max_share`` are put between."""
        ...


class TextPairDataset(RowDataset):
    """Rows of a manifest with source and target text; recordings are not looked at, nor needed.

    The length of a row is its number of tokens, source and target together, without noise.

    Args:
        manifest: rows with ``src_text``; without ``tgt_text`` they can be decoded.
        vocabulary: turns text into tokens.
        options: which rows are used, and their order; limits on duration do not count.
        noise: changes sources in training, or None.
        language: language of all targets, over what the manifest says; empty for the manifest's.
        max_batch_tokens: most tokens of a batch, padding included, whatever the host's limit, which counts samples
            where speech is read beside; None for the host's.
        max_positions: most tokens of a source and of a target; None for no limit. Training leaves longer rows out.

    Raises:
        ManifestError: a text is empty, a language has no tag, or rows that are not for training are too long.
    """

    def __init__(
        self,
        manifest: Manifest,
        vocabulary: Vocabulary,
        options: DatasetOptions,
        noise: SourceNoise | None = None,
        *,
        language: str = "",
        max_batch_tokens: int | None = None,
        max_positions: int | None = None,
    ) -> None:
        self.texts = TargetTexts(manifest, vocabulary, "mt", language)
        super().__init__(manifest, options, self.texts, by_duration=False)
        self.sources = SourceTexts(manifest, vocabulary)
        self.noise = noise if options.training else None
        self.max_batch_tokens = max_batch_tokens
        source_lengths, target_lengths = self._count_tokens()
        self.lengths = source_lengths + target_lengths
        if max_positions is not None:
            self.rows = self._keep_short(source_lengths, target_lengths, max_positions)

    def _count_tokens(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokens of source and target of each row that is used, twice (R,) int64; 0 for the others."""
        lengths = np.zeros((2, len(self.manifest)), dtype=np.int64)
        told = started = time.monotonic()
        for done, index in enumerate(self.rows.tolist()):
            target = self.texts.tokens(index)
            lengths[:, index] = len(self.sources.pieces(index)), 0 if target is None else len(target)
            if time.monotonic() - told > TOLD_SECONDS:
                told = time.monotonic()
                logger.info(f"{self.name}: tokens of {done} of {len(self.rows)} pairs counted")
        seconds = time.monotonic() - started
        logger.info(f"{self.name}: {len(self.rows)} pairs of texts, {lengths.sum()} tokens, counted in {seconds:.1f} s")
        return lengths[0], lengths[1]

    def _keep_short(
        self, sources: NDArray[np.int64], targets: NDArray[np.int64], max_positions: int
    ) -> NDArray[np.int64]:
        """Rows that positions reach, noise included."""
        widest = sources + np.ceil(sources * (self.noise.max_share if self.noise else 0.0)).astype(np.int64)
        is_long = np.maximum(widest, targets)[self.rows] > max_positions
        rule = f"at most {max_positions} tokens long"
        if self.options.training:
            kept = leave_out(self.manifest, self.rows, is_long, f"a text (with its noise) not being {rule}")
            if not len(kept):
                mend = "Use a model with more positions."
                raise ManifestError(explain(self.name, "texts", f"{rule}, one pair of them", "all longer", mend))
            return kept
        mend = "Shorten it, remove the row, or use a model with more positions."
        faults = []
        for row in self.rows[is_long].tolist():
            name, length = ("src_text", sources[row]) if sources[row] > max_positions else ("tgt_text", targets[row])
            faults.append(explain(self.manifest.where(row), name, rule, f"{length} tokens", mend))
        if faults:
            raise ManifestError(report_all(faults))
        return self.rows

    def num_tokens_vec(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of rows, source and target together, (R,) int64."""
        return self.lengths[indices]

    def token_limit(self, max_tokens: int | None) -> int | None:
        """Most tokens of a batch, padding included: its own limit where it has one, else the host's."""
        return max_tokens if self.max_batch_tokens is None else self.max_batch_tokens

    def __getitem__(self, index: int) -> Item:
        index = int(index)
        source = self.sources.pieces(index)
        if self.noise is not None:
            source = self.noise.noise(source, self.epoch, index)
        texts = self.texts
        target = Target(texts.task, texts.tag(index), texts.pad, texts.tokens(index))
        length = len(source) + (0 if target.tokens is None else len(target.tokens))
        return Item(index, length, target=target, source_tokens=source, **self.adapters_of(index))

    def use_cache(self, *arguments: Any) -> float:
        """There is no speech to cache: no seconds are spent."""
        return 0.0
