"""The lists of MuST-C: which segments of its talks a language pair has, and what is said in each of them.

As fairseq's reader of the published archives has it (examples/speech_to_text/prep_mustc_data.py): for each pair and
split a folder ``en-de/data/SPLIT`` with the talks in ``wav/``, and in ``txt/`` the lists ``SPLIT.yaml`` (a mapping with
duration, offset, speaker_id and wav for each segment, seconds), ``SPLIT.en`` and ``SPLIT.de`` (a text a line, in the
same order). Segments are named by their talk and a number; that reader numbers the segments that stand together in a
talk in the order of their offsets compared as text, so 16.08 comes before 9.5, and so does this one. It would number a
talk that stands in two places of a list twice from 0; here the second place goes on counting: names are unique.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, ManifestError, explain

FOLDERS = {"train": "train", "valid": "dev", "test": "tst-COMMON", "test_he": "tst-HE"}
"""Folder of each split."""

_RULE = "the folder of MuST-C with en-TARGET/data/{train,dev,tst-COMMON,tst-HE}/{wav,txt}"
_PLAIN = r"(\w+): ([\w.][\w.\-+]*)"
_PLAIN_SEGMENT = re.compile(rf"- \{{{_PLAIN}(?:, {_PLAIN})*\}}\s*", re.ASCII)
_PLAIN_CELL = re.compile(_PLAIN, re.ASCII)


@dataclass(frozen=True, slots=True)
class Pair:
    """A language pair that the source holds.

    Args:
        folder: ``en-de/data``.
        target: canonical code of the translations' language.
        suffix: the code as files have it.
    """

    folder: Path
    target: str
    suffix: str

    @property
    def name(self) -> str:
        """``en-de``, as the corpus has it."""
        return f"en-{self.suffix}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a talk with its texts.

    Args:
        place: ``en-de/train/train.yaml:17``, the line where it begins.
        name: ``ted_1_0``, as the published reader has it; empty where the list does not say of which talk it is.
        talk: file name of the recording.
        offset: in seconds.
        duration: in seconds.
        text: what is said.
        translation: in the target language.
        speaker: who says it; empty where the corpus names none.
        fault: why it cannot be used; empty where it can.
    """

    place: str
    name: str = ""
    talk: str = ""
    offset: float = 0.0
    duration: float = 0.0
    text: str = ""
    translation: str = ""
    speaker: str = ""
    fault: str = ""


def find_pairs(source: Path, wanted: Sequence[str]) -> list[Pair]:
    """Find the language pairs of a source.

    Args:
        source: the folder with ``en-de`` and the like, or one of these.
        wanted: codes of target languages; empty takes all.

    Returns:
        The pairs, in the order of their names.

    Raises:
        ConfigError: there is none, or a wanted one is absent.
    """
    found: dict[str, Pair] = {}
    for folder in (source.resolve(), *sorted(source.glob("en-*"))):
        suffix = folder.name.removeprefix("en-")
        target = canonical_language(suffix) if folder.name.startswith("en-") else None
        if target and any((folder / "data" / name / "txt").is_dir() for name in FOLDERS.values()):
            found.setdefault(target, Pair(folder / "data", target, suffix))
    absent = [name for name in wanted if (canonical_language(name) or name) not in found]
    if absent or not found:
        there = f"; pairs there: {', '.join(pair.name for pair in found.values()) or 'none'}"
        names = ", ".join(f"en-{name}" for name in absent)
        mend = "Unpack MUSTC_*_en-TARGET.tar.gz, or name another folder."
        raise ConfigError(explain("--source", names or str(source), _RULE + there, "not there", mend))
    chosen = {canonical_language(name) for name in wanted} or set(found)
    return [pair for target, pair in sorted(found.items()) if target in chosen]


