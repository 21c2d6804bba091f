"""Retrieval for every pair of languages: who searches, who is found, and what counts as right."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.scoring.retrieval import average_scores, nearest, rank_matches, score_ranks


@dataclass(frozen=True)
class Side:
    """Embedded recordings or texts.

    Attributes:
        vectors: (R, D) embeddings.
        languages: language of each row.
        keys: what each row says, as sets: rows that share a key say the same thing in any language.
        labels: text of each row, for display.
    """

    vectors: NDArray[np.floating]
    languages: list[str]
    keys: list[frozenset[str]]
    labels: list[str]

    def rows_of(self, language: str) -> NDArray[np.int64]:
        """Rows in a language, (R_l,) int64."""
        return np.flatnonzero(np.asarray(self.languages) == language)

    def language_names(self) -> list[str]:
        """Languages present, sorted."""
        return sorted(set(self.languages))


@dataclass(frozen=True)
class PairRanks:
    """Ranks of the queries in one language, among the candidates in another.

    Attributes:
        asked: language of the queries.
        found: language of the candidates.
        rows: (Q,) rows of the queries that have a right candidate.
        ranks: (Q,) rank of the best right candidate, 1 = first.
        num_right: (Q,) right candidates.
        pool: candidates that a query chooses from.
    """

    asked: str
    found: str
    rows: NDArray[np.int64]
    ranks: NDArray[np.int64]
    num_right: NDArray[np.int64]
    pool: int


def collapse_texts(vectors: NDArray[np.floating], languages: list[str], keys: list[str], texts: list[str]) -> Side:
    """Make a side of texts on which each text of a language stands once, with the keys of all its rows.

    Two recordings of one sentence would otherwise make each other's text a rival that cannot be told apart.

    Args:
        vectors: (R, D); equal texts have equal vectors.
        languages: of each row.
        keys: of each row.
        texts: of each row, normalised.
    """
    places: dict[tuple[str, str], int] = {}
    members: list[set[str]] = []
    firsts: list[int] = []
    for row, (language, key, text) in enumerate(zip(languages, keys, texts, strict=True)):
        place = places.setdefault((language, text), len(places))
        if place == len(members):
            members.append(set())
            firsts.append(row)
        members[place].add(key)
    return Side(
        np.asarray(vectors)[firsts],
        [languages[row] for row in firsts],
        [frozenset(keys) for keys in members],
        [texts[row] for row in firsts],
    )


def score_pairs(queries: Side, candidates: Side) -> dict[str, dict[str, float]]:
    """Score every language of the queries against every language of the candidates.

    A query without a right candidate in a language does not take part there (``queries`` counts those that do). Where
    both sides are the same object, a row never finds itself.

    Returns:
        Scores by pair, ``fr-en`` for French queries and English candidates; a pair without any match is absent.
    """
    return {
        f"{pair.asked}-{pair.found}": score_ranks(pair.ranks, pair.num_right, pair.pool)
        for pair in rank_pairs(queries, candidates)
    }


def rank_pairs(queries: Side, candidates: Side) -> Iterator[PairRanks]:
    """Rank the right candidates of every query in every language, as :func:`score_pairs` scores them."""
    itself = queries is candidates
    for asked, found, rows, columns, right in _pairs(queries, candidates, itself):
        exclude = np.searchsorted(columns, rows) if itself and asked == found else None
        ranks = rank_matches(queries.vectors[rows], candidates.vectors[columns], right, exclude)
        num_right = np.array([len(members) for members in right])
        yield PairRanks(asked, found, rows, ranks, num_right, len(columns) - (exclude is not None))


def _pairs(
    queries: Side, candidates: Side, itself: bool
) -> Iterator[tuple[str, str, NDArray[np.int64], NDArray[np.int64], list[list[int]]]]:
    for asked in queries.language_names():
        for found in candidates.language_names():
            columns = candidates.rows_of(found)
            places: dict[str, list[int]] = {}
            for place, column in enumerate(columns.tolist()):
                for key in candidates.keys[column]:
                    places.setdefault(key, []).append(place)
            rows, right = [], []
            for row in queries.rows_of(asked).tolist():
                members = sorted({place for key in queries.keys[row] for place in places.get(key, [])})
                if itself:
                    members = [place for place in members if columns[place] != row]
                if members:
                    rows.append(row)
                    right.append(members)
            if rows:
                yield asked, found, np.array(rows), columns, right


def summarise(pairs: dict[str, dict[str, float]]) -> dict[str, float]:
    """Unweighted mean over pairs."""
    return average_scores(list(pairs.values()))


def list_neighbours(queries: Side, candidates: Side, count: int = 3) -> list[dict[str, list[dict[str, object]]]]:
    """The nearest candidates of every query in every language.

    Returns:
        For each query: language -> up to ``count`` of ``{"text", "score", "right"}``, nearest first.
    """
    found: list[dict[str, list[dict[str, object]]]] = [{} for _ in queries.labels]
    for language in candidates.language_names():
        columns = candidates.rows_of(language)
        indices, scores = nearest(queries.vectors, candidates.vectors[columns], count)
        for row, (places, values) in enumerate(zip(indices, scores, strict=True)):
            found[row][language] = [
                {
                    "text": candidates.labels[columns[place]],
                    "score": round(float(value), 4),
                    "right": bool(candidates.keys[columns[place]] & queries.keys[row]),
                }
                for place, value in zip(places, values, strict=True)
            ]
    return found
