"""Where in a recording the concepts of a hypothesis stand."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from torch import Tensor

from fairseq_samu.concepts import locate_concepts
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary


@dataclass(frozen=True)
class ConceptSpan:
    """A concept in a recording.

    Attributes:
        concept: its name.
        value: its words.
        start: where its words begin (its tag, where it has none), in seconds.
        end: where they end, in seconds.
    """

    concept: str
    value: str
    start: float
    end: float

    def as_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


@dataclass(frozen=True)
class TaggedText:
    """Annotated text with its concepts.

    Attributes:
        text: annotated.
        concepts: in order, those that ``extract_concepts`` finds.
    """

    text: str
    concepts: list[ConceptSpan]


def find_spans(
    hypothesis: dict[str, Tensor], vocabulary: ConceptVocabulary, samples_per_frame: int, num_samples: int
) -> TaggedText:
    """Read a hypothesis as text, and find its concepts in the recording.

    A label lasts from the beginning of its first frame to the end of its last on the path that was found. CTC marks
    labels rather than measures them, so that a span may miss some hundredths of a second at its ends.

    Args:
        hypothesis: ``tokens`` (U + 1,) with the end, and for all but that ``starts`` and ``ends``, the first frame and
            the one behind the last.
        vocabulary: of the tokens.
        samples_per_frame: from one frame to the next.
        num_samples: of the recording, in which all spans lie.

    Returns:
        Text and concepts.
    """
    parts = [vocabulary.decode([token]) for token in hypothesis["tokens"][:-1].tolist()]
    text = "".join(parts)
    behind = list(accumulate(map(len, parts)))  # place in the text behind each label
    starts, ends = hypothesis["starts"].tolist(), hypothesis["ends"].tolist()
    found = []
    for concept, place in locate_concepts(text):
        first = _label_at(behind, place.start)
        last = _label_at(behind, place.stop - 1)
        seconds = [
            round(min(frame * samples_per_frame, num_samples) / SAMPLE_RATE, 3) for frame in (starts[first], ends[last])
        ]
        found.append(ConceptSpan(concept.name, concept.value, *seconds))
    return TaggedText(text, found)


def _label_at(behind: Sequence[int], place: int) -> int:
    """Number of the label that wrote the character at a place of the text."""
    return next(label for label, end in enumerate(behind) if end > place)
