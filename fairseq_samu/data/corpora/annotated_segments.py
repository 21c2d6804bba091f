"""Annotated segments of recordings on their way into the output: checked, cut out once, and written row by row."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.concepts import find_annotation_faults, strip_tags
from fairseq_samu.data.corpora.clips import map_threads
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.speeches import Times, cut_speech
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

SPLIT_ORDER = ("test", "valid", "train")
"""Held-out splits come first, so that what they hold is known when training comes."""

_AHEAD = 4  # recordings a thread whose segments may wait in memory


@dataclass(frozen=True, slots=True)
class AnnotatedSegment:
    """A part of a recording with its annotated text.

    Args:
        place: ``media_lot1.xml:70:3``, where the corpus has it.
        split: ``train``, ``valid`` or ``test``.
        recording: name of the recording or dialogue, which belongs to one split.
        path: the recording; None where it is missing.
        start: in seconds.
        end: in seconds.
        text: words with concept tags.
        speaker: who speaks; empty where the corpus does not say.
        channel: of the recording, counted from 0; None averages all.
        fault: why it cannot be used; empty where it can.
        detail: what was found instead, for a fault.
    """

    place: str
    split: str
    recording: str
    path: Path | None = None
    start: float = 0.0
    end: float = 0.0
    text: str = ""
    speaker: str = ""
    channel: int | None = None
    fault: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Recording:
    """A channel of a recording and what is cut out of it."""

    path: Path
    channel: int | None
    segments: dict[Times, AnnotatedSegment]


def write_segments(
    writer: CorpusWriter, lang: str, segments: Iterable[AnnotatedSegment], max_seconds: float, workers: int
) -> None:
    """Check segments, cut them out of their recordings and write their rows.

    Args:
        writer: takes rows, texts, and what is left out.
        lang: of speech and annotation.
        segments: of all splits, in the order of ``SPLIT_ORDER``.
        max_seconds: longest segment of training.
        workers: number of threads.
    """
    recordings: dict[tuple[Path, int | None], _Recording] = {}
    splits: dict[str, str] = {}
    for segment in segments:
        fault, detail = segment.fault, segment.detail
        if not fault:
            fault, detail = find_fault(segment.text)
        fault = fault or _place_fault(segment, splits, recordings, max_seconds)
        if fault:
            times = f"{segment.recording} {segment.start:.2f} {segment.end:.2f}"
            writer.drop(lang, segment.place, fault, f"{times}: {detail}")
    cut = map_threads(
        lambda recording: cut_speech(recording.path, list(recording.segments), recording.channel),
        iter(list(recordings.values())),
        workers,
        ahead=_AHEAD * max(1, workers),
    )
    for recording, contents in show_progress(cut, len(recordings), f"{lang} recordings"):
        for segment, content in zip(recording.segments.values(), contents, strict=True):
            _write(writer, lang, segment, content)


def find_fault(text: str) -> tuple[str, str]:
    """Say why an annotated text cannot be used.

    Args:
        text: words with concept tags.

    Returns:
        The reason in a few words, empty where it can be used; and what a reader needs to see.
    """
    faults = find_annotation_faults(text)
    if faults:
        return "faulty annotation", f"{faults[0]} In: {text}"
    return "" if text_key(strip_tags(text)) else "no words", text


def text_cells(lang: str, plain: str, annotated: str) -> dict[str, str | int]:
    """Cells of a row that say what was said: plain for the teacher, annotated as the target."""
    item = f"{lang}/{text_key(plain).hex()[:16]}"
    return {"src_text": plain, "src_lang": lang, "parallel_id": item, "tgt_text": annotated, "tgt_lang": lang}


def _place_fault(
    segment: AnnotatedSegment,
    splits: dict[str, str],
    recordings: dict[tuple[Path, int | None], _Recording],
    max_seconds: float,
) -> str:
    """Take a segment to the others of its recording, or say why not."""
    if splits.setdefault(segment.recording, segment.split) != segment.split:
        return "its recording is held out"
    if not 0 <= segment.start < segment.end:
        return "ends before it starts"
    if segment.path is None:
        return "missing recording"
    if segment.split == "train" and segment.end - segment.start > max_seconds:
        return f"longer than {max_seconds:g} s"
    key = (segment.path, segment.channel)
    placed = recordings.setdefault(key, _Recording(*key, {})).segments
    times = (segment.start, segment.end)
    if times in placed:
        return "second segment of one time"
    placed[times] = segment
    return ""


def _write(writer: CorpusWriter, lang: str, segment: AnnotatedSegment, content: bytes | AudioError) -> None:
    name = f"{segment.recording}_{round(segment.start * 1000):07d}-{round(segment.end * 1000):07d}"
    try:
        if isinstance(content, AudioError):
            raise content
        spec, samples = writer.store(f"{lang}/{name}.flac", content)
    except AudioError as error:
        writer.drop(lang, segment.place, "unreadable segment", str(error))
        return
    cells = text_cells(lang, strip_tags(segment.text), segment.text)
    row = {"id": name, "audio": spec, "n_frames": samples, "speaker": segment.speaker, **cells}
    writer.add_row(segment.split, row)
    writer.add_text(segment.split, str(cells["parallel_id"]), lang, str(cells["src_text"]))
