"""The tables of a Common Voice release, read row by row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, ManifestError, explain

_NEEDED = ("client_id", "path", "sentence")
_SPEAKER_DIGITS = 16  # of the 128 hexadecimal digits of a client_id


@dataclass(frozen=True, slots=True)
class Release:
    """A language's folder.

    Args:
        folder: holds the tables.
        lang: canonical code of the language.
    """

    folder: Path
    lang: str

    @property
    def clips(self) -> Path:
        """Folder of the recordings."""
        return self.folder / "clips"


@dataclass(frozen=True, slots=True)
class Clip:
    """A row of a table.

    Args:
        place: ``test.tsv:17``, the line of the row.
        path: file name inside ``clips``.
        sentence: what is read.
        speaker: short name of the speaker; empty where the corpus names none.
        fault: why the row cannot be used; empty where it can.
    """

    place: str
    path: str = ""
    sentence: str = ""
    speaker: str = ""
    fault: str = ""


def find_releases(source: Path, wanted: Sequence[str]) -> list[Release]:
    """Find the languages of a source.

    Args:
        source: a language's folder, or a folder of such folders.
        wanted: names of the folders to take; empty takes all.

    Returns:
        The languages, by name.

    Raises:
        ConfigError: where there is none, a wanted one is absent, or a folder's name is no known language.
    """
    single = (source / "validated.tsv").exists()
    folders = [source.resolve()] if single else sorted(path.parent for path in source.glob("*/validated.tsv"))
    absent = [name for name in wanted if name not in {folder.name for folder in folders}]
    if absent or not folders:
        rule = "a folder with validated.tsv and clips/, or a folder of such folders"
        name = ", ".join(absent) or str(source)
        raise ConfigError(explain("--source", name, rule, "not there", "Name another folder."))
    folders = [folder for folder in folders if not wanted or folder.name in wanted]
    unknown = [folder.name for folder in folders if canonical_language(folder.name) is None]
    if unknown:
        mend = "Name the folder as the corpus does, such as fr or zh-CN."
        raise ConfigError(explain("--source", "folder", "named by a language code", ", ".join(unknown), mend))
    return [Release(folder, canonical_language(folder.name) or "") for folder in folders]


def split_plain(line: str) -> list[str]:
    """Split a line into its cells; no character has a meaning but the tab."""
    return line.split("\t")


def read_clips(path: Path, split_line: Callable[[str], list[str]] = split_plain) -> Iterator[Clip]:
    """Read a table.

    Args:
        path: such as ``validated.tsv``.
        split_line: gives the cells of a line.

    Yields:
        Each row, those that cannot be used included, with their fault.

    Raises:
        ManifestError: where the header lacks a column that is needed.
    """
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            found = ", ".join(header)
            raise ManifestError(explain(f"{path}:1", ", ".join(missing), "in the header", found, "Download it again."))
        for number, line in enumerate(file, 2):
            if line.strip():
                yield _clip(f"{path.parent.name}/{path.name}:{number}", line, header, split_line)


def _clip(place: str, line: bytes, header: list[str], split_line: Callable[[str], list[str]]) -> Clip:
    try:
        values = split_line(line.decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        return Clip(place, fault="not UTF-8")
    if len(values) != len(header):
        return Clip(place, fault="wrong number of columns")
    row = dict(zip(header, values, strict=True))
    name, sentence = row["path"].strip(), row["sentence"].strip()
    if not name:
        return Clip(place, sentence=sentence, fault="empty path")
    if "." not in name:
        name += ".mp3"
    if "/" in name or "\\" in name or name.startswith("."):
        return Clip(place, name, sentence, fault="path that leads out of clips/")
    if not sentence:
        return Clip(place, name, fault="empty sentence")
    return Clip(place, name, sentence, row["client_id"].strip()[:_SPEAKER_DIGITS])


def read_durations(folder: Path) -> dict[str, float]:
    """Read ``clip_durations.tsv``, which later releases have: a file name and milliseconds a line.

    Args:
        folder: of the language.

    Returns:
        Seconds of each clip; empty where the release has none. Lines without a number are skipped, because clips are
        measured anyway.
    """
    path = folder / "clip_durations.tsv"
    durations: dict[str, float] = {}
    if path.exists():
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                name, _, value = line.rstrip("\r\n").partition("\t")
                if value.strip().isdigit():
                    durations[name] = int(value) / 1000
    return durations
