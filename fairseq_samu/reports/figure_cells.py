"""Figures with their intervals as cells of a table."""

from typing import Optional

from fairseq_samu.scoring.paired_bootstrap import Comparison, Figure


def show_figure(figure: Optional[Figure], digits: int = 1) -> str:
    """A score with its interval, ``13.3 [12.7, 13.9]``; nothing for None."""
    if figure is None:
        return ""
    interval = figure.interval()
    score = f"{figure.score:.{digits}f}"
    return score if interval is None else f"{score} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def show_difference(compared: Comparison, digits: int = 1) -> str:
    """A difference with its interval, ``+0.4 [+0.1, +0.8]``."""
    low, high = compared.interval
    return f"{compared.delta:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
