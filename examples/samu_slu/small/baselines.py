"""Two systems that hear nothing, between which a system that listens should lie.

    python baselines.py majority --train train.tsv --manifest test.tsv --output majority.txt
    python baselines.py oracle --train train.tsv --manifest test.tsv --output oracle.txt

`majority` says the most frequent annotation of training, in each language. `oracle` is given the words of the test,
exactly as they were said, and tags them by the phrases of training and their order: what is left to it is the error of
the tagging alone. Each writes a line a row, for `fairseq-samu score slu --hypothesis`.
"""

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from fairseq_samu.concepts import CLOSE, concept_of, escape, extract_concepts, unescape
from fairseq_samu.data.manifest import Row, read_manifest

Phrase = tuple[str, ...]
Segment = tuple[str, Phrase]
"""A concept and its words; the concept is empty for words outside."""

START, END = ("", ("<start>",)), ("", ("<end>",))
_UNSEEN = 1e-4  # what a step that training does not have weighs against one that it has
_BORROWED = 1e-3  # share of the words of a concept that are taken from other concepts
_UNKNOWN_WORD = 1e-12


def split_segments(text: str) -> list[Segment]:
    """Cut annotated text into values and the runs of words between them.

    Args:
        text: sound annotation; tags and closers are words of their own.

    Returns:
        Segments in order, none of them empty.
    """
    segments: list[tuple[str, list[str]]] = [("", [])]
    for word in text.split():
        name = concept_of(word)
        if name is not None or word == CLOSE:
            segments.append((name or "", []))
        else:
            segments[-1][1].append(unescape(word))
    return [(concept, tuple(words)) for concept, words in segments if words]


def write_segments(segments: Iterable[Segment]) -> str:
    """Join segments into annotated text."""
    said = ((concept, escape(" ".join(words))) for concept, words in segments)
    return " ".join(f"<{concept}> {words} {CLOSE}" if concept else words for concept, words in said)


def most_frequent(annotations: Sequence[str]) -> str:
    """Choose the annotation that stands most often; of equally frequent ones that with the most frequent concepts.

    Args:
        annotations: of training, at least one.

    Returns:
        One of them; the first in alphabetical order where all is equal.
    """
    whole = Counter(annotations)
    shapes = {text: tuple(concept.name for concept in extract_concepts(text)) for text in whole}
    usual = Counter(shapes[text] for text in annotations)
    return min(whole, key=lambda text: (-whole[text], -usual[shapes[text]], text))


