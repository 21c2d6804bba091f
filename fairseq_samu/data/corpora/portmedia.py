"""PortMEDIA: Italian telephone dialogues about hotels, annotated as MEDIA is (ELRA-S0371, its part PM-Lang).

Field layout as ESPnet's ``egs2/portmedia_lang/asr1/local/prepare_data.py`` reads it: ``PMLANG3IT/BLOCK*/ID.xml``, 604
dialogues in Transcriber's format, each with ``ID.wav`` beside it, of which the first channel is read. ``Speaker``
elements (``id``, ``name``) name the speakers, the wizard ``Compère``; all others are callers. A ``Turn`` (``speaker``,
``startTime``, ``endTime``) has words between ``SemDebut`` (``concept``), ``SemFin`` and ``Sync`` (``time``) elements.
Parentheses and stars, which mark what was said in part, are taken off; whole numbers are spelt in letters. Splits are
those of that recipe: of the dialogues in the order of their files, the last 200 are the test, the 100 before them
validation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from fairseq_samu.concepts import extract_concepts
from fairseq_samu.data.corpora.annotated_segments import SPLIT_ORDER, AnnotatedSegment, write_segments
from fairseq_samu.data.corpora.dialogue_xml import read_xml
from fairseq_samu.data.corpora.italian_numbers import LARGEST, spell_italian
from fairseq_samu.data.corpora.media_texts import prefix_map_lines, relax_concept
from fairseq_samu.data.corpora.semantic_turns import cut_turn, events_between, seconds
from fairseq_samu.data.corpora.splits import SPLITS
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import ConfigError, explain, report_all

DESCRIPTION = "PortMEDIA: Italian hotel booking by telephone with concepts (ELRA-S0371)"
REQUIRES_SOURCE = True

_WIZARD = ("compère", "compere")
_UNTIL_LARGEST = len(str(LARGEST))

_NOTES = """
# PortMEDIA (Italian)

Italian telephone dialogues about hotels, of which the callers' turns are used.

- `src_text` is the transcript, `tgt_text` the same words with their concepts, named as in the corpus.
- `relax.tsv` says which name of a concept becomes which without its specifier (`--concept-prefixes`), by the list that
  SpeechBrain has for MEDIA.
- {cut}
- Splits are apart by dialogue; short answers stand in all of them.
- Every segment of a caller is used, or named in `dropped.tsv` with the reason.
"""
_CUTS = {
    "turn": "A row is a turn of a caller.",
    "sync": "Turns are cut where the transcript has a time outside of a concept.",
}


@dataclass(frozen=True)
class Options:
    """Options of ``prepare portmedia``."""

    segments: str = field(
        default="turn",
        metadata={"help": "rows are turns (turn) or parts of them between times (sync)", "choices": tuple(_CUTS)},
    )
    splits: str = field(
        default="", metadata={"help": "file with a dialogue and its split (train, valid, test) in each line"}
    )
    valid_dialogues: int = field(default=100, metadata={"help": "without --splits: dialogues of validation"})
    test_dialogues: int = field(default=200, metadata={"help": "without --splits: dialogues of the test"})
    max_seconds: float = field(default=30.0, metadata={"help": "longest segment that is used in training"})
    workers: int = field(default=4, metadata={"help": "threads that decode dialogues", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that the same short answers stand in several splits."""
    return {"shared_texts": True}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its annotation."""
    return {f"{path.parent.name}/{path.name}": path.stat().st_size for path in find_dialogues(source)}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare the corpus.

    Args:
        source: folder that holds what the corpus was unpacked to.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where there are no dialogues, or fewer than the splits need, or a split of theirs is unknown.
    """
    dialogues = find_dialogues(source)
    splits = read_splits(Path(options.splits)) if options.splits else _split(dialogues, options)
    names: dict[str, str] = {}

    def segments() -> Iterator[AnnotatedSegment]:
        for split in (*SPLIT_ORDER, ""):
            for path in dialogues:
                if splits.get(path.stem, "") == split:
                    for segment in read_dialogue(path, split, options.segments == "sync"):
                        names.update({each.name: relax_concept(each.name) for each in extract_concepts(segment.text)})
                        yield segment

    write_segments(writer, "it", segments(), options.max_seconds, options.workers)
    writer.add_notes(_NOTES.format(cut=_CUTS[options.segments]))
    writer.add_document("relax.tsv", prefix_map_lines(names))
    writer.add_document("CREDITS.txt", "PORT-MEDIA, ELDA, ELRA-S0371, https://catalogue.elra.info/.\n")
    licence = "By the agreement with ELRA under which the corpus was obtained; it may not be passed on.\n"
    writer.add_document("LICENSE.txt", licence)


def find_dialogues(source: Path) -> list[Path]:
    """Find the annotated dialogues of a source, in the order of their files.

    Raises:
        ConfigError: where there is none.
    """
    found = sorted(source.rglob("BLOCK*/*.xml"))
    if not found:
        mend = "Unpack PMLANG3IT_00 there, or name another folder."
        raise ConfigError(explain("--source", str(source), "a folder with BLOCK*/*.xml below it", "without", mend))
    return found


