"""Names between commas, as options of several corpora take them."""

from collections.abc import Collection

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, explain


def split_names(names: str) -> list[str]:
    """Split names that stand between commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def choose_languages(wanted: str, there: Collection[str], option: str) -> set[str]:
    """Choose some of the languages of speech of a source.

    Args:
        wanted: codes, by commas; empty chooses all.
        there: canonical codes of the source.
        option: name of the option, for messages.

    Returns:
        Canonical codes.

    Raises:
        ConfigError: where the source lacks one.
    """
    chosen = {canonical_language(name) or name for name in split_names(wanted)}
    absent = sorted(chosen - set(there))
    if absent:
        rule = f"languages of speech of the pairs ({' '.join(sorted(set(there)))})"
        raise ConfigError(explain(option, "language", rule, ", ".join(absent), "Change it."))
    return chosen or set(there)
