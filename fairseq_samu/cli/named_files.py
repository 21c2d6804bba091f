"""Options such as `--baseline NAME=FILE`."""

from pathlib import Path

from fairseq_samu.errors import ConfigError, explain


def split_named_file(option: str, text: str) -> tuple[str, Path]:
    """Split NAME=FILE at the first equals sign.

    Args:
        option: its name, for the message.
        text: what was given.

    Raises:
        ConfigError: name or file is empty.
    """
    name, _, path = text.partition("=")
    if not (name and path):
        raise ConfigError(explain("", option, "NAME=FILE", text, f"Example: {option} before=before.txt"))
    return name, Path(path)
