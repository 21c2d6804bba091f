"""Who is held out, and the proof that nothing of it stands in training: splits go by what is said, never by file."""

import hashlib
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping

from fairseq_samu.errors import ManifestError, report_all

SPLITS = ("train", "valid", "test")
"""A corpus may have more held-out splits, named by one of these and a suffix: ``test_he``, ``valid_other``."""

_DIACRITICS = range(0x0300, 0x0370)


class _Characters(dict[int, int | str | None]):
    """What becomes of a character, worked out when it is first met: letters, marks and digits stay."""

    def __missing__(self, code: int) -> int | str | None:
        is_kept = unicodedata.category(chr(code))[0] in "LMN"
        self[code] = None if code in _DIACRITICS else code if is_kept else " "
        return self[code]


_CHARACTERS = _Characters()


def kind_of(split: str) -> str:
    """Which of ``SPLITS`` a split is one of: ``test`` for ``test_he``."""
    return split.partition("_")[0]


def normalise_for_leaks(text: str) -> str:
    """Reduce a text to what makes it the same sentence as another one.

    Stricter than the teacher's normalisation on purpose: case, punctuation, spacing and the accents of Latin, Greek and
    Cyrillic letters do not count, because corpora write the same words with and without them.

    Args:
        text: any text.

    Returns:
        Its letters and digits in lower case, words joined by one space; empty where nothing is left.
    """
    kept = unicodedata.normalize("NFKD", text).casefold().translate(_CHARACTERS)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def hash_order(keys: Iterable[str], salt: str) -> list[str]:
    """Order keys by a hash, so that the order depends on nothing but the keys.

    Args:
        keys: names to order; repetitions are dropped.
        salt: name of the corpus, so that two corpora with equal keys are ordered differently.

    Returns:
        The keys by rising SHA-256 of ``salt/key``.
    """
    return sorted(set(keys), key=lambda key: hashlib.sha256(f"{salt}/{key}".encode()).digest())


def split_by_hash(sizes: Mapping[str, int], test: int, valid: int, salt: str) -> dict[str, str]:
    """Fill the test split, then the validation split, with whole groups in hash order; the rest is training.

    Args:
        sizes: number of items in each group; a group (an item, a game level) is never divided.
        test: items wanted for testing; filling stops at the first group that reaches it.
        valid: items wanted for validation, likewise.
        salt: as in :func:`hash_order`.

    Returns:
        Split of each group.
    """
    splits = dict.fromkeys(sizes, "train")
    wanted = {"test": test, "valid": valid}
    filled = {"test": 0, "valid": 0}
    for key in hash_order(sizes, salt):
        name = next((split for split in ("test", "valid") if filled[split] < wanted[split]), None)
        if name is None:
            break
        splits[key] = name
        filled[name] += sizes[key]
    return splits


def group_by_text(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join items that share a normalised text, directly or through other items.

    Args:
        texts: pairs of an item and one of its texts, in any language.

    Returns:
        For each item the smallest item of its group.
    """
    parent: dict[str, str] = {}
    first_with: dict[str, str] = {}

    def root(item: str) -> str:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for item, text in texts:
        parent.setdefault(item, item)
        normal = normalise_for_leaks(text)
        if normal:
            ends = sorted((root(item), root(first_with.setdefault(normal, item))))
            parent[ends[1]] = ends[0]
    return {item: root(item) for item in parent}


def text_key(text: str) -> bytes:
    """Fold a normalised text into 16 bytes, so that millions of them fit in memory.

    Args:
        text: any text.

    Returns:
        Digest of its normal form; empty where the normal form is empty, because silence leaks nothing.
    """
    normal = normalise_for_leaks(text)
    return hashlib.blake2b(normal.encode(), digest_size=16).digest() if normal else b""


def find_leaks(held_out: Iterable[tuple[str, str]], training: Iterable[tuple[str, str]]) -> list[str]:
    """Name every text of training that also stands among the held-out texts, whatever its language.

    Args:
        held_out: pairs of a place (``test.tsv:3``) and a text.
        training: the same for the texts that are learned from.

    Returns:
        One message a leak; empty where there is none.
    """
    places = {text_key(text): place for place, text in held_out}
    places.pop(b"", None)
    if not places:
        deque(training, maxlen=0)  # reading finds every fault of its files
        return []
    leaks = []
    for place, text in training:
        origin = places.get(text_key(text))
        if origin is not None:
            leaks.append(f"{place}: the text '{text}' is held out by {origin}")
    return leaks


def require_no_leaks(texts: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Refuse splits of which one holds words of another that must not know them.

    Args:
        texts: for each split its pairs of place and text, of which only the held-out ones are kept in memory. Test is
            kept out of validation and training, validation out of training.

    Raises:
        ManifestError: where a text stands in two splits; the places are named.
    """
    test, valid = list(texts.get("test", ())), list(texts.get("valid", ()))
    leaks = find_leaks(test, valid) + find_leaks([*valid, *test], texts.get("train", ()))
    if leaks:
        raise ManifestError(report_all([f"{len(leaks)} held-out texts stand in another split.", *leaks]))