class PhraseTagger:
    """Tags words by the best row of known phrases: a segmental bigram model, counted from annotations.

    A step goes from a segment to the next; it is known by the concept of a value and by all words of a run outside, so
    that what a value means is learned from the whole carrier before it, or from the concept before it. A value that
    training does not have is weighed by its words; a word may be a value of a concept that never had it, at a price, if
    it is a value of some concept.

    Args:
        annotations: of training, in one language.
    """

    def __init__(self, annotations: Iterable[str]) -> None:
        self._steps: dict[str, Counter[str]] = defaultdict(Counter)
        self._phrases: dict[str, Counter[Phrase]] = defaultdict(Counter)
        self._words: dict[str, Counter[str]] = defaultdict(Counter)
        self._lengths: dict[str, Counter[int]] = defaultdict(Counter)
        for annotation in annotations:
            segments = [START, *split_segments(annotation), END]
            for before, after in pairwise(segments):
                self._steps[_key(before)][_key(after)] += 1
            for concept, words in segments[1:-1]:
                self._phrases[concept][words] += 1
                self._words[concept].update(words)
                self._lengths[concept][len(words)] += 1
        inside = (words for concept, words in self._words.items() if concept)
        self._values: Counter[str] = sum(inside, Counter())
        self._longest = max((max(lengths) for lengths in self._lengths.values()), default=1)

    def tag(self, text: str) -> str:
        """Tag plain words.

        Args:
            text: words with spaces between them.

        Returns:
            The same words, annotated.
        """
        words = tuple(text.split())
        # At each place: the last segment by its key, with the weight of the best way there and that way.
        best: list[dict[str, tuple[float, list[Segment]]]] = [{} for _ in range(len(words) + 1)]
        best[0][_key(START)] = (0.0, [])
        for start in range(len(words)):
            for end in range(start + 1, min(len(words), start + self._longest) + 1):
                for segment, weight in self._readings(words[start:end]):
                    for before, (so_far, way) in best[start].items():
                        total = so_far + weight + self._step(before, _key(segment))
                        if total > best[end].get(_key(segment), (-math.inf, []))[0]:
                            best[end][_key(segment)] = (total, [*way, segment])
        ends = [(weight + self._step(last, _key(END)), way) for last, (weight, way) in best[-1].items()]
        return write_segments(_join_outside(max(ends, key=lambda pair: pair[0])[1]))

    def _readings(self, words: Phrase) -> Iterator[tuple[Segment, float]]:
        """What a run of words may be, and the logarithm of how likely that makes these words."""
        known = False
        for concept, phrases in self._phrases.items():
            if words in phrases and not concept:
                known = True
                yield (concept, words), 0.0  # the step to it names all of its words
            elif concept and self._lengths[concept][len(words)] and all(word in self._values for word in words):
                known = True
                yield (concept, words), self._value(concept, words)
        if len(words) == 1 and not known:
            yield ("", words), math.log(_UNKNOWN_WORD)

    def _value(self, concept: str, words: Phrase) -> float:
        own, every = self._words[concept], self._values
        spelt = math.prod(
            (1 - _BORROWED) * own[word] / own.total() + _BORROWED * every[word] / every.total() for word in words
        )
        spelt *= self._lengths[concept][len(words)] / self._lengths[concept].total()
        whole = self._phrases[concept][words] / self._phrases[concept].total()
        return math.log(0.5 * spelt + 0.5 * whole)

    def _step(self, before: str, after: str) -> float:
        seen = self._steps.get(before, Counter())
        return math.log((seen[after] + _UNSEEN) / (seen.total() + 1))


def _key(segment: Segment) -> str:
    concept, words = segment
    return f"<{concept}>" if concept else " ".join(words)


def _join_outside(segments: Iterable[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for concept, words in segments:
        if joined and not concept and not joined[-1][0]:
            joined[-1] = ("", (*joined[-1][1], *words))
        else:
            joined.append((concept, words))
    return joined


def by_language(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Annotations of a manifest by the language of the speech."""
    annotations: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        annotations[row.src_lang or ""].append(row.tgt_text or "")
    return annotations


def answer(baseline: str, train: Iterable[Row], test: Sequence[Row]) -> list[str]:
    """Let a baseline answer each row.

    Args:
        baseline: ``majority`` or ``oracle``.
        train: rows to learn from.
        test: rows to answer, in languages of training.

    Returns:
        Annotated text of each row.
    """
    annotations = by_language(train)
    unknown = sorted({row.src_lang or "" for row in test} - annotations.keys())
    if unknown:
        raise SystemExit(f"training has no row in {', '.join(unknown)}")
    if baseline == "majority":
        usual = {lang: most_frequent(texts) for lang, texts in annotations.items()}
        return [usual[row.src_lang or ""] for row in test]
    taggers = {lang: PhraseTagger(texts) for lang, texts in annotations.items()}
    return [taggers[row.src_lang or ""].tag(row.src_text or "") for row in test]


def main() -> None:
    """Write the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline", choices=("majority", "oracle"))
    parser.add_argument("--train", type=Path, required=True, help="manifest with annotations to learn from")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest to answer")
    parser.add_argument("--output", type=Path, required=True, help="file of annotated text, a line a row")
    arguments = parser.parse_args()
    columns = ("src_lang", "tgt_text")
    train = read_manifest(arguments.train, required=columns)
    test = read_manifest(arguments.manifest, required=("src_lang", "src_text"))
    answers = answer(arguments.baseline, train, list(test))
    arguments.output.write_text("".join(f"{text}\n" for text in answers), encoding="utf-8")


if __name__ == "__main__":
    main()
