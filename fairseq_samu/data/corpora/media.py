"""MEDIA: French telephone dialogues about hotels (ELRA-S0272 the speech, ELRA-E0024 the annotation).

Field layout as SpeechBrain's ``recipes/MEDIA/media_prepare.py`` and ESPnet's ``egs2/media/asr1/local/prepare_data.py``
read it: ``DATA/media_lot1.xml`` to ``media_lot4.xml`` are training, ``media_testHC_a_blanc.xml`` is validation and
``media_testHC.xml`` the test. Each holds ``dialogue`` elements (``id``, ``nameSpk``) of ``turn`` elements (``speaker``,
``startTime``, ``endTime``, ``audioFilename``); the caller's turns have ``speaker="spk"``. A ``semAnnotation`` with
``withContext="false"`` holds ``sem`` elements (``concept``, ``specif``), whose ``transcription`` has words and
``Sync`` elements (``time``). Speech is ``BLOCK*/ID.wav``, 8 kHz, stereo; ``audioFilename`` (``ID.l.wav``, ``ID.r.wav``)
names the caller's channel.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from fairseq_samu.data.corpora.annotated_segments import SPLIT_ORDER, AnnotatedSegment, write_segments
from fairseq_samu.data.corpora.dialogue_xml import read_xml
from fairseq_samu.data.corpora.media_texts import normalise_french, prefix_map_lines
from fairseq_samu.data.corpora.semantic_turns import END, NO_CONCEPT, OPEN, Event, cut_turn, events_between, seconds
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import ConfigError, ManifestError, explain

DESCRIPTION = "MEDIA: French hotel booking by telephone with concepts (ELRA-S0272 and ELRA-E0024)"
REQUIRES_SOURCE = True

FILES = {
    "test": ("media_testHC.xml",),
    "valid": ("media_testHC_a_blanc.xml",),
    "train": ("media_lot1.xml", "media_lot2.xml", "media_lot3.xml", "media_lot4.xml"),
}
"""Files of each split."""

_CHANNELS = {"l": 0, "r": 1}

_NOTES = """
# MEDIA

French telephone dialogues about hotels, of which the caller's turns are used (arXiv:2406.12141 reports on them).

- `src_text` is the transcript, `tgt_text` the same words with their concepts, {mode}.
- `relax.tsv` says which full name of a concept becomes which without its specifier (`--concept-prefixes`).
- {cut} Words are spelt as SpeechBrain's recipe spells them.
- Splits are the published ones, apart by dialogue; short answers stand in all of them.
- Every segment of the caller is used, or named in `dropped.tsv` with the reason.
"""
_MODES = {"full": "named with their specifiers", "relax": "named without their specifiers"}
_CUTS = {
    "sync": "Turns are cut where the transcript has a time outside of a concept.",
    "turn": "A row is a turn of the caller.",
}


@dataclass(frozen=True)
class Options:
    """Options of ``prepare media``."""

    concepts: str = field(
        default="full",
        metadata={
            "help": "names of concepts with their specifiers (full) or without (relax)",
            "choices": tuple(_MODES),
        },
    )
    segments: str = field(
        default="sync",
        metadata={"help": "rows are parts of turns between times (sync) or turns", "choices": tuple(_CUTS)},
    )
    channels: str = field(
        default="",
        metadata={"help": "table of the caller's channels (L,100 a line); empty: as each turn's audioFilename says"},
    )
    max_seconds: float = field(default=30.0, metadata={"help": "longest segment that is used in training"})
    workers: int = field(default=4, metadata={"help": "threads that decode dialogues", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that the same short answers stand in several splits."""
    return {"shared_texts": True}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its annotation."""
    return {path.name: path.stat().st_size for paths in find_files(source).values() for path in paths}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare the corpus.

    Args:
        source: folder that holds what both parts of the corpus were unpacked to.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where a file of annotation is absent, or the table of channels is no such table.
        ManifestError: where a file of annotation is no XML.
    """
    reader = _Reader(source, options)
    write_segments(writer, "fr", reader.read(find_files(source)), options.max_seconds, options.workers)
    writer.add_notes(_NOTES.format(mode=_MODES[options.concepts], cut=_CUTS[options.segments]))
    writer.add_document("relax.tsv", prefix_map_lines(reader.relaxed))
    writer.add_document("CREDITS.txt", "MEDIA, ELDA, ELRA-S0272 and ELRA-E0024, https://catalogue.elra.info/.\n")
    licence = "By the agreement with ELRA under which the corpus was obtained; it may not be passed on.\n"
    writer.add_document("LICENSE.txt", licence)


def find_files(source: Path) -> dict[str, list[Path]]:
    """Find the files of annotation.

    Args:
        source: folder that holds them anywhere.

    Returns:
        Those of each split, test first.

    Raises:
        ConfigError: where one is absent.
    """
    found = {path.name: path for path in sorted(source.rglob("media_*.xml"))}
    absent = [name for names in FILES.values() for name in names if name not in found]
    if absent:
        mend = "Unpack ELRA-E0024 there, or name another folder."
        raise ConfigError(explain("--source", ", ".join(absent), f"below {source}", "not there", mend))
    return {split: [found[name] for name in FILES[split]] for split in SPLIT_ORDER}


