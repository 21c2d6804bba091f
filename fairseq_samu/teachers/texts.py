"""What makes two texts the same text for a teacher: their normal form and its hash."""

import hashlib
import unicodedata
from collections.abc import Iterable

import numpy as np

KEY_BYTES = 16


def normalise_text(text: str) -> str:
    """Bring a text to the form that is embedded and hashed.

    Args:
        text: any text.

    Returns:
        The text in Unicode's composed form (NFC), runs of white space as one blank, none at the ends. Case and
        punctuation stay, as teachers read them.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def hash_texts(texts: Iterable[str]) -> np.ndarray:
    """Hash texts by their normal form.

    Args:
        texts: N texts, normalised here.

    Returns:
        Keys (N, 2) uint64, the two halves of a 128-bit BLAKE2b digest, so that they sort and compare in numpy.
    """
    digests = b"".join(
        # Lone surrogates can come out of a damaged file; they must hash, not crash.
        hashlib.blake2b(normalise_text(text).encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
        for text in texts
    )
    return np.frombuffer(digests, dtype="<u8").reshape(-1, 2).astype(np.uint64)


class KeyIndex:
    """Position of each key in a list of keys, found by binary search over whole arrays.

    Args:
        keys: (N, 2) uint64, all different.
    """

    def __init__(self, keys: np.ndarray):
        self._order = np.argsort(keys[:, 0], kind="stable")
        self._high = keys[self._order, 0]
        self._low = keys[self._order, 1]

    def __len__(self) -> int:
        return len(self._order)

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Find keys.

        Args:
            keys: (M, 2) uint64.

        Returns:
            Positions (M,) int64, -1 where a key is absent.
        """
        positions = np.full(len(keys), -1, dtype=np.int64)
        if not len(self) or not len(keys):
            return positions
        places = np.minimum(np.searchsorted(self._high, keys[:, 0]), len(self) - 1)
        found = (self._high[places] == keys[:, 0]) & (self._low[places] == keys[:, 1])
        positions[found] = self._order[places[found]]
        return positions
