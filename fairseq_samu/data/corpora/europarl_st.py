"""Europarl-ST v1.1 (arXiv:1911.03167): debates of the European Parliament, 9 languages, 72 directions.

The layout is described in :mod:`~fairseq_samu.data.corpora.europarl_st_lists`. A segment of a speech is cut out once,
however many languages it is translated into.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.corpora.clips import map_threads
from fairseq_samu.data.corpora.europarl_st_lists import FOLDERS, Pair, Segment, find_pairs, read_segments
from fairseq_samu.data.corpora.g722 import has_ffmpeg
from fairseq_samu.data.corpora.names import choose_languages, split_names
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.speeches import Times, cut_speech, find_speech, needs_ffmpeg
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError, ConfigError, explain

DESCRIPTION = "Europarl-ST v1.1: speeches of the European Parliament, 9 languages, 72 directions (CC BY-NC 4.0)"
REQUIRES_SOURCE = True
HELD_OUT = ("test", "valid")
_AHEAD = 4  # speeches a thread whose segments may wait in memory

_NOTES = """
# Europarl-ST

Speeches of the European Parliament with their translations (arXiv:1911.03167), version 1.1. Licence: CC BY-NC 4.0.

- Segments are those of the corpus, cut out of the speeches and stored as FLAC at 16 kHz.
- Splits are the published ones, `valid` is `dev`, `train-noisy` is not used. What is held out in one direction is held
  out in all: speeches and texts of the test split were taken out of `valid` and `train`, those of `valid` out of
  `train`.
- Languages of speech in `train` and `valid`: {languages}.
- Every segment of the lists is used, or named in `dropped.tsv` with the reason.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare europarl-st``."""

    pairs: str = field(default="", metadata={"help": "language pairs, by commas (fr_en,de_it); empty: all"})
    train_languages: str = field(
        default="",
        metadata={"help": "languages of speech in train and valid, by commas; test keeps all; empty: all"},
    )
    max_seconds: float = field(default=30.0, metadata={"help": "longest segment that is used in training"})
    workers: int = field(default=4, metadata={"help": "threads that decode speeches", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that rows are counted by language pair."""
    return {"pairs": True}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its lists."""
    lists = (
        path for pair in find_pairs(source, split_names(options.pairs)) for path in pair.folder.glob("*/segments.*")
    )
    return {"/".join(path.parts[-4:]): path.stat().st_size for path in sorted(lists)}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare one or several language pairs.

    Args:
        source: folder ``v1.1`` of the corpus, or the one that holds it.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where pairs are absent, or ffmpeg is, which decodes the corpus's ``.m4a``.
        ManifestError: where lists that belong together differ in length.
    """
    pairs = find_pairs(source, split_names(options.pairs))
    trained = choose_languages(options.train_languages, {pair.source for pair in pairs}, "--train-languages")
    job = _Job(writer, options, trained)
    job.hold_out(pairs)
    for lang in sorted({pair.source for pair in pairs}):
        job.add([pair for pair in pairs if pair.source == lang])
    writer.add_notes(_NOTES.format(languages=", ".join(sorted(trained))))
    writer.add_document("CREDITS.txt", "Europarl-ST, https://www.mllp.upv.es/europarl-st/, arXiv:1911.03167.\n")
    licence = "Creative Commons Attribution-NonCommercial 4.0, https://creativecommons.org/licenses/by-nc/4.0/\n"
    writer.add_document("LICENSE.txt", licence)


@dataclass(frozen=True, slots=True)
class _Row:
    """A usable segment, its pair and its split."""

    pair: Pair
    split: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class _Speech:
    """A recording and what is cut out of it."""

    path: Path
    rows: dict[Times, list[_Row]]


