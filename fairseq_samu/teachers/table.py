"""The table of a teacher's embeddings on disk: read, checked and looked up by text."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fairseq_samu.errors import TeacherError, explain
from fairseq_samu.teachers.fingerprints import hash_facts
from fairseq_samu.teachers.table_files import TableMeta, list_shards, read_array, read_mean, read_meta
from fairseq_samu.teachers.texts import KeyIndex, hash_texts, normalise_text

MISSING_SHOWN = 10
SMALLEST_LENGTH = 1e-12


class EmbeddingTable:
    """Embeddings of texts, found by a hash of their normal form; the vectors stay on disk (memory-mapped).

    Vectors are stored as the teacher gave them; centring and normalisation, as the table records them, happen at
    look-up. A table can be pickled (it is opened again where it is unpickled) and shared over a fork.

    Args:
        directory: where the table lies.
        meta: what its meta.json says.
    """

    def __init__(self, directory: Path, meta: TableMeta):
        shards = list_shards(directory)
        self.directory = directory
        self.meta = meta
        self.dim = meta.dim
        self.teacher_fingerprint = meta.fingerprint
        self.mean = read_mean(directory, meta.dim) if meta.center else None
        mean_facts = None if self.mean is None else self.mean.tobytes().hex()
        facts = [meta.fingerprint, meta.dtype, meta.center, meta.normalize, mean_facts]
        self.fingerprint = f"{meta.fingerprint}-{hash_facts(facts)[:8]}"
        self._vectors = [read_array(shard.vectors) for shard in shards]
        keys = [np.asarray(read_array(shard.keys)) for shard in shards]
        for shard, vectors, rows in zip(shards, self._vectors, keys, strict=True):
            if vectors.shape != (len(rows), self.dim):
                mend = "Delete this shard and run `fairseq-samu embed` again."
                raise TeacherError(
                    explain(str(shard.vectors), "shape", f"({len(rows)}, {self.dim})", vectors.shape, mend)
                )
        self._starts = np.cumsum([0] + [len(rows) for rows in keys])
        self._index = KeyIndex(np.concatenate(keys) if keys else np.zeros((0, 2), dtype=np.uint64))

    @classmethod
    def open(cls, directory: str | Path) -> "EmbeddingTable":
        """Open a finished table.

        Args:
            directory: what ``fairseq-samu embed --output`` wrote.

        Returns:
            The table.

        Raises:
            TeacherError: no table is there, or it is unfinished or damaged.
        """
        directory = Path(directory)
        meta = read_meta(directory)
        if meta is None or not meta.complete:
            value = "unfinished" if meta else "without meta.json"
            mend = "Run `fairseq-samu embed` (it goes on where it stopped)."
            raise TeacherError(explain(str(directory), "teacher table", "a finished table", value, mend))
        return cls(directory, meta)

    def __reduce__(self) -> tuple:
        # Pickling memory maps would copy all vectors into every worker.
        return (EmbeddingTable.open, (str(self.directory),))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def find(self, texts: Iterable[str]) -> np.ndarray:
        """Find the rows of texts, to be kept and given to :meth:`take` again and again.

        Args:
            texts: B texts, in any form.

        Returns:
            Rows (B,) int64, -1 where the table lacks a text.
        """
        return self._index.find(hash_texts(texts))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Read rows.

        Args:
            rows: (B,) int64 of :meth:`find`, none of them -1.

        Returns:
            (B, D) float32, centred and normalised as the table records.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows must lie in [0, {len(self)}), but span [{rows.min()}, {rows.max()}]")
        taken = np.empty((len(rows), self.dim), dtype=np.float32)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for owner in np.unique(owners):
            chosen = np.nonzero(owners == owner)[0]
            taken[chosen] = self._vectors[owner][rows[chosen] - self._starts[owner]]
        if self.mean is not None:
            taken -= self.mean
        if self.meta.normalize:
            taken /= np.maximum(np.linalg.norm(taken, axis=1, keepdims=True), SMALLEST_LENGTH)
        return taken

    def lookup(self, texts: Sequence[str]) -> np.ndarray:
        """Look up texts.

        Args:
            texts: B texts.

        Returns:
            (B, D) float32, centred and normalised as the table records.

        Raises:
            TeacherError: the table lacks some; the count and the first ten are named.
        """
        rows = self.find(texts)
        if len(rows) and rows.min() < 0:
            self.require(texts)
        return self.take(rows)

    def missing(self, texts: Iterable[str]) -> list[str]:
        """List the texts that have no embedding.

        Args:
            texts: any texts; duplicates are looked up once.

        Returns:
            Their normal forms, each once, in the order of first sight.
        """
        unique = list(dict.fromkeys(normalise_text(text) for text in texts))
        rows = self.find(unique)
        return [text for text, row in zip(unique, rows, strict=True) if row < 0]

    def require(self, texts: Iterable[str], where: str = "") -> None:
        """Make sure that every text has an embedding.

        Args:
            texts: what training or scoring is going to look up.
            where: the manifest they come from, for the message.

        Raises:
            TeacherError: some have none; says how many and shows the first ten.
        """
        missing = self.missing(texts)
        if not missing:
            return
        shown = "\n".join(f"  {text!r}" for text in missing[:MISSING_SHOWN])
        more = f"\n  and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
        mend = f"Run `fairseq-samu embed` on the manifest with `--output {self.directory}`; it adds what is missing."
        thing = explain(where, "teacher table", "complete", f"{self.directory}, lacking {len(missing)} texts", mend)
        raise TeacherError(f"{thing}\n{shown}{more}")
