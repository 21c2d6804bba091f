"""n-gram models over labels and over words: scores by hand, what is refused, and the search with them."""

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("kenlm", reason="the extra lm is not installed")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models import ngram_model
from fairseq_samu.models.ngram_model import NgramModel
from fairseq_samu.ops.ctc_prefix_beam_search import BeamOptions, search_prefixes

SYMBOLS = ["<s>", "<pad>", "</s>", "<unk>", "<n>", ">", "_", "a", "b"]
TAG, CLOSE, SPACE, A, B = 4, 5, 6, 7, 8
LABELS = """\\data\\
ngram 1=7
ngram 2=4

\\1-grams:
-2.0\t<unk>
-99\t<s>\t-0.5
-1.0\t</s>
-0.9\ta\t-0.2
-0.8\t_\t-0.1
-1.5\t<n>\t-0.4
-1.7\t>\t-0.6

\\2-grams:
-0.3\t<s> a
-0.4\ta _
-0.6\t_ <n>
-0.7\ta </s>

\\end\\
"""
WORDS = """\\data\\
ngram 1=6
ngram 2=3

\\1-grams:
-2.0\t<unk>
-99\t<s>\t-0.5
-1.0\t</s>
-0.9\tab\t-0.2
-1.5\t<n>\t-0.4
-1.7\t>\t-0.6

\\2-grams:
-0.3\t<s> ab
-0.4\tab <n>
-0.7\t> </s>

\\end\\
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="lm.arpa"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def log10_of(model, labels):
    """Score of a whole label sequence, and of each label."""
    state, scores = model.start(), []
    for label in labels:
        scores.append(model.scores(np.array([state]))[0, label] / math.log(10))
        (state,) = model.advance(np.array([state]), np.array([label]))
    return [*scores, model.finish(np.array([state]))[0] / math.log(10)]


def test_label_scores_by_hand(write):
    model = NgramModel(write(LABELS), SYMBOLS)
    assert log10_of(model, [A, SPACE, TAG]) == pytest.approx([-0.3, -0.4, -0.6, -0.4 - 1.0])
    # backed off: a after <n>, an unknown label after a, which leaves no context, and the end after that
    assert log10_of(model, [TAG, A, B]) == pytest.approx([-0.5 - 1.5, -0.4 - 0.9, -0.2 - 2.0, -1.0])
    assert log10_of(model, [A]) == pytest.approx([-0.3, -0.7])
    assert log10_of(model, []) == pytest.approx([-0.5 - 1.0])


def test_words_count_where_they_end(write):
    model = NgramModel(write(WORDS), SYMBOLS, "word")
    ab, tag, unknown, close, end = -0.3, -0.4, -0.4 - 2.0, -1.7, -0.7
    assert log10_of(model, [A, B, SPACE, TAG, SPACE, B, SPACE, CLOSE]) == pytest.approx(
        [0, 0, ab, tag, 0, 0, unknown, close, end]
    )
    # without spaces: the tag ends a word, and so does the end of the utterance
    assert log10_of(model, [A, B, TAG, A, B]) == pytest.approx([0, 0, ab + tag, 0, 0, -0.4 - 0.9 - 0.2 - 1.0])
    assert log10_of(model, [SPACE, SPACE, A, B]) == pytest.approx([0, 0, 0, 0, -0.3 - 0.2 - 1.0])


def test_words_are_those_of_the_text_not_of_its_labels(write):
    model = NgramModel(write(WORDS.replace("ab", "a_")), [*SYMBOLS, "\\_"], "word")
    assert log10_of(model, [A, len(SYMBOLS), SPACE]) == pytest.approx([0, 0, -0.3, -0.2 - 1.0])


def test_the_search_gives_what_the_model_asks_for(write):
    """Frames cannot tell a from b; the model knows a."""
    model = NgramModel(write(LABELS), SYMBOLS)
    probabilities = np.full((1, len(SYMBOLS)), 1e-6)
    probabilities[0, [A, B]] = 0.45, 0.55
    log_probs = np.log(probabilities / probabilities.sum())[None]
    without = search_prefixes(log_probs, [1], 0, BeamOptions(5))[0][0]
    options = BeamOptions(5, model=model, model_weight=1.0)
    best = search_prefixes(log_probs, [1], 0, options)[0][0]
    assert (without.labels.tolist(), best.labels.tolist()) == ([B], [A])
    assert best.score == pytest.approx(best.log_prob + (-0.3 - 0.7) * math.log(10))


@pytest.mark.parametrize(("text", "unit"), [(LABELS, "label"), (WORDS, "word")])
def test_scores_of_the_search_are_those_of_the_sequences(write, text, unit):
    model = NgramModel(write(text), SYMBOLS, unit)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, len(SYMBOLS)))
    log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    options = BeamOptions(2000, forbidden=(1, 2, 3), model=model, model_weight=0.8)
    (found,) = search_prefixes(log_probs[None], [3], 0, options)
    assert len(found) > 100
    for one in found:
        added = 0.8 * math.log(10) * sum(log10_of(model, one.labels))
        assert one.score == pytest.approx(one.log_prob + added)


def test_a_full_table_is_emptied_and_gives_the_same(write, monkeypatch):
    model = NgramModel(write(LABELS), SYMBOLS)
    sequences = [list(labels) for labels in itertools.product([TAG, SPACE, A, B], repeat=3)]
    expected = [log10_of(model, labels) for labels in sequences]
    monkeypatch.setattr(ngram_model, "ROWS_KEPT", 3)
    assert [log10_of(model, labels) for labels in sequences] == expected
    assert len(model._row_of) <= 4 + 3


def test_a_model_of_the_other_unit_is_refused(write):
    with pytest.raises(ConfigError, match="--ngram-unit word"):
        NgramModel(write(WORDS), SYMBOLS, "label")
    with pytest.raises(ConfigError, match="--ngram-unit label"):
        NgramModel(write(LABELS), SYMBOLS, "word")
    with pytest.raises(ConfigError, match="label or word"):
        NgramModel(write(LABELS), SYMBOLS, "phone")


@pytest.mark.parametrize("text", ["", "no model\n", LABELS.replace("ngram 1=7", "ngram 1=8")])
def test_what_is_no_model_is_refused(write, text):
    with pytest.raises(ConfigError, match=r"ARPA or KenLM's binary form, but is .*lm\.arpa"):
        NgramModel(write(text), SYMBOLS)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.arpa"):
        NgramModel(tmp_path / "none.arpa", SYMBOLS)


def test_without_kenlm_the_extra_is_named(write, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "kenlm", None)
    with pytest.raises(ConfigError, match=r"fairseq-samu\[lm\]"):
        NgramModel(write(LABELS), SYMBOLS)