class _Job:
    """Puts the speeches of one language after another into the output, and remembers what is held out."""

    def __init__(self, writer: CorpusWriter, options: Options, trained: set[str]) -> None:
        self.writer, self.options, self.trained = writer, options, trained
        self._texts: dict[bytes, str] = {}  # held-out texts and their split
        self._speeches: dict[str, str] = {}  # held-out speeches and their split

    def hold_out(self, pairs: Iterable[Pair]) -> None:
        """Note texts and speeches of the held-out splits of all pairs; those of the test split go first."""
        for split in HELD_OUT:
            for pair in pairs:
                for segment in read_segments(pair, split) if self._uses(pair, split) else ():
                    self._speeches.setdefault(segment.speech, split)
                    for text in (segment.text, segment.translation):
                        self._texts.setdefault(text_key(text), split)
        self._texts.pop(b"", None)
        self._speeches.pop("", None)

    def add(self, pairs: list[Pair]) -> None:
        """Add the pairs of one language of speech."""
        speeches = self._gather(pairs)
        cut = map_threads(
            lambda speech: cut_speech(speech.path, list(speech.rows)),
            iter(speeches),
            self.options.workers,
            ahead=_AHEAD * max(1, self.options.workers),
        )
        for speech, contents in show_progress(cut, len(speeches), f"{pairs[0].source} speeches"):
            for rows, content in zip(speech.rows.values(), contents, strict=True):
                self._write(rows, content)

    def _uses(self, pair: Pair, split: str) -> bool:
        return split == "test" or pair.source in self.trained

    def _gather(self, pairs: list[Pair]) -> list[_Speech]:
        """Collect the usable segments of each speech."""
        speeches: dict[str, _Speech | None] = {}
        for pair in pairs:
            for split in FOLDERS:
                for segment in read_segments(pair, split) if self._uses(pair, split) else ():
                    if segment.speech not in speeches:
                        speeches[segment.speech] = self._find(pair, segment.speech)
                    reason = segment.fault or self._fault(speeches[segment.speech], pair, split, segment)
                    if reason:
                        self._drop(pair, segment, reason)
        return [speech for speech in speeches.values() if speech and speech.rows]

    def _find(self, pair: Pair, name: str) -> _Speech | None:
        path = find_speech(pair.folder.parent / "audios", name) if name else None
        if path is not None and needs_ffmpeg(path) and not has_ffmpeg():
            mend = "Install it (Debian, Ubuntu: apt install ffmpeg), or convert the speeches to WAV beside the .m4a."
            raise ConfigError(explain("", "ffmpeg", f"installed to decode {path.suffix}", "missing", mend))
        return None if path is None else _Speech(path, {})

    def _fault(self, speech: _Speech | None, pair: Pair, split: str, segment: Segment) -> str:
        """Take a segment into its speech, or say why not."""
        if speech is None:
            return "missing recording"
        if self._speeches.get(segment.speech, split) != split:
            return "its speech is held out"
        keys = [text_key(text) for text in (segment.text, segment.translation)]
        if not all(keys):
            return "no words"
        if any(self._texts.get(key, split) != split for key in keys):
            return "its words are held out"
        if split == "train" and segment.end - segment.start > self.options.max_seconds:
            return f"longer than {self.options.max_seconds:g} s"
        rows = speech.rows.setdefault((segment.start, segment.end), [])
        if any((row.pair, row.split) == (pair, split) for row in rows):
            return "second segment of one time"
        rows.append(_Row(pair, split, segment))
        return ""

    def _write(self, rows: list[_Row], content: bytes | AudioError) -> None:
        first = rows[0].segment
        name = f"{first.speech}_{round(first.start * 1000):07d}-{round(first.end * 1000):07d}"
        try:
            if isinstance(content, AudioError):
                raise content
            spec, samples = self.writer.store(f"{rows[0].pair.source}/{name}.flac", content)
        except AudioError as error:
            for row in rows:
                self.writer.drop(row.pair.source, row.segment.place, "unreadable segment", str(error))
            return
        for row in rows:
            self.writer.add_row(row.split, _cells(row, name, spec, samples))
            for item, lang, text in _texts_of(row):
                self.writer.add_text(row.split, item, lang, text)

    def _drop(self, pair: Pair, segment: Segment, reason: str) -> None:
        times = f"{segment.speech} {segment.start:.2f} {segment.end:.2f}"
        self.writer.drop(pair.source, segment.place, reason, f"{times}: {segment.text}")


def _cells(row: _Row, name: str, spec: str, samples: int) -> dict[str, str | int]:
    pair, segment = row.pair, row.segment
    return {
        "id": f"{name}>{pair.target}",
        "audio": spec,
        "n_frames": samples,
        "src_text": segment.text,
        "src_lang": pair.source,
        "speaker": segment.speaker,
        "parallel_id": f"{pair.source}/{text_key(segment.text).hex()[:16]}",
        "tgt_text": segment.translation,
        "tgt_lang": pair.target,
    }


def _texts_of(row: _Row) -> Iterator[tuple[str, str, str]]:
    item = f"{row.pair.source}/{text_key(row.segment.text).hex()[:16]}"
    yield item, row.pair.source, row.segment.text
    yield item, row.pair.target, row.segment.translation
