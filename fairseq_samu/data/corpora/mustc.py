"""MuST-C (doi:10.18653/v1/N19-1202): English TED talks with translations into eight languages (v1) or fewer (v2, v3).

The layout is described in :mod:`~fairseq_samu.data.corpora.mustc_lists`; it is the same in all versions. Talks are
neither cut nor copied: manifests name parts of them, ``ted_1.wav:offset:length``. Offset and length are cut to whole
samples as the published reader does it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.audio import audio_samples
from fairseq_samu.data.corpora.clips import map_threads, place_clip
from fairseq_samu.data.corpora.mustc_lists import FOLDERS, Pair, Segment, find_pairs, read_segments
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.speeches import END_SLACK
from fairseq_samu.data.corpora.splits import kind_of, text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

DESCRIPTION = "MuST-C: English TED talks with translations into de es fr it nl pt ro ru (CC BY-NC-ND 4.0)"
REQUIRES_SOURCE = True
ALL = "all"
SPLIT_ORDER = ("test", "test_he", "valid", "train")
"""Held-out splits come first, so that what they hold is known when training comes."""

_NOTES = """
# MuST-C

English TED talks with their translations (doi:10.18653/v1/N19-1202). Licence: CC BY-NC-ND 4.0. Targets: {targets}.

- `train` is `train`, `valid` is `dev`, `test` is `tst-COMMON`, `test_he` is `tst-HE`. Rows are in the order of the
  lists, and named as fairseq's reader of the corpus names them.
- Manifests name parts of the talks, `talk.wav:offset:length` in samples of the talk. Nothing was cut or copied: the
  folder of the corpus has to stay where it is.
- Texts are the corpus's own, cased and punctuated, with `(Applause)` and the like; only white space at their ends and
  control characters were taken out.
- No talk of a held-out split stands in training, and none of a test split in `valid`, in any of the targets. {shared}
- Every segment of the lists is used, or named in `dropped.tsv` with the reason.
"""
_SHARED = (
    "Short\n  sentences such as `Thank you.` stand in all splits, as published: {count} rows of training have a text "
    "of a\n  held-out split; `--hold-out-texts` takes them out."
)
_APART = "Rows of\n  training and of `valid` with a text of a held-out split were taken out."


@dataclass(frozen=True)
class Options:
    """Options of ``prepare mustc``."""

    target: str = field(
        default=ALL, metadata={"help": "target languages, by commas (de,es), or all that the source holds"}
    )
    max_seconds: float = field(default=30.0, metadata={"help": "longest segment that is used in training"})
    hold_out_texts: bool = field(
        default=False,
        metadata={
            "help": "take rows out of training whose text or translation stands in a held-out split (Thank you.)"
        },
    )
    absolute: bool = field(default=False, metadata={"help": "name talks by absolute paths, not relative to the output"})
    headers_only: bool = field(
        default=False,
        metadata={"help": "believe the headers of the talks; silent and damaged parts are then not found"},
    )
    workers: int = field(default=4, metadata={"help": "threads that decode talks", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that rows are counted by pair, name files elsewhere, and may share texts."""
    return {"pairs": True, "archive": False, "shared_texts": not options.hold_out_texts}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its lists."""
    found = find_pairs(source, _targets(options))
    lists = (path for pair in found for path in pair.folder.glob("*/txt/*") if path.parents[1].name in FOLDERS.values())
    return {"/".join(path.parts[-5:]): path.stat().st_size for path in sorted(lists)}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare one or several targets.

    Args:
        source: folder of the corpus with ``en-de`` and the like, or one of these.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: a target is absent.
        ManifestError: lists that belong together differ in length, or one is missing.
    """
    pairs = find_pairs(source, _targets(options))
    job = _Job(writer, options, several=len(pairs) > 1)
    for split in SPLIT_ORDER:
        for pair in pairs:
            job.add(pair, split)
    shared = _APART if options.hold_out_texts else _SHARED.format(count=job.num_shared)
    writer.add_notes(_NOTES.format(targets=", ".join(pair.target for pair in pairs), shared=shared))
    writer.add_document(
        "CREDITS.txt", "MuST-C, https://mt.fbk.eu/must-c/, doi:10.18653/v1/N19-1202. TED talks, ted.com.\n"
    )
    licence = "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0, "
    writer.add_document("LICENSE.txt", f"{licence}https://creativecommons.org/licenses/by-nc-nd/4.0/\n")


