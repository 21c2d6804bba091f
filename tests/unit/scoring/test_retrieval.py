"""Ranks and recalls against a slow oracle and hand-made cases."""

import time
import tracemalloc

import numpy as np
import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.retrieval import (
    bootstrap_interval,
    nearest,
    rank_matches,
    score_ranks,
    unit_rows,
)


def rank_by_loops(queries, candidates, right):
    ranks = []
    for query, members in zip(queries, right, strict=True):
        scores = [float(query @ c / (np.linalg.norm(query) * np.linalg.norm(c))) for c in candidates]
        best = max(scores[i] for i in members)
        rivals = [i for i in range(len(candidates)) if i not in members and scores[i] >= best - 1e-6]
        ranks.append(1 + len(rivals))
    return ranks


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_loops(seed):
    rng = np.random.default_rng(seed)
    queries, candidates = rng.normal(size=(40, 6)), rng.normal(size=(25, 6))
    candidates[7] = candidates[3] * 2
    right = [sorted(set(rng.integers(0, 25, rng.integers(1, 4)).tolist())) for _ in range(40)]
    assert rank_matches(queries, candidates, right).tolist() == rank_by_loops(queries, candidates, right)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    queries, candidates = rng.normal(size=(30, 8)), rng.normal(size=(50, 8))
    right = [[i] for i in range(30)]
    whole, found = rank_matches(queries, candidates, right), nearest(queries, candidates, 4)
    monkeypatch.setattr("fairseq_samu.scoring.retrieval.QUERY_BLOCK", 7)
    monkeypatch.setattr("fairseq_samu.scoring.retrieval.CANDIDATE_BLOCK", 11)
    assert (rank_matches(queries, candidates, right) == whole).all()
    assert (nearest(queries, candidates, 4)[0] == found[0]).all()


def scores_of(ranks):
    return score_ranks(np.asarray(ranks), np.ones(len(ranks), dtype=int), len(ranks))


def test_identical_orthonormal_sets_find_each_other():
    scores = scores_of(rank_matches(np.eye(8), np.eye(8), [[i] for i in range(8)]))
    assert (scores["r1"], scores["mrr"], scores["chance_r1"]) == (100.0, 100.0, 12.5)


def test_a_derangement_finds_nothing():
    assert scores_of(rank_matches(np.eye(8), np.eye(8), [[(i + 1) % 8] for i in range(8)]))["r1"] == 0.0


def test_all_equal_embeddings_get_the_worst_ranks():
    ranks = rank_matches(np.ones((4, 3)), np.ones((6, 3)), [[i] for i in range(4)])
    assert ranks.tolist() == [6, 6, 6, 6]


def test_several_right_candidates_count_by_the_best():
    candidates = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    assert rank_matches(np.array([[0.0, 1.0]]), candidates, [[0, 2]]).tolist() == [1]


def test_an_excluded_candidate_is_no_rival():
    vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    assert rank_matches(vectors[:1], vectors, [[1]]).tolist() == [2]
    assert rank_matches(vectors[:1], vectors, [[1]], exclude=np.array([0])).tolist() == [1]


def test_scores_by_hand():
    scores = score_ranks(np.array([1, 2, 10, 20]), np.array([1, 1, 2, 1]), 50)
    assert scores["r1"] == 25.0
    assert scores["r5"] == 50.0
    assert scores["r10"] == 75.0
    assert scores["mrr"] == pytest.approx(100 * (1 + 0.5 + 0.1 + 0.05) / 4)
    assert scores["chance_r1"] == pytest.approx(100 * 1.25 / 50)
    assert (scores["pool"], scores["queries"]) == (50, 4)


def test_nan_is_refused():
    with pytest.raises(SamuError, match="finite"):
        unit_rows(np.array([[1.0, np.nan]]))


def test_a_query_without_match_is_refused():
    with pytest.raises(SamuError, match="at least one"):
        rank_matches(np.eye(2), np.eye(2), [[0], []])


def test_nearest_is_sorted_by_cosine():
    indices, scores = nearest(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0], [5.0, 0.0], [1.0, 1.0]]), 5)
    assert indices.tolist() == [[1, 2, 0]]
    assert scores[0].tolist() == pytest.approx([1.0, 0.7071, 0.0], abs=1e-4)


def test_large_sets_stay_in_bounded_memory():
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(4000, 32)).astype(np.float32)
    tracemalloc.start()
    started = time.monotonic()
    ranks = rank_matches(queries, queries, [[i] for i in range(4000)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (ranks == 1).all()
    # the whole matrix of cosines would be 64 MB, and its comparison 16 MB more
    assert peak < 60e6
    assert time.monotonic() - started < 20


def test_bootstrap_covers_the_mean_and_is_seeded():
    values = np.random.default_rng(0).random(200) * 100
    low, high = bootstrap_interval(values, seed=4)
    assert low < values.mean() < high
    assert (low, high) == bootstrap_interval(values, seed=4)
    expected = 1.96 * values.std() / np.sqrt(200)
    assert high - low == pytest.approx(2 * expected, rel=0.1)
