"""Pairs of languages, collapsed texts and neighbours."""

import numpy as np
import pytest

from fairseq_samu.scoring.retrieval_pairs import Side, collapse_texts, list_neighbours, score_pairs, summarise


def make_side(vectors, languages, keys):
    return Side(np.asarray(vectors, dtype=float), languages, [frozenset([key]) for key in keys], list(keys))


def test_every_pair_is_scored_by_key():
    speech = make_side(np.eye(4), ["fr", "fr", "en", "en"], ["a", "b", "a", "b"])
    texts = make_side(np.eye(4)[[0, 1, 3, 2]], ["fr", "fr", "en", "en"], ["a", "b", "a", "b"])
    pairs = score_pairs(speech, texts)
    assert set(pairs) == {"fr-fr", "fr-en", "en-fr", "en-en"}
    assert pairs["fr-fr"]["r1"] == 100.0
    assert pairs["en-en"]["r1"] == 0.0
    assert pairs["en-en"]["pool"] == 2
    assert summarise(pairs)["pool"] == 2


def test_queries_without_a_match_do_not_take_part():
    speech = make_side(np.eye(3), ["fr"] * 3, ["a", "b", "c"])
    texts = make_side(np.eye(3)[:1], ["en"], ["a"])
    assert score_pairs(speech, texts)["fr-en"]["queries"] == 1


def test_a_row_does_not_find_itself():
    side = make_side([[1, 0], [0.9, 0.1], [0, 1]], ["fr"] * 3, ["a", "a", "b"])
    scores = score_pairs(side, side)["fr-fr"]
    assert (scores["r1"], scores["queries"], scores["pool"]) == (100.0, 2, 2)


def test_equal_texts_of_a_language_are_one_candidate():
    side = collapse_texts(np.eye(3)[[0, 0, 1]], ["fr", "fr", "en"], ["a", "b", "a"], ["oui", "oui", "yes"])
    assert side.labels == ["oui", "yes"]
    assert side.keys == [frozenset({"a", "b"}), frozenset({"a"})]
    assert side.vectors.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_neighbours_say_what_is_right():
    speech = make_side([[1.0, 0.1]], ["fr"], ["a"])
    texts = make_side(np.eye(2), ["en", "en"], ["b", "a"])
    found = list_neighbours(speech, texts)[0]["en"]
    assert [(item["text"], item["right"]) for item in found] == [("b", False), ("a", True)]
    assert found[0]["score"] == pytest.approx(0.995, abs=1e-3)