def _targets(options: Options) -> list[str]:
    return [] if options.target.strip() == ALL else split_names(options.target)


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment that may be used and where it lies in its talk, in samples."""

    segment: Segment
    talk: Path
    offset: int
    length: int

    def measure(self, decode: bool) -> int | AudioError:
        """Samples at 16 kHz, or why it cannot be read."""
        try:
            return audio_samples(f"{self.talk}:{self.offset}:{self.length}", where=self.segment.place, decode=decode)
        except AudioError as error:
            return error


class _Job:
    """Puts splits into the output one after another, and remembers what is held out."""

    def __init__(self, writer: CorpusWriter, options: Options, several: bool) -> None:
        self.writer, self.options, self.several = writer, options, several
        self.num_shared = 0
        self._texts: dict[bytes, str] = {}  # held-out texts and their kind of split
        self._talks: dict[str, str] = {}  # held-out talks, likewise
        self._facts: dict[Path, tuple[int, int] | str] = {}  # rate and samples of talks, or why there are none

    def add(self, pair: Pair, split: str) -> None:
        """Add a pair's rows of a split; those of held-out splits come before ``train``."""
        segments = read_segments(pair, split)
        parts = self._usable(pair, split, segments)
        measured = map_threads(lambda part: part.measure(not self.options.headers_only), parts, self.options.workers)
        for part, samples in show_progress(measured, None, f"{pair.name} {split} of {len(segments)} segments"):
            self._write(pair, split, part, samples)
        if split != "train":
            for segment in segments:
                self._talks.setdefault(segment.talk, kind_of(split))
                for key in _keys(segment):
                    self._texts.setdefault(key, kind_of(split))

    def _usable(self, pair: Pair, split: str, segments: Sequence[Segment]) -> Iterator[_Part]:
        for segment in segments:
            part = segment.fault or self._fault(split, segment) or self._place(pair, split, segment)
            if isinstance(part, str):
                self._drop(segment, part)
            else:
                yield part

    def _fault(self, split: str, segment: Segment) -> str:
        if self._talks.get(segment.talk, kind_of(split)) != kind_of(split):
            return "its talk is held out"
        shares = any(self._texts.get(key, kind_of(split)) != kind_of(split) for key in _keys(segment))
        if shares and self.options.hold_out_texts:
            return "its words are held out"
        if split == "train" and segment.duration > self.options.max_seconds:
            return f"longer than {self.options.max_seconds:g} s"
        self.num_shared += shares and split == "train"
        return ""

    def _place(self, pair: Pair, split: str, segment: Segment) -> _Part | str:
        """Find a segment in its talk, in samples, or say why not."""
        path = pair.folder / FOLDERS[split] / "wav" / segment.talk
        if path not in self._facts:
            self._facts[path] = _facts_of(path)
        facts = self._facts[path]
        if isinstance(facts, str):
            return facts
        rate, frames = facts
        # Cut, not rounded, as the published reader has it.
        offset, length = int(segment.offset * rate), int(segment.duration * rate)
        if offset + length > frames + END_SLACK * rate or offset >= frames:
            return "ends behind its talk"
        return _Part(segment, path, offset, min(length, frames - offset))

    def _write(self, pair: Pair, split: str, part: _Part, samples: int | AudioError) -> None:
        segment = part.segment
        if isinstance(samples, AudioError):
            self.writer.drop("en", segment.place, "unreadable segment", f"{segment.name}: {samples}")
            return
        place = place_clip(self.writer, part.talk, "", self.options.absolute)
        item = f"en/{text_key(segment.text).hex()[:16] or segment.name}"
        row: dict[str, str | int] = {
            "id": f"{segment.name}>{pair.target}" if self.several else segment.name,
            "audio": f"{place}:{part.offset}:{part.length}",
            "n_frames": samples,
            "src_text": segment.text,
            "src_lang": "en",
            "speaker": segment.speaker,
            "parallel_id": item,
            "tgt_text": segment.translation,
            "tgt_lang": pair.target,
        }
        self.writer.add_row(split, row)
        self.writer.add_text(split, item, "en", segment.text)
        self.writer.add_text(split, item, pair.target, segment.translation)

    def _drop(self, segment: Segment, reason: str) -> None:
        times = f"{segment.name or segment.talk} {segment.offset:.2f} {segment.duration:.2f}"
        self.writer.drop("en", segment.place, reason, f"{times}: {segment.text}")


def _facts_of(path: Path) -> tuple[int, int] | str:
    """Rate and samples of a talk, or why there are none."""
    import soundfile

    if not path.is_file():
        return "missing recording"
    try:
        info = soundfile.info(str(path))
    except RuntimeError:
        return "unreadable recording"
    return info.samplerate, info.frames


def _keys(segment: Segment) -> list[bytes]:
    return [key for key in (text_key(segment.text), text_key(segment.translation)) if key]
