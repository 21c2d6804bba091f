"""Concepts with times: by hand, and the same concepts as in the text for any labels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq_samu.concepts import extract_concepts
from fairseq_samu.data.concept_spans import ConceptSpan, find_spans
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary

VOCABULARY = ConceptVocabulary.from_texts(["je veux <nombre> deux > < \\< <prix> 3 a >"])


def hypothesis_of(labels, starts=None, ends=None):
    """Labels that each stand on one frame of two, unless told otherwise."""
    count = len(labels)
    return {
        "tokens": torch.tensor([*labels, 2]),
        "starts": torch.tensor(starts or [2 * number for number in range(count)]),
        "ends": torch.tensor(ends or [2 * number + 1 for number in range(count)]),
    }


def test_a_span_reaches_from_the_first_to_the_last_letter_of_its_words():
    labels = VOCABULARY.encode("je <nombre> deux > v").tolist()
    # j e _ <nombre> _ d e u x _ > _ v
    starts = [0, 1, 2, 4, 6, 8, 10, 11, 12, 15, 16, 18, 20]
    ends = [1, 2, 3, 5, 7, 9, 11, 12, 14, 16, 17, 19, 21]
    tagged = find_spans(hypothesis_of(labels, starts, ends), VOCABULARY, 320, 10_000)
    assert tagged.text == "je <nombre> deux > v"
    assert tagged.concepts == [ConceptSpan("nombre", "deux", 0.16, 0.28)]
    assert tagged.concepts[0].as_json() == {"concept": "nombre", "value": "deux", "start": 0.16, "end": 0.28}


def test_a_concept_without_words_stands_where_its_tag_does():
    labels = VOCABULARY.encode("<prix> ><nombre>3").tolist()  # tag, space, closer, tag, 3
    spans = find_spans(hypothesis_of(labels), VOCABULARY, 320, 10_000).concepts
    assert spans == [ConceptSpan("prix", "", 0.0, 0.02), ConceptSpan("nombre", "3", 0.16, 0.18)]


def test_no_span_ends_behind_the_recording():
    labels = VOCABULARY.encode("<prix> 3").tolist()
    (span,) = find_spans(hypothesis_of(labels, [0, 1, 2], [1, 2, 4]), VOCABULARY, 320, 1_000).concepts
    assert (span.start, span.end) == (0.04, 0.062)


def test_nothing_said():
    tagged = find_spans(hypothesis_of([]), VOCABULARY, 320, 1_000)
    assert (tagged.text, tagged.concepts) == ("", [])


@given(st.lists(st.integers(3, len(VOCABULARY) - 1), max_size=20))
def test_text_and_concepts_are_those_of_the_labels(labels):
    tagged = find_spans(hypothesis_of(labels), VOCABULARY, 320, 100_000)
    assert tagged.text == VOCABULARY.decode(labels)
    found = extract_concepts(tagged.text)
    assert [(span.concept, span.value) for span in tagged.concepts] == [(one.name, one.value) for one in found]
    edges = [second for span in tagged.concepts for second in (span.start, span.end)]
    assert edges == sorted(edges)
