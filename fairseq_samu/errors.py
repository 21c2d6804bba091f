"""The package's errors: each one says where, which rule was broken, by which value, and how to mend it."""

from collections.abc import Iterable, Sequence

FAULTS_SHOWN = 20


class SamuError(ValueError):
    """Base of every error that a user's input can cause; the command line prints it without a traceback."""


class ManifestError(SamuError):
    """A manifest breaks a rule of its schema."""


class ConfigError(SamuError):
    """An option, or a combination of options, cannot work."""


class AudioError(SamuError):
    """A recording cannot be read, or holds nothing that can be used."""


class CheckpointError(SamuError):
    """A file of weights is damaged, unsafe, or does not fit the model."""


class TeacherError(SamuError):
    """A sentence encoder or its table of embeddings cannot serve the texts asked of it."""


def explain(where: str, thing: str, rule: str, value: object, mend: str) -> str:
    """Word a fault the way every message of this package is worded.

    Args:
        where: place of the fault, such as ``train.tsv:17`` or an option's name; may be empty.
        thing: name of what is wrong.
        rule: what it must be.
        value: what it is instead.
        mend: what the user can do about it, as a sentence.

    Returns:
        ``WHERE: `thing` must be RULE, but is 'VALUE' instead. MEND``
    """
    prefix = f"{where}: " if where else ""
    return f"{prefix}`{thing}` must be {rule}, but is '{value}' instead. {mend}".rstrip()


def report_all(faults: Sequence[str] | Iterable[str], limit: int = FAULTS_SHOWN) -> str:
    """Join faults into one message of at most ``limit`` lines and a count of the rest.

    Args:
        faults: worded faults, in the order of their places.
        limit: how many are shown.

    Returns:
        One fault a line, followed by ``and N more`` where the list was cut.
    """
    listed = list(faults)
    shown = listed[:limit]
    if len(listed) > limit:
        shown.append(f"and {len(listed) - limit} more")
    return "\n".join(shown)
