"""The recordings of FLEURS: out of its archives into ours, or named where they lie unpacked."""

import tarfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from fairseq_samu.data.corpora.clips import map_threads, measure_clip, place_clip
from fairseq_samu.data.corpora.fleurs_tables import TABLES, Release
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError, ConfigError, explain

Placed = tuple[str, int] | AudioError
"""What manifests name a recording, and its samples at 16 kHz; or why it cannot be read."""


def require_unpacked(releases: Sequence[Release]) -> None:
    """Refuse archives that nobody unpacked, since manifests cannot name a part of them.

    Raises:
        ConfigError: there are some; all are named.
    """
    packed = [
        str(release.archive(split).relative_to(release.folder.parent))
        for release in releases
        for split in TABLES
        if release.archive(split).is_file() and not release.recordings(split).is_dir()
    ]
    if packed:
        mend = "Unpack each where it lies (`tar -xzf test.tar.gz` in its folder audio), or give --copy."
        raise ConfigError(explain("--source", "recordings", "unpacked", ", ".join(packed), mend))


def place_recordings(
    release: Release, split: str, wanted: Collection[str], writer: CorpusWriter, absolute: bool, workers: int
) -> Iterator[tuple[str, Placed | None]]:
    """Decode the recordings of a split to measure them, and put them where manifests name them.

    Args:
        release: the language.
        split: ``train``, ``valid`` or ``test``.
        wanted: file names of those that are used.
        writer: takes copies where it has an archive.
        absolute: name files by absolute paths, not relative to the output.
        workers: threads that decode.

    Yields:
        File name of every recording there is, and its place; None for those that are not wanted.

    Raises:
        ConfigError: an archive is damaged.
    """
    folder, inside = release.recordings(split), f"{release.folder.name}/{TABLES[split]}"
    if folder.is_dir():
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
        yield from ((name, None) for name in names if name not in wanted)
        paths = (folder / name for name in names if name in wanted)
        for path, samples in map_threads(lambda path: measure_clip(path, path.name), paths, workers):
            if isinstance(samples, AudioError):
                yield path.name, samples
            else:
                yield path.name, (place_clip(writer, path, f"{inside}/{path.stem}", absolute), samples)
    elif release.archive(split).is_file():
        for name, content in _read_archive(release.archive(split)):
            yield name, _store(writer, f"{inside}/{name}", content) if name in wanted else None


def _store(writer: CorpusWriter, name: str, content: bytes) -> Placed:
    try:
        return writer.store(name, content)
    except AudioError as error:
        return error


def _read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """File names, without folders, and contents of an archive, each name once, one content in memory at a time."""
    seen: set[str] = set()
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if member.isfile() and name not in seen else None
                if file is not None:
                    seen.add(name)
                    yield name, file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ConfigError(explain("", str(path), "a whole archive", error, "Download it again.")) from error
