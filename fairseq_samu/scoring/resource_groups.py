"""Groups of languages by how much there is to learn from, and the gap between the first and the last (TRFGap).

The groups are those of CoVoST-2 by hours of labelled speech: more than 100, 10 to 100, less than 10 (arXiv:2306.00789,
section V-B).
"""

from collections.abc import Mapping, Sequence
from typing import Optional

from fairseq_samu.errors import ConfigError, explain

Groups = dict[str, tuple[str, ...]]

COVOST2_GROUPS: Groups = {
    "high": ("fr", "de", "es", "ca"),
    "mid": ("it", "ru", "zh", "pt", "fa"),
    "low": ("nl", "tr", "et", "mn", "ar", "sv", "lv", "sl", "ta", "ja", "id", "cy"),
}
_EXAMPLE = "Example: --groups 'seen=nl,de;unseen=cs'"


def parse_groups(text: str) -> Groups:
    """Read groups such as ``seen=nl,de;unseen=cs``: source languages, or pairs as in ``cs-en``.

    Raises:
        ConfigError: the form is another one, or a language stands twice.
    """
    groups: Groups = {}
    for part in text.split(";"):
        name, equals, members = (item.strip() for item in part.partition("="))
        languages = tuple(item.strip() for item in members.split(","))
        if not (name and equals and all(languages)) or name in groups:
            raise ConfigError(explain("", "--groups", "NAME=LANGUAGE,... with `;` between groups", text, _EXAMPLE))
        groups[name] = languages
    listed = [language for languages in groups.values() for language in languages]
    twice = sorted({language for language in listed if listed.count(language) > 1})
    if twice:
        raise ConfigError(explain("", "--groups", "groups without a common language", ", ".join(twice), _EXAMPLE))
    return groups


def assign_pairs(pairs: Sequence[str], groups: Groups) -> dict[str, list[str]]:
    """Pairs of each group; a group that names a pair takes it before one that names its source language.

    Args:
        pairs: names such as ``fr-en``.
        groups: source languages or pairs by group.

    Returns:
        Group to its pairs, in the order of the groups; a group without any has an empty list.
    """
    found: dict[str, list[str]] = {name: [] for name in groups}
    for pair in pairs:
        for key in (pair, pair.partition("-")[0]):
            name = next((name for name, members in groups.items() if key in members), None)
            if name is not None:
                found[name].append(pair)
                break
    return found


def missing_members(members: Sequence[str], pairs: Sequence[str]) -> list[str]:
    """Members of a group that no pair stands for, so that its mean is not that of the whole group."""
    present = set(pairs) | {pair.partition("-")[0] for pair in pairs}
    return [member for member in members if member not in present]


def require_pairs(assigned: Mapping[str, Sequence[str]], pairs: Sequence[str], groups: Groups) -> None:
    """Refuse groups of the user's that do not fit the data.

    Raises:
        ConfigError: a group, or a member of one, stands for no pair.
    """
    for name, found in assigned.items():
        absent = missing_members(groups[name], found)
        if absent:
            rule = f"languages of the data ({', '.join(pairs)})"
            raise ConfigError(explain("--groups", name, rule, ", ".join(absent), _EXAMPLE))


def gap_ends(assigned: Mapping[str, Sequence[str]]) -> Optional[tuple[str, str]]:
    """Names of the first and the last group, between which the gap is; None unless both have pairs."""
    names = list(assigned)
    if len(names) < 2 or not assigned[names[0]] or not assigned[names[-1]]:
        return None
    return names[0], names[-1]