class _Reader:
    """Reads dialogues, and remembers which full names of concepts have come and what they are without specifiers."""

    def __init__(self, source: Path, options: Options) -> None:
        self.relaxed: dict[str, str] = {}
        self._options = options
        self._waves = {path.stem: path for path in sorted([*source.rglob("*.wav"), *source.rglob("*.WAV")])}
        self._channels = read_channels(Path(options.channels)) if options.channels else None

    def read(self, files: dict[str, list[Path]]) -> Iterator[AnnotatedSegment]:
        """Read the caller's segments, those that cannot be used included, with their fault."""
        for split, paths in files.items():
            for path in paths:
                try:
                    root = read_xml(path)
                except ParseError as error:
                    mend = "Unpack ELRA-E0024 again."
                    raise ManifestError(explain(str(path), "annotation", "XML", error, mend)) from error
                for dialogue in root.iter("dialogue"):
                    yield from self._read_dialogue(path.name, split, dialogue)

    def _read_dialogue(self, file: str, split: str, dialogue: Element) -> Iterator[AnnotatedSegment]:
        name = dialogue.get("id", "")
        for number, turn in enumerate(dialogue.iter("turn"), 1):
            if turn.get("speaker") == "spk":
                yield from self._read_turn(f"{file}:{name}:{number}", split, dialogue, turn)

    def _read_turn(self, place: str, split: str, dialogue: Element, turn: Element) -> Iterator[AnnotatedSegment]:
        name = dialogue.get("id", "")
        start, end = seconds(turn.get("startTime")), seconds(turn.get("endTime"))
        plain = turn.find("transcription")
        words = normalise_french("" if plain is None else " ".join(plain.itertext()))
        if not start >= 0 or not end >= 0:
            times = f"{turn.get('startTime')} {turn.get('endTime')}"
            yield AnnotatedSegment(place, split, name, fault="time that is no number", detail=times)
            return
        cut = cut_turn(self._events(turn), start, end, normalise_french, self._options.segments == "sync")
        channel = self._channel(name, turn)
        fault = cut.fault or self._clash(turn) or ("" if channel is not None else "unknown channel")
        if fault or not cut.pieces:
            fault = fault or ("no annotation" if words else "no words")
            yield AnnotatedSegment(place, split, name, start=start, end=end, fault=fault, detail=words)
            return
        wave, speaker = self._waves.get(name), dialogue.get("nameSpk", "").strip()
        for number, piece in enumerate(cut.pieces, 1):
            where = place if len(cut.pieces) == 1 else f"{place}.{number}"
            yield AnnotatedSegment(where, split, name, wave, *piece, speaker, channel)

    def _events(self, turn: Element) -> Iterator[Event]:
        for sem in _sems(turn):
            concept, specifier = _concept(sem)
            yield OPEN, concept + (specifier if concept and self._options.concepts == "full" else "")
            for transcription in sem.iter("transcription"):
                yield from events_between(transcription)
            yield END, ""

    def _clash(self, turn: Element) -> str:
        """Remember the names of a turn's concepts; say so where a full one has been that of another concept before."""
        for concept, specifier in map(_concept, _sems(turn)):
            known = self.relaxed.setdefault(concept + specifier, concept) if concept else concept
            if known != concept and self._options.concepts == "full":
                return "concept that is two without its specifier"
        return ""

    def _channel(self, dialogue: str, turn: Element) -> int | None:
        if self._channels is not None:
            return self._channels.get(dialogue)
        parts = turn.get("audioFilename", "").rpartition("/")[2].split(".")
        return _CHANNELS.get(parts[1].lower()) if len(parts) > 1 else None


def read_channels(path: Path) -> dict[str, int]:
    """Read on which channel the caller of each dialogue is.

    Args:
        path: ``channels.csv`` of SpeechBrain's recipe: ``L`` or ``R``, a comma, and the dialogue in each line.

    Returns:
        0 for left and 1 for right, by dialogue.

    Raises:
        ConfigError: where it cannot be read, or a line is another.
    """
    mend = "Give channels.csv of SpeechBrain's MEDIA recipe."
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(explain("--channels", str(path), "a readable text file", error, mend)) from error
    channels: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        side, _, dialogue = line.strip().partition(",")
        if line.strip() and (side.lower() not in _CHANNELS or not dialogue):
            raise ConfigError(explain(f"{path}:{number}", "line", "L or R, a comma and a dialogue", line, mend))
        if line.strip():
            channels[dialogue.strip()] = _CHANNELS[side.lower()]
    return channels


def _sems(turn: Element) -> Iterator[Element]:
    for annotation in turn.iter("semAnnotation"):
        if annotation.get("withContext") == "false":
            yield from annotation.iter("sem")


def _concept(sem: Element) -> tuple[str, str]:
    """Concept and specifier; either is empty where there is none."""
    concept, specifier = (sem.get(name, "").strip() for name in ("concept", "specif"))
    return ("" if concept in NO_CONCEPT else concept), ("" if specifier in NO_CONCEPT else specifier)
