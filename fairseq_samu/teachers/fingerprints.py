"""Fingerprints of files and of facts, and versions of packages."""

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

BLOCK_BYTES = 1 << 20


def hash_file(path: Path) -> str:
    """Hash a file's bytes.

    Args:
        path: the file.

    Returns:
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def hash_facts(facts: Any) -> str:
    """Hash plain facts.

    Args:
        facts: anything that JSON can hold.

    Returns:
        SHA-256 over the JSON text with sorted keys, hexadecimal.
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def package_version(name: str) -> str:
    """Look up an installed package's version.

    Args:
        name: the distribution's name.

    Returns:
        Its version, or ``unknown`` where it is imported from a bare folder.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
