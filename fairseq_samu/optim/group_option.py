"""Options that give values to parameter groups, such as ``encoder=0.01,head.pooling=0.1``."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from fairseq_samu.errors import ConfigError, explain, report_all

Value = TypeVar("Value")


def read_number(text: str) -> float:
    """Read a finite number, and NaN from anything else, which is in no range."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


@dataclass(frozen=True)
class GroupOption(Generic[Value]):
    """An option with a value for each of some parameter groups.

    Attributes:
        name: of the option, as in the configuration.
        rule: what a value must be, in words.
        read: gives a value from its text.
        allows: tells whether a value keeps the rule.
        example: of the option's text.
    """

    name: str
    rule: str
    read: Callable[[str], Value]
    allows: Callable[[Value], bool]
    example: str

    @property
    def mend(self) -> str:
        """What a user can do about a fault, as a sentence."""
        return f"Set --{self.name.replace('_', '-')}, such as {self.example}."

    def parse(self, text: str) -> dict[str, Value]:
        """Read ``GROUP=VALUE`` pairs, separated by commas.

        Args:
            text: the option; empty gives no pair.

        Returns:
            Values by what stands before ``=``.

        Raises:
            ConfigError: with every pair that breaks the rule or names a group again.
        """
        values: dict[str, Value] = {}
        faults = []
        for pair in filter(None, (part.strip() for part in text.split(","))):
            group, equals, written = (part.strip() for part in pair.partition("="))
            if not equals or not group or not self.allows(self.read(written)):
                faults.append(explain("", self.name, f"GROUP=VALUE pairs, each value {self.rule}", pair, self.mend))
            elif group in values:
                faults.append(explain("", self.name, "pairs that name each group once", pair, self.mend))
            else:
                values[group] = self.read(written)
        if faults:
            raise ConfigError(report_all(faults))
        return values

    def find_unknown(self, values: Mapping[str, Value], groups: Iterable[str]) -> list[str]:
        """Word a fault for each key that is neither a group nor the first parts of one.

        Args:
            values: as :meth:`parse` gives them.
            groups: names of all groups of tuned parameters.

        Returns:
            The faults, each of which lists the groups.
        """
        names = list(dict.fromkeys(groups))
        listed = ", ".join(dict.fromkeys(re.sub(r"\.\d+$", ".N", name) for name in names))
        rule = f"of groups of tuned parameters, or of their first parts ({listed})"
        unknown = (key for key in values if not any(_covers(key, name) for name in names))
        return [explain("", self.name, rule, key, self.mend) for key in unknown]


def find_key(group: str, keys: Iterable[str]) -> str:
    """Find the key that a group goes by: itself, or else the longest that it continues after a dot.

    Args:
        group: such as ``encoder.layer.3``.
        keys: such as ``encoder`` and ``encoder.layer``.

    Returns:
        The key, or an empty string where there is none.
    """
    return max((key for key in keys if _covers(key, group)), key=len, default="")


def _covers(key: str, group: str) -> bool:
    return group == key or group.startswith(f"{key}.")