def read_splits(path: Path) -> dict[str, str]:
    """Read a list of splits.

    Args:
        path: ``DIALOGUE SPLIT`` a line; the dialogue as its file is named, without suffix.

    Returns:
        Split of each dialogue.

    Raises:
        ConfigError: where it cannot be read, or with all lines that are another.
    """
    mend = "Write DIALOGUE SPLIT in each line."
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(explain("--splits", str(path), "a readable text file", error, mend)) from error
    splits, faults = {}, []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if len(parts) == 2 and parts[1] in SPLITS:
            splits[parts[0]] = parts[1]
        elif parts:
            faults.append(explain(f"{path}:{number}", "line", f"a dialogue and one of {' '.join(SPLITS)}", line, mend))
    if faults:
        raise ConfigError(report_all(faults))
    return splits


def read_dialogue(path: Path, split: str, at_times: bool) -> Iterator[AnnotatedSegment]:
    """Read the callers' segments of a dialogue.

    Args:
        path: its XML.
        split: that it belongs to; empty where it belongs to none.
        at_times: cut turns at their times.

    Yields:
        Each segment, those that cannot be used included, with their fault; one for a whole dialogue that cannot.
    """
    fault, detail, root = ("" if split else "dialogue without a split"), "", None
    try:
        root = read_xml(path)
    except (ParseError, OSError) as error:
        fault, detail = "no XML", str(error)
    speakers = {each.get("id"): each.get("name", "") for each in root.iter("Speaker")} if root is not None else {}
    callers = {key: name for key, name in speakers.items() if not name.strip().lower().startswith(_WIZARD)}
    if not fault and len(callers) == len(speakers):
        fault, detail = "no wizard among its speakers", ", ".join(speakers.values())
    if fault or root is None:
        yield AnnotatedSegment(path.name, split, path.stem, fault=fault, detail=detail)
        return
    for number, turn in enumerate(root.iter("Turn"), 1):
        if turn.get("speaker") not in speakers.keys() - callers.keys():
            yield from _read_turn(path, split, f"{path.name}:{number}", callers, turn, at_times)


def _read_turn(
    path: Path, split: str, place: str, callers: dict[str | None, str], turn: Element, at_times: bool
) -> Iterator[AnnotatedSegment]:
    words, speaker = normalise_italian(" ".join(turn.itertext())), turn.get("speaker", "")
    start, end = seconds(turn.get("startTime")), seconds(turn.get("endTime"))
    cut = cut_turn(events_between(turn), start, end, normalise_italian, at_times)
    fault = cut.fault or ("" if cut.pieces else "no words")
    if not start >= 0 or not end >= 0:
        fault = "time that is no number"
    elif speaker not in callers:
        fault = "several speakers at once" if " " in speaker.strip() else "unknown speaker"
    if fault:
        detail = words or f"{turn.get('startTime')} {turn.get('endTime')} {speaker}"
        yield AnnotatedSegment(place, split, path.stem, fault=fault, detail=detail)
        return
    wave = next((each for each in (path.with_suffix(".wav"), path.with_suffix(".WAV")) if each.exists()), None)
    for number, piece in enumerate(cut.pieces, 1):
        where = place if len(cut.pieces) == 1 else f"{place}.{number}"
        yield AnnotatedSegment(where, split, path.stem, wave, *piece, callers[speaker].strip(), channel=0)


def normalise_italian(text: str) -> str:
    """Spell a transcript as ESPnet's recipe does: without parentheses and stars, whole numbers in letters.

    Args:
        text: of a transcript, without annotation.

    Returns:
        Words with single spaces between them; empty where nothing was said.
    """
    words = []
    for word in text.split():
        number = word.isascii() and word.isdigit() and len(word) <= _UNTIL_LARGEST
        words.append(spell_italian(int(word)) if number else word)
    return " ".join(" ".join(words).translate(str.maketrans("", "", "()*")).split())


def _split(dialogues: list[Path], options: Options) -> dict[str, str]:
    """Split the dialogues by the order of their files."""
    held_out = options.valid_dialogues + options.test_dialogues
    if min(options.valid_dialogues, options.test_dialogues) < 0 or held_out >= len(dialogues):
        rule = f"fewer than the {len(dialogues)} dialogues, and not negative"
        found = f"{options.valid_dialogues} and {options.test_dialogues}"
        where, mend = "--valid-dialogues, --test-dialogues", "Name the folder of the whole corpus, or smaller numbers."
        raise ConfigError(explain(where, "held-out dialogues", rule, found, mend))
    names = [path.stem for path in dialogues]
    ends = len(names) - held_out, len(names) - options.test_dialogues
    return {name: "train" if at < ends[0] else "valid" if at < ends[1] else "test" for at, name in enumerate(names)}
