"""The noise of denoising: spans of words become one mask, as in mBART (arXiv:2001.08210, section 2.2)."""

from collections.abc import Sequence

import numpy as np


def mask_spans(
    words: Sequence[str], generator: np.random.Generator, share: float = 0.35, mean_span: float = 3.5
) -> list[str | None]:
    """Replace spans of words by a mask.

    Deviation from mBART: the order of sentences stays, since a row is one sentence or two.

    Args:
        words: U words.
        generator: source of chance.
        share: of the words that are masked, rounded up.
        mean_span: mean of the Poisson distribution of a span's length; a span has at least one word.

    Returns:
        The words that are left, and None for each masked span; spans that touch are one.
    """
    left = int(np.ceil(share * len(words)))
    masked = np.zeros(len(words), dtype=bool)
    while left > 0:
        length = min(left, max(1, int(generator.poisson(mean_span))))
        start = int(generator.integers(0, len(words) - length + 1))
        left -= int(length - masked[start : start + length].sum())
        masked[start : start + length] = True
    noised: list[str | None] = []
    for word, hidden in zip(words, masked, strict=True):
        if not hidden:
            noised.append(word)
        elif not noised or noised[-1] is not None:
            noised.append(None)
    return noised
