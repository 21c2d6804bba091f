"""The lists of Europarl-ST v1.1: which segments a language pair has, and what is said in each of them.

As readers of the published archive have it (prep_europarlst_data.py of duyichao/NPDA-KNN-ST, the recipes of
hlt-mt/FBK-fairseq): ``SRC/audios/SPEECH.m4a`` at 44.1 kHz, and for each pair and split a folder ``SRC/TGT/SPLIT`` with
``segments.lst`` (``SPEECH START END`` a line, seconds), ``segments.SRC`` and ``segments.TGT`` (a text a line, in the
same order), ``speeches.lst`` and ``speakers.lst`` (a name a line, in one order). Splits are train, dev and test;
``train-noisy``, which failed the publishers' filters, is not read.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, ManifestError, explain

FOLDERS = {"train": "train", "valid": "dev", "test": "test"}
"""Folder of each split."""

_RULE = "the folder v1.1 of Europarl-ST with SRC/audios and SRC/TGT/{train,dev,test}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A language pair that the source holds.

    Args:
        folder: ``SRC/TGT``.
        source: language of the speech.
        target: language of the translations.
    """

    folder: Path
    source: str
    target: str

    @property
    def name(self) -> str:
        """``SRC_TGT``."""
        return f"{self.source}_{self.target}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a speech with its texts.

    Args:
        place: ``fr/en/test/segments.lst:17``.
        speech: name of the recording.
        start: in seconds.
        end: in seconds.
        text: what is said.
        translation: in the target language.
        speaker: who says it; empty where the corpus names none.
        fault: why it cannot be used; empty where it can.
    """

    place: str
    speech: str = ""
    start: float = 0.0
    end: float = 0.0
    text: str = ""
    translation: str = ""
    speaker: str = ""
    fault: str = ""


def find_pairs(source: Path, wanted: Sequence[str]) -> list[Pair]:
    """Find the language pairs of a source.

    Args:
        source: the folder ``v1.1`` of the corpus, or the one that holds it.
        wanted: names of pairs such as ``fr_en``; empty takes all.

    Returns:
        The pairs, in the order of their names.

    Raises:
        ConfigError: where there is none, or a wanted one is absent.
    """
    root = source if any(source.glob("*/audios")) else source / "v1.1"
    found: dict[str, Pair] = {}
    for audios in sorted(root.glob("*/audios")):
        for folder in sorted(path for path in audios.parent.iterdir() if path.is_dir() and path != audios):
            languages = canonical_language(audios.parent.name), canonical_language(folder.name)
            if languages[0] and languages[1] and any((folder / name).is_dir() for name in FOLDERS.values()):
                pair = Pair(folder, languages[0], languages[1])
                found[pair.name] = pair
    absent = [name for name in wanted if name not in found]
    if absent or not found:
        there = f"; pairs there: {', '.join(sorted(found)) or 'none'}"
        mend = "Unpack v1.1.tar.gz, or name another folder."
        raise ConfigError(explain("--source", ", ".join(absent) or str(source), _RULE + there, "not there", mend))
    return [pair for name, pair in sorted(found.items()) if not wanted or name in wanted]


def read_segments(pair: Pair, split: str) -> Iterator[Segment]:
    """Read the segments of a pair's split.

    Args:
        pair: the languages.
        split: ``train``, ``valid`` or ``test``; one that the pair lacks is empty.

    Yields:
        Each segment, those that cannot be used included, with their fault.

    Raises:
        ManifestError: where lists that belong together differ in length, so that no line can be trusted, or one of
            them is missing.
    """
    folder = pair.folder / FOLDERS[split]
    if not folder.is_dir():
        return
    names = ("segments.lst", f"segments.{pair.source}", f"segments.{pair.target}")
    lists = _read_together(folder, names)
    speakers = _read_speakers(folder)
    place = f"{pair.folder.parent.name}/{pair.folder.name}/{folder.name}/segments.lst"
    for number, (times, text, translation) in enumerate(zip(*lists, strict=True), 1):
        yield _segment(f"{place}:{number}", times, text, translation, speakers)


def _segment(place: str, times: bytes, text: bytes, translation: bytes, speakers: dict[str, str]) -> Segment:
    try:
        parts = times.decode("utf-8").split()
        texts = text.decode("utf-8").strip(), translation.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Segment(place, fault="not UTF-8")
    speech = parts[0] if parts else ""
    start, end = (_seconds(part) for part in parts[1:]) if len(parts) == 3 else (math.nan, math.nan)
    if math.isnan(start) or math.isnan(end) or "/" in speech or speech.startswith("."):
        return Segment(place, speech, text=texts[0], fault="not SPEECH START END")
    if not 0 <= start < end:
        return Segment(place, speech, start, end, *texts, fault="ends before it starts")
    if not all(texts):
        return Segment(place, speech, start, end, *texts, fault="empty text" if not texts[0] else "empty translation")
    return Segment(place, speech, start, end, *texts, speakers.get(speech, ""))


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _read_speakers(folder: Path) -> dict[str, str]:
    """Speaker of each speech; a name may be the end of an address."""
    if not (folder / "speakers.lst").exists() or not (folder / "speeches.lst").exists():
        return {}
    speeches, speakers = _read_together(folder, ("speeches.lst", "speakers.lst"))
    pairs = zip(speeches, speakers, strict=True)
    return {speech.decode("utf-8", "replace").strip(): _name_of(speaker) for speech, speaker in pairs}


def _name_of(speaker: bytes) -> str:
    return speaker.decode("utf-8", "replace").strip().rstrip("/").rpartition("/")[2]


def _read_together(folder: Path, names: Sequence[str]) -> list[list[bytes]]:
    """Lines of lists that belong together line by line; they end at LF only, as a text may hold other separators."""
    lists = []
    for name in names:
        try:
            lists.append((folder / name).read_bytes().removesuffix(b"\n").split(b"\n"))
        except FileNotFoundError as error:
            raise ManifestError(explain(str(folder), name, "there", "missing", "Unpack the corpus again.")) from error
    if len({len(lines) for lines in lists}) > 1:
        found = ", ".join(f"{name} {len(lines)}" for name, lines in zip(names, lists, strict=True))
        rule, mend = "of one length, line by line", "Unpack the corpus again."
        raise ManifestError(explain(str(folder), " ".join(names), rule, found, mend))
    return lists
