"""Texts found for parts of a recording."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """A text that may have been said.

    Attributes:
        text: plain text.
        score: mean log-probability of its tokens, tag and end included, in nats.
    """

    text: str
    score: float


@dataclass(frozen=True)
class TranslatedSegment:
    """A part of a recording, and what it says.

    Attributes:
        start_seconds: where it begins.
        end_seconds: where it ends.
        hypotheses: the best texts, best first.
    """

    start_seconds: float
    end_seconds: float
    hypotheses: list[Hypothesis]

    @property
    def text(self) -> str:
        """The best text."""
        return self.hypotheses[0].text


def join_texts(segments: list[TranslatedSegment]) -> str:
    """Join the texts of segments with spaces; nothing stands for one without text."""
    return " ".join(segment.text for segment in segments if segment.text)
