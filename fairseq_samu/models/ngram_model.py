"""n-gram language models, by KenLM, for the search over CTC labels."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.concepts import CLOSE, SPACE, concept_of, join_tokens
from fairseq_samu.errors import ConfigError, explain

Integers = NDArray[np.int64]
ROWS_KEPT = 100_000  # of the table of scores, 40 MB for 100 labels
NATS = math.log(10.0)  # files of n-grams hold decimal logarithms
UNITS = ("label", "word")


class NgramModel:
    """An n-gram model over CTC labels, or over words and tags.

    Where it counts labels, its training text is labels with spaces between them: ``d e u x _ > _ n u i t s``.
    Where it counts words, its training text is annotated text as it is: ``je veux <nombre> deux >``; a word counts once
    it is followed by a space, a tag, ``>`` or the end, so that letters within a word are free.

    States are interned and rows of scores kept, so that the model is asked once for each context.

    Args:
        path: ARPA file, or KenLM's binary form of one.
        symbols: labels by their ids, blank and the like among them.
        unit: ``label`` or ``word``.

    Raises:
        ConfigError: KenLM is not installed, the file is no such model, or it was made of the other unit.
    """

    def __init__(self, path: str | Path, symbols: Sequence[str], unit: str = "label") -> None:
        self.symbols = list(symbols)
        self.unit = unit
        self._kenlm, self._model = _load(path)
        self._require_unit(path)
        state = self._kenlm.State()
        self._model.BeginSentenceWrite(state)
        self._start = (state, "")
        self._forget()

    def _require_unit(self, path: str | Path) -> None:
        """A model over labels knows the space's label, which a model over words does not."""
        if self.unit not in UNITS:
            raise ConfigError(explain("decoding", "ngram_unit", " or ".join(UNITS), self.unit, "Choose one."))
        if (SPACE in self._model) != (self.unit == "label"):
            other = UNITS[1 - UNITS.index(self.unit)]
            mend = f"Set --ngram-unit {other}, or train it on other text."
            raise ConfigError(
                explain(
                    str(path),
                    "n-gram model",
                    f"of {self.unit}s",
                    f"without {SPACE}" if self.unit == "label" else f"with the label {SPACE}",
                    mend,
                )
            )

    def _forget(self) -> None:
        """Empty the tables."""
        self._ids: dict[tuple[Any, str], int] = {self._start: 0}
        self._states = [self._start]
        self._next: dict[tuple[int, int], int] = {}
        self._row_of: dict[int, int] = {}
        self._rows = np.empty((64, len(self.symbols)), dtype=np.float32)

    def start(self) -> int:
        """State in front of the first label; what earlier utterances left is forgotten where it is too much."""
        if len(self._row_of) > ROWS_KEPT:
            self._forget()
        return 0

    def scores(self, states: Integers) -> NDArray[np.floating[Any]]:
        """What each label adds behind (N,) states: (N, V) log-probabilities, in nats."""
        places = [self._place(state) for state in states.tolist()]
        table: NDArray[np.floating[Any]] = self._rows[places]
        return table

    def advance(self, states: Integers, labels: Integers) -> Integers:
        """States (N,) behind (N,) labels that follow (N,) states."""
        pairs = zip(states.tolist(), labels.tolist(), strict=True)
        return np.array([self._successor(pair) for pair in pairs], dtype=np.int64)

    def finish(self, states: Integers) -> NDArray[np.float64]:
        """What the end adds behind (N,) states: (N,) log-probabilities, in nats."""
        return np.array([self._finish(*self._states[state]) for state in states.tolist()])

    # ---- single states --------------------------------------------------------------------------------------------

    def _place(self, state: int) -> int:
        """Row of the table that holds the scores behind a state."""
        place = self._row_of.get(state)
        if place is None:
            place = self._row_of[state] = len(self._row_of)
            if place == len(self._rows):
                self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            context, word = self._states[state]
            self._rows[place] = [self._step(context, word, symbol)[0] for symbol in self.symbols]
        return place

    def _successor(self, pair: tuple[int, int]) -> int:
        """Number of the state behind a pair of state and label."""
        found = self._next.get(pair)
        if found is None:
            context, word = self._states[pair[0]]
            _, after, rest = self._step(context, word, self.symbols[pair[1]])
            found = self._ids.setdefault((after, rest), len(self._states))
            if found == len(self._states):
                self._states.append((after, rest))
            self._next[pair] = found
        return found

    def _step(self, context: Any, word: str, symbol: str) -> tuple[float, Any, str]:
        """Score, state and unfinished word behind a label."""
        if self.unit == "label":
            return *self._ask(context, symbol), ""
        is_unit = symbol == CLOSE or concept_of(symbol) is not None
        if not is_unit and symbol != SPACE:
            return 0.0, context, word + join_tokens([symbol])
        score, after = self._ask(context, word) if word else (0.0, context)
        if is_unit:
            added, after = self._ask(after, symbol)
            score += added
        return score, after, ""

    def _finish(self, context: Any, word: str) -> float:
        score, after = self._ask(context, word) if word else (0.0, context)
        return score + self._ask(after, "</s>")[0]

    def _ask(self, context: Any, unit: str) -> tuple[float, Any]:
        after = self._kenlm.State()
        score: float = self._model.BaseScore(context, unit, after)
        return NATS * score, after


def _load(path: str | Path) -> tuple[Any, Any]:
    """The module of KenLM, and the model in a file."""
    try:
        import kenlm
    except ImportError as error:
        mend = "Run `pip install 'fairseq-samu[lm]'`."
        raise ConfigError(explain("decoding", "ngram_model", "used with KenLM installed", path, mend)) from error
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm, kenlm.LanguageModel(str(path), config)
    except (OSError, RuntimeError) as error:
        mend = "Give a file that KenLM's `lmplz` or `build_binary` wrote."
        rule = "an n-gram model in ARPA or KenLM's binary form"
        raise ConfigError(explain("decoding", "ngram_model", rule, f"{path} ({_first_line(error)})", mend)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
