"""Embeddings that some other program computed: ``FILE.npy`` (N, D) and, line by line, the N texts they belong to.

The texts stand in ``FILE.txt`` beside the array, or in another file that the spec names: UTF-8, one text a line, line i
for row i. A text is found by its normal form, so differences of white space and Unicode composition do not matter. Two
lines of the same text must have the same vector.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fairseq_samu.errors import TeacherError, explain
from fairseq_samu.teachers.fingerprints import hash_facts, hash_file
from fairseq_samu.teachers.texts import KeyIndex, hash_texts, normalise_text

MISSING_SHOWN = 10


class PrecomputedEncoder:
    """A teacher that knows a fixed list of texts; the vectors stay on disk (memory-mapped).

    Args:
        vectors: file of an array (N, D) of floats.
        texts: file of N lines.

    Raises:
        TeacherError: a file is missing or damaged, or the two do not fit.
    """

    def __init__(self, vectors: Path, texts: Path):
        self._place = str(vectors)
        self._vectors = _map_vectors(vectors)
        keys = hash_texts(_read_lines(texts))
        if len(keys) != len(self._vectors):
            mend = "Line i holds the text of row i."
            raise TeacherError(explain(str(texts), "texts", f"{len(self._vectors)} lines", f"{len(keys)}", mend))
        self._index = KeyIndex(keys)
        self._refuse_ambiguity(keys, texts)
        self.dim = int(self._vectors.shape[1])
        self.versions = {f"sha256 of {path.name}": hash_file(path) for path in (vectors, texts)}
        self.fingerprint = "npy-" + hash_facts(list(self.versions.values()))[:16]

    @classmethod
    def open(cls, place: str) -> "PrecomputedEncoder":
        """Open what a spec names.

        Args:
            place: ``FILE.npy`` (texts in FILE.txt) or ``FILE.npy,TEXTS.txt``.

        Returns:
            The teacher.
        """
        vectors, comma, texts = place.partition(",")
        return cls(Path(vectors), Path(texts) if comma else Path(vectors).with_suffix(".txt"))

    def require(self, texts: Iterable[str]) -> None:
        """Make sure that every text has a vector.

        Args:
            texts: what is going to be embedded.

        Raises:
            TeacherError: some have none; says how many and shows the first ten.
        """
        wanted = list(texts)
        rows = self._index.find(hash_texts(wanted))
        missing = list(dict.fromkeys(normalise_text(wanted[int(at)]) for at in np.nonzero(rows < 0)[0]))
        if not missing:
            return
        shown = "\n".join(f"  {text!r}" for text in missing[:MISSING_SHOWN])
        more = f"\n  and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
        mend = "Add their vectors, or embed with a teacher that knows them."
        fault = explain(self._place, "precomputed vectors", "complete", f"lacking {len(missing)} texts", mend)
        raise TeacherError(f"{fault}\n{shown}{more}")

    def encode(self, texts: list[str]) -> np.ndarray:
        """Look up sentences.

        Args:
            texts: B sentences.

        Returns:
            (B, D) float32, as the file holds them.

        Raises:
            TeacherError: the file lacks some.
        """
        rows = self._index.find(hash_texts(texts))
        if len(rows) and rows.min() < 0:
            self.require(texts)
        return np.asarray(self._vectors[rows], dtype=np.float32)

    def _refuse_ambiguity(self, keys: np.ndarray, texts: Path) -> None:
        first = self._index.find(keys)
        for row in np.nonzero(first != np.arange(len(keys)))[0]:
            if not np.array_equal(self._vectors[row], self._vectors[first[row]], equal_nan=True):
                value = f"of two vectors (lines {first[row] + 1} and {row + 1})"
                mend = "Keep one of the two rows."
                raise TeacherError(explain(f"{texts}:{row + 1}", "text", "one of a single vector", value, mend))


def _map_vectors(path: Path) -> np.ndarray:
    mend = "Give an array that `numpy.save` wrote."
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TeacherError(explain(str(path), "vectors", "a readable .npy file", reason, mend)) from error
    is_array = isinstance(vectors, np.ndarray)
    if not is_array or vectors.ndim != 2 or vectors.dtype.kind != "f" or not vectors.shape[1]:
        value = f"{vectors.dtype} {vectors.shape}" if is_array else "an archive"
        raise TeacherError(explain(str(path), "vectors", "floats of shape (N, D)", value, mend))
    return vectors


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mend = "Put the texts there, one a line."
        raise TeacherError(explain(str(path), "texts", "a readable UTF-8 file", reason, mend)) from error
    # Only LF and CRLF end a line: other line separators of Unicode may stand in a text.
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
