"""Which of a model's named adapters each row goes through: that of its domain, of its language, or none."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.errors import ConfigError, explain

logger = logging.getLogger(__name__)
POLICIES = ("error", "base", "nearest")
BASE = -1
"""Number of the base alone: a row that has it goes through no adapter."""
UNRELATED = 80
"""CLDR's distance of languages that it knows no relation of; scripts and territories only add to it."""


class AdapterRoutes:
    """Finds the adapter of a language or domain.

    Args:
        names: of the model's adapters, in the order of their numbers; languages by any code that ``language_codes``
            knows, or domains by any name.
        policy: what a language without adapter gets: ``error``; ``base``, the model without adapters; or ``nearest``,
            the adapter of the language that is closest by CLDR's distance (Unicode Technical Standard 35, "Enhanced
            Language Matching"; the smaller of both directions): what a reader of the one would best be served with. It
            knows neighbours such as Belarusian and Russian or Catalan and Spanish, yet no kinship of sounds. Where it
            knows none, and for domains, the base stays.

    Raises:
        ConfigError: the policy is not known.
    """

    def __init__(self, names: Sequence[str], policy: str = "error") -> None:
        if policy not in POLICIES:
            mend = "Set --missing-adapter."
            raise ConfigError(explain("", "missing_adapter", f"one of {', '.join(POLICIES)}", policy, mend))
        self.names = list(names)
        self.policy = policy
        self._exact = {name: number for number, name in enumerate(self.names)}
        self._languages: dict[str, int] = {}
        for number, name in enumerate(self.names):
            language = canonical_language(name)
            if language is not None:
                self._languages.setdefault(language, number)
        self._chosen: dict[str, int] = {}

    def find(self, name: str) -> int | None:
        """Number of the adapter of a language or domain; None where there is none of its own."""
        if name in self._exact:
            return self._exact[name]
        return self._languages.get(canonical_language(name) or "")

    def number_of(self, name: str) -> int:
        """Number of the adapter that serves a language or domain; -1 for the base.

        Args:
            name: code of a language, or name of a domain; empty where neither is known.

        Raises:
            ConfigError: there is none, and the policy allows no other.
        """
        number = self.find(name)
        if number is not None:
            return number
        if self.policy == "error":
            raise ConfigError(self.explain_missing({name: 0}))
        if name not in self._chosen:
            self._chosen[name] = self._nearest(name) if self.policy == "nearest" else BASE
            self._tell(name, self._chosen[name])
        return self._chosen[name]

    def explain_missing(self, rows: Mapping[str, int], where: str = "") -> str:
        """Word the fault of languages and domains without adapter.

        Args:
            rows: how many rows each has; 0 where they are not counted.
            where: manifests, for the message.
        """
        named = (
            f"{name or 'of no known language'}{f' ({count} rows)' if count else ''}" for name, count in rows.items()
        )
        rule = f"of languages or domains with an adapter ({', '.join(self.names)})"
        mend = (
            "Train or add such adapters, name others in the column `adapter`, or set --missing-adapter to base (no "
            "adapter) or nearest (that of the closest language)."
        )
        return explain(where, "adapter", rule, ", ".join(named), mend)

    def _nearest(self, name: str) -> int:
        from langcodes import tag_distance

        language = canonical_language(name)
        if language is None or not self._languages:
            return BASE
        distances = {
            number: min(tag_distance(language, other), tag_distance(other, language))
            for other, number in self._languages.items()
        }
        best = min(distances, key=lambda number: (distances[number], number))
        return best if distances[best] < UNRELATED else BASE

    def _tell(self, name: str, number: int) -> None:
        shown = name or "rows of no known language"
        if number != BASE:
            logger.info(f"{shown}: uses adapter {self.names[number]}")
        else:
            near = "; no adapter is near" if self.policy == "nearest" else ""
            logger.warning(f"{shown}: uses the base without adapter{near}")


@dataclass(frozen=True)
class RowNames:
    """What each row of a manifest asks an adapter for.

    Attributes:
        names: languages and domains, each once.
        ids: (R,) int64 index into ``names`` of each row; -1 for rows that are not used.
    """

    names: list[str]
    ids: NDArray[np.int64]

    @classmethod
    def read(cls, manifest: Manifest, rows: Iterable[int], language_of: Callable[[int], str]) -> "RowNames":
        """Look rows up: the column ``adapter`` comes first, the language where that is absent or empty.

        Args:
            manifest: of the rows.
            rows: those that are used.
            language_of: language of a row.
        """
        found: dict[str, int] = {}
        ids = np.full(len(manifest), -1, dtype=np.int64)
        has_column = "adapter" in manifest.columns
        for row in rows:
            name = (manifest[row].adapter if has_column else None) or language_of(row)
            ids[row] = found.setdefault(name, len(found))
        return cls(list(found), ids)

    def count(self) -> Counter[str]:
        """Rows of each name."""
        counts = np.bincount(self.ids[self.ids >= 0], minlength=len(self.names))
        return Counter(dict(zip(self.names, counts.tolist(), strict=True)))

    def route(self, routes: AdapterRoutes) -> NDArray[np.int64]:
        """Numbers (R,) int64 of the adapters; -1 for the base, and for rows that are not used.

        Raises:
            ConfigError: a name has no adapter, and the policy allows no other.
        """
        numbers = np.array([*(routes.number_of(name) for name in self.names), BASE], dtype=np.int64)
        return numbers[self.ids]