def read_segments(pair: Pair, split: str) -> list[Segment]:
    """Read the segments of a pair's split.

    Args:
        pair: the languages.
        split: one of ``FOLDERS``; one that the pair lacks is empty.

    Returns:
        Each segment in the order of the list, those that cannot be used included, with their fault.

    Raises:
        ManifestError: the lists differ in length, so that no line can be trusted, or one of them is missing.
    """
    name = FOLDERS[split]
    folder = pair.folder / name / "txt"
    if not folder.parent.is_dir():
        return []
    names = (f"{name}.yaml", f"{name}.en", f"{name}.{pair.suffix}")
    missing = [each for each in names if not (folder / each).is_file()]
    if missing:
        raise ManifestError(explain(str(folder), ", ".join(missing), "there", "missing", "Unpack the corpus again."))
    place = f"{pair.name}/{name}/{names[0]}"
    entries = list(read_entries(folder / names[0]))
    texts, translations = (_read_lines(folder / each) for each in names[1:])
    counts = (len(entries), len(texts), len(translations))
    if len(set(counts)) > 1:
        found = ", ".join(f"{each} {count}" for each, count in zip(names, counts, strict=True))
        rule, mend = "of one length, segment by segment and line by line", "Unpack the corpus again."
        raise ManifestError(explain(str(folder), " ".join(names), rule, found, mend))
    rows = zip(entries, texts, translations, strict=True)
    return _number([_segment(f"{place}:{line}", entry, *lines) for (line, entry), *lines in rows], entries)


def read_entries(path: Path) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Read a list of segments entry by entry, so that a fault costs one entry and memory holds one at a time.

    Args:
        path: a YAML file with a sequence of mappings at its top.

    Yields:
        Line where an entry begins and its cells as texts, or None where it is no mapping of texts.

    Raises:
        ManifestError: it is no sequence.
    """
    start, lines = 0, list[bytes]()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.startswith(b"- "):
                if start:
                    yield start, _parse(b"".join(lines))
                start, lines = number, [line]
            elif start:
                lines.append(line)
            elif line.strip() and not line.startswith((b"#", b"---", b"%")):
                value, mend = line[:60].decode("utf-8", "replace").strip(), "Unpack the corpus again."
                raise ManifestError(explain(f"{path}:{number}", "list", "lines `- {duration: ..., ...}`", value, mend))
    if start:
        yield start, _parse(b"".join(lines))


def _parse(entry: bytes) -> dict[str, str] | None:
    """Cells of an entry; the usual form, one line of plain values, is read seven times as fast as libyaml would."""
    import yaml

    try:
        text = entry.decode("utf-8")
        if _PLAIN_SEGMENT.fullmatch(text):
            return dict(_PLAIN_CELL.findall(text))
        found: Any = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # texts and nothing else
    except (UnicodeDecodeError, yaml.YAMLError):
        return None
    cells = found[0] if isinstance(found, list) and len(found) == 1 else None
    is_flat = isinstance(cells, dict) and all(isinstance(value, str) for value in cells.values())
    return cells if is_flat else None


def _segment(place: str, entry: dict[str, str] | None, text: bytes, translation: bytes) -> Segment:
    cells = entry or {}
    talk, speaker = cells.get("wav", ""), cells.get("speaker_id", "")
    offset, duration = (_seconds(cells.get(name, "")) for name in ("offset", "duration"))
    try:
        texts = text.decode("utf-8").strip(), translation.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Segment(place, talk=talk, fault="not UTF-8")
    fault = ""
    if entry is None:
        fault = "not a segment"
    elif not talk or Path(talk).name != talk or talk.startswith("."):
        fault = "no file name of a talk"
    elif math.isnan(offset) or math.isnan(duration):
        fault = "no offset and duration in seconds"
    elif offset < 0 or duration <= 0:
        fault = "negative offset or no duration"
    elif not all(texts):
        fault = "empty text" if not texts[0] else "empty translation"
    return Segment(place, "", talk, offset, duration, *texts, speaker, fault)


def _number(segments: list[Segment], entries: Sequence[tuple[int, dict[str, str] | None]]) -> list[Segment]:
    """Name segments by talk and number; see the module."""
    named = list(segments)
    counts: Counter[str] = Counter()
    for talk, group in groupby(range(len(segments)), key=lambda at: segments[at].talk):
        stem = Path(talk).stem
        order = sorted(group, key=lambda at: (entries[at][1] or {}).get("offset", ""))
        for at in order if talk else ():
            named[at] = replace(segments[at], name=f"{stem}_{counts[stem]}")
            counts[stem] += 1
    return named


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _read_lines(path: Path) -> list[bytes]:
    """Lines end at LF only, as a text may hold other separators."""
    content = path.read_bytes()
    return content.removesuffix(b"\n").split(b"\n") if content else []
