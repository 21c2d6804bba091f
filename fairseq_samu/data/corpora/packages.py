"""Debian packages as a source of speech: found, fetched and unpacked without root rights."""

import gzip
import io
import logging
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from fairseq_samu.errors import ConfigError, explain

logger = logging.getLogger(__name__)
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60


def fetch_packages(names: Sequence[str], cache: Path) -> Path:
    """Download Debian packages with ``apt-get download``, which needs no root rights.

    Args:
        names: packages; those whose file is in the cache already are not fetched again.
        cache: folder for the ``.deb`` files.

    Returns:
        The cache folder.

    Raises:
        ConfigError: where there is no ``apt-get``, or it fails.
    """
    cache.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not any(cache.glob(f"{name}_*.deb"))]
    if not missing:
        return cache
    mend = f"Download the Debian packages {', '.join(missing)} elsewhere and name their folder with --source."
    if shutil.which("apt-get") is None:
        raise ConfigError(explain("", "apt-get", "installed to download packages", "missing", mend))
    logger.info("downloading %s", ", ".join(missing))
    done = subprocess.run(["apt-get", "download", *missing], cwd=cache, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(explain("", "apt-get download", "able to fetch the packages", done.stderr.strip(), mend))
    return cache


def unpack_packages(source: Path, names: Sequence[str], into: Path) -> Path:
    """Make one tree of the packages of a folder, or take the folder as the tree that it is.

    Args:
        source: folder that holds ``NAME_*.deb`` files, or their unpacked contents (one tree, or one tree a package).
        names: packages to unpack where files of them are there.
        into: folder for the unpacked contents.

    Returns:
        Folder to search for the corpus's files.

    Raises:
        ConfigError: where the folder does not exist.
    """
    if not source.is_dir():
        raise ConfigError(
            explain("--source", "folder", "an existing folder", source, "Name the folder of the packages.")
        )
    archives = [path for name in names for path in sorted(source.glob(f"{name}_*.deb"))[-1:]]
    if not archives:
        return source
    into.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        _unpack(archive, into)
    return into


def _unpack(archive: Path, into: Path) -> None:
    if shutil.which("dpkg-deb"):
        done = subprocess.run(["dpkg-deb", "-x", archive, into], capture_output=True, text=True, check=False)
        if done.returncode:
            fault = done.stderr.strip()
            raise ConfigError(explain(str(archive), "package", "a whole Debian package", fault, "Download it again."))
        return
    name, data = _data_member(archive)
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(into, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        mend = "Install dpkg, or unpack the package elsewhere."
        raise ConfigError(explain(str(archive), name, "a tar archive that Python reads", error, mend)) from error


def _data_member(archive: Path) -> tuple[str, bytes]:
    """Read the ``data.tar.*`` member of a Debian package, which is an ``ar`` archive (deb(5))."""
    content = archive.read_bytes()
    at = len(_AR_MAGIC)
    while content.startswith(_AR_MAGIC) and at + _AR_HEADER <= len(content):
        name = content[at : at + 16].decode("ascii", "replace").strip().rstrip("/")
        size = int(content[at + 48 : at + 58].decode("ascii", "replace").strip() or 0)
        at += _AR_HEADER
        if name.startswith("data.tar") and at + size <= len(content):
            return name, content[at : at + size]
        at += size + size % 2
    raise ConfigError(
        explain(str(archive), "package", "a whole Debian package", "cut or damaged", "Download it again.")
    )


def read_document(tree: Path, package: str, name: str) -> str | None:
    """Read a file of a package's documentation, plain or compressed.

    Args:
        tree: folder that holds the unpacked packages.
        package: name of the package.
        name: file name without ``.gz``.

    Returns:
        Its text (UTF-8, byte-order mark removed), or None where the tree has none.
    """
    for path in sorted(tree.glob(f"**/usr/share/doc/{package}/{name}*")):
        if path.name == f"{name}.gz":
            return gzip.decompress(path.read_bytes()).decode("utf-8-sig")
        if path.name == name:
            return path.read_text(encoding="utf-8-sig")
    return None
