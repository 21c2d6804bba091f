"""Noise that makes source texts look like compressed speech: blanks instead of punctuation, and between words."""

import re

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain, report_all

WORD_START = "▁"
"""SentencePiece's mark of a space, which a piece that starts a word begins with."""
NOISE_STREAM = 16
_PUNCTUATION = re.compile(f"{WORD_START}?[,.;!?:]+")


class TextNoise:
    """Noise on the source side of text translation (arXiv:2311.03810), for training alone.

    A sentence that is drawn gets two changes. Punctuation becomes the blank symbol: every piece that consists of
    ``, . ; ! ? :`` and nothing else, with or without the mark of a space in front (``...`` is one piece and becomes
    one blank); a piece with letters in it stays as it is. And ``round(U(0, max_share) * n)`` blanks, n being the
    sentence's tokens, are inserted in front of different words; a sentence with fewer words gets one for each.

    Speech has blanks at just these places: its CTC labels know pauses, but no punctuation.

    Args:
        vocabulary: whose pieces the tokens are; its ``<s>`` is the blank. Read at the first noise, so that it may be
            filled after this was built.
        prob: share of the sentences that get noise.
        max_share: most blanks that are inserted, as a share of a sentence's tokens.
        seed: with epoch and row, all that the draws depend on.

    Raises:
        ConfigError: a share is out of range; all of them in one report.
    """

    def __init__(self, vocabulary: Vocabulary, prob: float = 0.1, max_share: float = 0.2, seed: int = 1) -> None:
        shares = (("source_noise_prob", prob), ("source_noise_share", max_share))
        faults = [
            explain("", name, "from 0 to 1", value, "Change the option.")
            for name, value in shares
            if not 0 <= value <= 1
        ]
        if faults:
            raise ConfigError(report_all(faults))
        self.vocabulary = vocabulary
        self.prob = prob
        self.max_share = max_share
        self.seed = seed
        self._kinds: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None

    def noise(self, tokens: NDArray[np.int64], epoch: int, row: int) -> NDArray[np.int64]:
        """Change a sentence, or not, as the draw of this row in this epoch says.

        Args:
            tokens: (U,) int64 pieces, without tag and end; not changed.
            epoch: 1-based.
            row: index of the sentence.

        Returns:
            (U',) int64, U' from U to ``U + round(max_share * U)``.
        """
        rng = np.random.default_rng([self.seed, NOISE_STREAM, epoch, row])
        if rng.random() >= self.prob:
            return tokens
        is_punctuation, is_start = self._tables()
        blank = self.vocabulary.bos
        starts = np.flatnonzero(is_start[tokens])
        count = min(round(rng.uniform(0.0, self.max_share) * len(tokens)), len(starts))
        places = rng.choice(starts, size=count, replace=False)
        return np.insert(np.where(is_punctuation[tokens], blank, tokens), places, blank)

    def _tables(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which tokens are punctuation, and which others start a word, (V,) each."""
        if self._kinds is None or len(self._kinds[0]) != len(self.vocabulary):
            pieces = self.vocabulary.tokens
            punctuation = np.array([bool(_PUNCTUATION.fullmatch(piece)) for piece in pieces])
            starts = np.array([piece.startswith(WORD_START) for piece in pieces]) & ~punctuation
            self._kinds = punctuation, starts
        return self._kinds
