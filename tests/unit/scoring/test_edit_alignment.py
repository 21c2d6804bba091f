"""Edit counts against a recursion that can be read, another library, and cases computed by hand."""

import random
import time
from functools import lru_cache

import jiwer
import pytest

from fairseq_samu.scoring import edit_alignment
from fairseq_samu.scoring.edit_alignment import EditCounts, align, count_edits, sum_edits


def recurse(reference, hypothesis):
    """The least errors, of those the least substitutions, by trying everything."""

    @lru_cache(None)
    def rest(i, j):
        if i == len(reference) or j == len(hypothesis):
            deletions, insertions = len(reference) - i, len(hypothesis) - j
            return deletions + insertions, 0, deletions, insertions
        wrong = int(reference[i] != hypothesis[j])
        ways = [(rest(i + 1, j + 1), (wrong, wrong, 0, 0))]
        ways += [(rest(i + 1, j), (1, 0, 1, 0)), (rest(i, j + 1), (1, 0, 0, 1))]
        return min(tuple(map(sum, zip(*way, strict=True))) for way in ways)

    _, substitutions, deletions, insertions = rest(0, 0)
    return EditCounts(substitutions, deletions, insertions, len(reference))


def draw_pairs(count, letters, longest, seed):
    draw = random.Random(seed)
    return [
        tuple([draw.choice(letters) for _ in range(draw.randint(0, longest))] for _ in range(2)) for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("", "", (0, 0, 0, 0)),
        ("abc", "", (0, 3, 0, 3)),
        ("", "ab", (0, 0, 2, 0)),
        ("abc", "abc", (0, 0, 0, 3)),
        ("abc", "axc", (1, 0, 0, 3)),
        ("kitten", "sitting", (2, 0, 1, 6)),
        # as short with two substitutions, but then nothing matches
        ("ab", "ba", (0, 1, 1, 2)),
        ("abc", "bcd", (0, 1, 1, 3)),
        ("abc", "xcy", (1, 1, 1, 3)),
    ],
)
def test_cases_by_hand(reference, hypothesis, counts):
    assert count_edits([reference], [hypothesis]) == [counts]


@pytest.mark.parametrize("cells", [1, 40, 1 << 14], ids=lambda cells: f"{cells} cells at once")
@pytest.mark.parametrize(("letters", "longest"), [("ab", 9), ("abcdefgh", 7)])
def test_counts_are_those_of_the_recursion(monkeypatch, cells, letters, longest):
    monkeypatch.setattr(edit_alignment, "CELLS_AT_ONCE", cells)
    pairs = draw_pairs(700, letters, longest, seed=cells)
    found = count_edits(*zip(*pairs, strict=True))
    assert found == [recurse(*pair) for pair in pairs]


def test_alignments_spell_both_sides_and_have_these_counts():
    pairs = draw_pairs(1000, "abc", 8, seed=3)
    for (reference, hypothesis), counts in zip(pairs, count_edits(*zip(*pairs, strict=True)), strict=True):
        steps = align(reference, hypothesis)
        assert [step.reference for step in steps if step.reference is not None] == list(range(len(reference)))
        assert [step.hypothesis for step in steps if step.hypothesis is not None] == list(range(len(hypothesis)))
        kinds = [step.kind for step in steps]
        assert (kinds.count("S"), kinds.count("D"), kinds.count("I")) == counts[:3]
        for step in steps:
            if step.kind in "=S":
                assert (reference[step.reference] == hypothesis[step.hypothesis]) == (step.kind == "=")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "kinds"),
    [
        ("a", "aa", "I="),
        ("aa", "a", "D="),
        ("ab", "ba", "I=D"),
        ("abc", "xbyc", "S=I="),
        ("ab", "cd", "SS"),
        ("abc", "dc", "DS="),
        ("", "", ""),
    ],
)
def test_of_equal_alignments_one_is_taken_by_rule(reference, hypothesis, kinds):
    assert "".join(step.kind for step in align(reference, hypothesis)) == kinds


def test_error_rates_are_those_of_jiwer():
    pairs = [pair for pair in draw_pairs(400, ["je", "veux", "deux", "chambres"], 9, seed=5) if pair[0]]
    texts = [[" ".join(side) for side in sides] for sides in zip(*pairs, strict=True)]
    theirs = jiwer.process_words(*texts)
    ours = sum_edits(count_edits(*zip(*pairs, strict=True)))
    assert ours.rate == pytest.approx(100 * theirs.wer)
    assert ours.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    # of edits equally short, ours have the most matches
    assert ours.hits >= theirs.hits
    letters = sum_edits(count_edits(*texts))
    assert letters.rate == pytest.approx(100 * jiwer.cer(*texts))


def test_units_may_be_anything_that_can_be_compared():
    pairs = [("nombre", "deux"), ("objet", None), 3]
    assert count_edits([pairs], [[("nombre", "deux"), ("objet", "x"), 3.0]]) == [(1, 0, 0, 3)]


def test_sums_and_rates():
    total = sum_edits([EditCounts(1, 2, 3, 10), EditCounts(0, 0, 4, 0)])
    assert total == (1, 2, 7, 10)
    assert (total.errors, total.hits, total.rate) == (10, 7, 100.0)
    assert EditCounts(0, 0, 4, 0).rate is None
    assert sum_edits([]) == (0, 0, 0, 0)
    assert count_edits([], []) == []


def test_sides_of_different_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        count_edits(["a", "b"], ["a"])


def test_thousands_of_utterances_take_seconds():
    draw = random.Random(1)
    references = ["".join(draw.choices("abcdefghij _", k=draw.randint(5, 120))) for _ in range(3000)]
    hypotheses = ["".join(draw.choice("abc") if draw.random() < 0.2 else x for x in text) for text in references]
    start = time.perf_counter()
    counts = count_edits(references, hypotheses)
    assert time.perf_counter() - start < 20  # about half a second on an idle core
    assert 0 < sum_edits(counts).rate < 20
