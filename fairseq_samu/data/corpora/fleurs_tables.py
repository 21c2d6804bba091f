"""The tables of FLEURS: which sentence each recording reads, language by language.

As the corpus's published readers have it (fleurs.py of google/fleurs on the Hugging Face hub, and xtreme_s.py of
TensorFlow Datasets for the archives FLEURS102): a folder for each language such as ``be_by`` with ``train.tsv``,
``dev.tsv`` and ``test.tsv``, which have no header, no quoting and seven columns: id, file name, raw transcription,
transcription, its characters, number of samples, gender. The id is that of the sentence, the same in every language,
and several recordings share it. Recordings lie in ``audio/SPLIT.tar.gz`` or, unpacked, in ``audio/SPLIT/``; readers
find them by their file names, whatever folders an archive has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, explain

TABLES = {"test": "test", "valid": "dev", "train": "train"}
"""Name of each split in the corpus, held-out ones first."""
TRANSCRIPTS = ("transcription", "raw_transcription")
_COLUMNS = 7
_RULE = "the folder of FLEURS with data/be_by/{train,dev,test}.tsv and audio/, or such a language's folder"


@dataclass(frozen=True, slots=True)
class Release:
    """A language's folder.

    Args:
        folder: holds the tables and ``audio``.
        lang: canonical code of the language.
    """

    folder: Path
    lang: str

    def table(self, split: str) -> Path:
        """Table of a split."""
        return self.folder / f"{TABLES[split]}.tsv"

    def recordings(self, split: str) -> Path:
        """Folder of a split's recordings, where they are unpacked."""
        return self.folder / "audio" / TABLES[split]

    def archive(self, split: str) -> Path:
        """Archive of a split's recordings."""
        return self.folder / "audio" / f"{TABLES[split]}.tar.gz"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table.

    Args:
        place: ``be_by/test.tsv:17``.
        sentence: number of the sentence; empty where the line has none.
        name: file name of the recording.
        text: what is read.
        fault: why the line cannot be used; empty where it can.
    """

    place: str
    sentence: str = ""
    name: str = ""
    text: str = ""
    fault: str = ""


def find_releases(source: Path, wanted: Sequence[str]) -> list[Release]:
    """Find the languages of a source.

    Args:
        source: the corpus, its folder ``data``, or one language's folder.
        wanted: languages to take, by the corpus's names (``be_by``) or codes (``be``); empty takes all.

    Returns:
        The languages, by the names of their folders.

    Raises:
        ConfigError: there is none, a wanted one is absent, or a folder's name is no known language.
    """
    places = (source.resolve(), *sorted(source.glob("*")), *sorted(source.glob("data/*")))
    folders = [place for place in places if any((place / f"{name}.tsv").is_file() for name in TABLES.values())]
    # what was prepared into a folder of the source has such tables too
    folders = [place for place in folders if canonical_language(place.name) or (place / "audio").is_dir()]
    unknown = [folder.name for folder in folders if canonical_language(folder.name) is None]
    if unknown:
        mend = "Name the folder as the corpus does, such as be_by."
        raise ConfigError(explain("--source", "folder", "named by a language code", ", ".join(unknown), mend))
    found = [Release(folder, canonical_language(folder.name) or "") for folder in folders]
    absent = [name for name in wanted if not any(_is_named(release, name) for release in found)]
    if absent or not found:
        there = f"; languages there: {' '.join(folder.name for folder in folders) or 'none'}"
        raise ConfigError(explain("--source", ", ".join(absent) or str(source), _RULE + there, "not there", "Name it."))
    return [release for release in found if not wanted or any(_is_named(release, name) for name in wanted)]


def read_lines(release: Release, split: str, transcript: str) -> Iterator[Line]:
    """Read a table.

    Args:
        release: the language.
        split: ``train``, ``valid`` or ``test``; a table that a language lacks is empty.
        transcript: of ``TRANSCRIPTS``, which of the two is the text.

    Yields:
        Each line, those that cannot be used included, with their fault.
    """
    path = release.table(split)
    if not path.is_file():
        return
    column = {"raw_transcription": 2, "transcription": 3}[transcript]
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _line(f"{release.folder.name}/{path.name}:{number}", line, column)


def _line(place: str, line: bytes, column: int) -> Line:
    try:
        cells = line.decode("utf-8-sig").strip("\r\n").split("\t")
    except UnicodeDecodeError:
        return Line(place, fault="not UTF-8")
    if len(cells) != _COLUMNS:
        return Line(place, fault="wrong number of columns")
    sentence, name, text = cells[0].strip(), cells[1].strip(), cells[column].strip()
    fault = ""
    if not (sentence.isascii() and sentence.isdigit()):
        fault, sentence = "no number of a sentence", ""
    elif not name or Path(name).name != name or name.startswith(".") or "\\" in name:
        fault = "no file name of a recording"
    elif not text:
        fault = "empty text"
    return Line(place, sentence and str(int(sentence)), name, text, fault)


def _is_named(release: Release, name: str) -> bool:
    return name == release.folder.name or (canonical_language(name) == release.lang and name.isalpha())
