"""What turns the host's strings of symbols into plain text, in the place of its subword tools."""

from collections.abc import Callable


class SymbolJoiner:
    """Joins symbols that the host's dictionary wrote.

    Args:
        join: turns symbols with spaces between them into text.
    """

    def __init__(self, join: Callable[[str], str]) -> None:
        self._join = join

    def decode(self, symbols: str) -> str:
        """Join symbols with spaces between them."""
        return self._join(symbols)
