"""CoVoST 2's tables of translations, and their join with those of Common Voice.

As the published scripts have them (get_covost_splits.py of facebookresearch/covost, prep_covost_data.py of fairseq):
``covost_v2.SRC_TGT.tsv`` with the columns path, translation and split, tab-separated, without quoting, a backslash
before a character that is meant literally; joined with path, sentence and client_id of ``validated.tsv`` by path. Of
the splits ``train`` and ``train_covost`` are training, ``dev`` and ``test`` what they say, others are not used.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.data.corpora.common_voice_tables import Clip, Release, read_clips
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, ManifestError, explain

_TABLE = re.compile(r"covost_v2\.([a-z]{2,3}(?:-[A-Z]{2})?)_([a-z]{2,3}(?:-[A-Z]{2})?)\.tsv")
_NEEDED = ("path", "translation", "split")
_SPLITS = {"train": "train", "train_covost": "train", "dev": "valid", "test": "test"}
_RULE = "the folder of Common Voice 4 with LANG/validated.tsv, LANG/clips and covost_v2.LANG_LANG.tsv"


@dataclass(frozen=True, slots=True)
class Direction:
    """A language pair that the source holds.

    Args:
        name: as the table has it, such as ``sv-SE_en``.
        table: translations.
        release: language of the speech.
        target: canonical code of the translations' language.
    """

    name: str
    table: Path
    release: Release
    target: str


@dataclass(frozen=True, slots=True)
class Translation:
    """A row of a table of translations.

    Args:
        place: ``covost_v2.fr_en.tsv:17``, the line of the row.
        path: file name of the clip as the table has it.
        text: the translation.
        split: ``train``, ``valid`` or ``test``; empty where the row cannot be used.
        fault: why it cannot be used; empty where it can.
    """

    place: str
    path: str = ""
    text: str = ""
    split: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip with its translation.

    Args:
        clip: row of ``validated.tsv``; one with nothing but the path where there is none.
        translation: row of the table of translations.
        fault: why it cannot be used; empty where it can.
    """

    clip: Clip
    translation: Translation
    fault: str = ""


def find_directions(source: Path, wanted: Sequence[str]) -> list[Direction]:
    """Find the language pairs of a source.

    Args:
        source: folder of the languages' folders, or one of these. Tables lie in it or in the language's folder.
        wanted: names of pairs such as ``fr_en``; empty takes all whose recordings are there too.

    Returns:
        The pairs, in the order of their names.

    Raises:
        ConfigError: where there is none, or a wanted one is absent.
    """
    found: dict[str, Direction] = {}
    for path in sorted([*source.glob("covost_v2.*.tsv"), *source.glob("*/covost_v2.*.tsv")]):
        match = _TABLE.fullmatch(path.name)
        if match is None:
            continue  # a split that was cut out of a table, such as covost_v2.fr_en.train.tsv
        lang, target = canonical_language(match[1]), canonical_language(match[2])
        folder = source / match[1]
        if source.resolve().name == match[1] and not folder.exists():
            folder = source.resolve()
        if lang and target and (folder / "validated.tsv").exists():
            name = f"{match[1]}_{match[2]}"
            found.setdefault(name, Direction(name, path, Release(folder, lang), target))
    absent = [name for name in wanted if name not in found]
    if absent or not found:
        there = f"; complete pairs there: {', '.join(sorted(found)) or 'none'}"
        mend = "Unpack the tables' .tar.gz beside the recordings, or name another folder."
        raise ConfigError(explain("--source", ", ".join(absent) or str(source), _RULE + there, "not there", mend))
    return [direction for name, direction in sorted(found.items()) if not wanted or name in wanted]


def join_tables(direction: Direction) -> Iterator[Utterance]:
    """Join a pair's translations with their clips.

    Args:
        direction: the pair.

    Yields:
        Every row of the table of translations: the usable ones in the order of ``validated.tsv``, then the others,
        each with its fault.

    Raises:
        ManifestError: where a header lacks a column that is needed.
    """
    waiting: dict[str, Translation] = {}
    faulty: list[Translation] = []
    for translation in _read_translations(direction.table):
        if translation.fault:
            faulty.append(translation)
        elif translation.path in waiting:
            faulty.append(Translation(translation.place, translation.path, fault="second translation of one clip"))
        else:
            waiting[translation.path] = translation
    for clip in read_clips(direction.release.folder / "validated.tsv", split_escaped):
        match = waiting.pop(clip.path, None) or waiting.pop(clip.path.removesuffix(".mp3"), None)
        if match is not None:
            yield Utterance(clip, match, clip.fault)
    for translation in (*waiting.values(), *faulty):
        fault = translation.fault or "not in validated.tsv"
        yield Utterance(Clip(translation.place, translation.path), translation, fault)


def _read_translations(path: Path) -> Iterator[Translation]:
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            found = ", ".join(header)
            raise ManifestError(explain(f"{path}:1", ", ".join(missing), "in the header", found, "Download it again."))
        for number, line in enumerate(file, 2):
            if line.strip():
                yield _translation(f"{path.name}:{number}", line, header)


def _translation(place: str, line: bytes, header: Sequence[str]) -> Translation:
    try:
        values = split_escaped(line.decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        return Translation(place, fault="translation is not UTF-8")
    if len(values) != len(header):
        return Translation(place, fault="wrong number of columns")
    row = dict(zip(header, values, strict=True))
    path, text, split = row["path"].strip(), row["translation"].strip(), row["split"].strip()
    if not path:
        return Translation(place, text=text, fault="empty path")
    if split not in _SPLITS:
        return Translation(place, path, split, fault="split that is not used")
    if not text:
        return Translation(place, path, fault="empty translation")
    return Translation(place, path, text, _SPLITS[split])


def split_escaped(line: str) -> list[str]:
    """Split a line into its cells; a quote is a character like any other, a backslash takes the next one literally.

    Args:
        line: without its end.

    Returns:
        The cells, without the backslashes that escape.
    """
    if "\\" not in line:
        return line.split("\t")
    return next(csv.reader([line.replace("\r", " ")], delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\"))
