"""LibriSpeech (doi:10.1109/ICASSP.2015.7178964): English audio books with transcripts, for recognition.

As the readers of fairseq (examples/speech_to_text/prep_librispeech_data.py) and torchaudio (datasets.LIBRISPEECH) have
the published archives: ``LibriSpeech/SUBSET/SPEAKER/CHAPTER`` with ``SPEAKER-CHAPTER-UTTERANCE.flac`` and
``SPEAKER-CHAPTER.trans.txt``, whose lines are ``SPEAKER-CHAPTER-UTTERANCE TEXT``. Transcripts are in upper case without
punctuation; fairseq's reader lowers them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.corpora.clips import map_threads, measure_clip, place_clip
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.splits import kind_of, text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError, ConfigError, explain

DESCRIPTION = "LibriSpeech: English audio books with transcripts, 960 h (CC BY 4.0)"
REQUIRES_SOURCE = True
SUBSETS = {
    "test-clean": "test",
    "test-other": "test_other",
    "dev-clean": "valid",
    "dev-other": "valid_other",
    "train-clean-100": "train",
    "train-clean-360": "train",
    "train-other-500": "train",
}
"""Split of each subset; held-out ones come first, so that what they hold is known when training comes."""

_NOTES = """
# LibriSpeech

English audio books with their transcripts (doi:10.1109/ICASSP.2015.7178964). Licence: CC BY 4.0. Subsets: {subsets}.

- `valid` is `dev-clean`, `valid_other` is `dev-other`, `test` is `test-clean`, `test_other` is `test-other`; `train` is
  all subsets of training.
- {case}
- Rows of training whose transcript also stands in a held-out split were taken out.
- Every line of the transcripts and every recording is used, or named in `dropped.tsv` with the reason.
"""
_UPPER = (
    "Transcripts are the corpus's own: upper case, no punctuation. Beside a corpus with case and punctuation such as\n"
    "  MuST-C, prepare with `--lower-case`: pieces of words learned there have hardly any words in upper case."
)
_LOWER = "Transcripts were lowered; they have no punctuation, unlike those of MuST-C."


@dataclass(frozen=True)
class Options:
    """Options of ``prepare librispeech``."""

    subsets: str = field(
        default="", metadata={"help": "subsets, by commas (train-clean-100,dev-clean,test-clean); empty: all there are"}
    )
    lower_case: bool = field(
        default=False,
        metadata={
            "help": "lower the transcripts, which are in upper case; fits corpora with case, such as MuST-C, best"
        },
    )
    max_seconds: float = field(default=30.0, metadata={"help": "longest recording that is used in training"})
    absolute: bool = field(
        default=False, metadata={"help": "name recordings by absolute paths, not relative to the output"}
    )
    workers: int = field(default=4, metadata={"help": "threads that decode recordings", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that rows have no translations and name files elsewhere."""
    return {"targets": False, "archive": False}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the number and size of its transcripts."""
    facts: dict[str, int] = {}
    for folder in _find_subsets(source, split_names(options.subsets)):
        sizes = [path.stat().st_size for path in folder.glob("*/*/*.trans.txt")]
        facts |= {f"{folder.name} chapters": len(sizes), f"{folder.name} bytes": sum(sizes)}
    return facts


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare some subsets or all.

    Args:
        source: folder ``LibriSpeech`` of the corpus, or the one that holds it.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: a subset is absent.
    """
    folders = _find_subsets(source, split_names(options.subsets))
    job = _Job(writer, options)
    for folder in folders:
        job.add(folder)
    case = _LOWER if options.lower_case else _UPPER
    writer.add_notes(_NOTES.format(subsets=", ".join(folder.name for folder in folders), case=case))
    credits = "LibriSpeech, https://www.openslr.org/12, by V. Panayotov, G. Chen, D. Povey and S. Khudanpur.\n"
    writer.add_document("CREDITS.txt", f"{credits}Recordings: the volunteers of LibriVox, https://librivox.org/.\n")
    licence = "Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/\n"
    writer.add_document("LICENSE.txt", licence)


@dataclass(frozen=True, slots=True)
class _Utterance:
    """A line of a transcript, or a recording without one.

    Args:
        place: ``19-198.trans.txt:3``, or the recording's file name.
        name: ``19-198-0002``.
        path: the recording.
        text: what is said.
        fault: why it cannot be used; empty where it can.
    """

    place: str
    name: str
    path: Path
    text: str = ""
    fault: str = ""


class _Job:
    """Puts subsets into the output one after another, and remembers what is held out."""

    def __init__(self, writer: CorpusWriter, options: Options) -> None:
        self.writer, self.options = writer, options
        self._texts: dict[bytes, str] = {}  # held-out texts and their kind of split

    def add(self, folder: Path) -> None:
        """Add a subset; held-out ones come before those of training."""
        split = SUBSETS[folder.name]
        measured = map_threads(
            lambda each: measure_clip(each.path, each.place), self._usable(folder, split), self.options.workers
        )
        for utterance, samples in show_progress(measured, None, folder.name):
            self._write(split, utterance, samples)

    def _usable(self, folder: Path, split: str) -> Iterator[_Utterance]:
        for utterance in _read_subset(folder):
            reason = utterance.fault or self._fault(split, utterance)
            if reason:
                self._drop(utterance, reason)
            else:
                yield utterance

    def _fault(self, split: str, utterance: _Utterance) -> str:
        key = text_key(utterance.text)
        if not key:
            return "no words"
        if self._texts.get(key, kind_of(split)) != kind_of(split):
            return "its words are held out"
        if split != "train":
            self._texts[key] = kind_of(split)
        return "" if utterance.path.exists() else "missing recording"

    def _write(self, split: str, utterance: _Utterance, samples: int | AudioError) -> None:
        if isinstance(samples, AudioError):
            self.writer.drop("en", utterance.place, "unreadable recording", str(samples))
            return
        if split == "train" and samples > self.options.max_seconds * SAMPLE_RATE:
            self._drop(utterance, f"longer than {self.options.max_seconds:g} s")
            return
        text = utterance.text.lower() if self.options.lower_case else utterance.text
        item = f"en/{text_key(text).hex()[:16]}"
        row: dict[str, str | int] = {
            "id": utterance.name,
            "audio": place_clip(self.writer, utterance.path, utterance.name, self.options.absolute),
            "n_frames": samples,
            "src_text": text,
            "src_lang": "en",
            "speaker": utterance.name.partition("-")[0],
            "parallel_id": item,
        }
        self.writer.add_row(split, row)
        self.writer.add_text(split, item, "en", text)

    def _drop(self, utterance: _Utterance, reason: str) -> None:
        self.writer.drop("en", utterance.place, reason, f"{utterance.name}: {utterance.text}")


def _find_subsets(source: Path, wanted: Sequence[str]) -> list[Path]:
    """Folders of the subsets, held-out ones first."""
    root = source / "LibriSpeech" if (source / "LibriSpeech").is_dir() else source
    found = {name: root / name for name in SUBSETS if (root / name).is_dir()}
    absent = [name for name in wanted if name not in found]
    if absent or not found:
        rule = f"the folder LibriSpeech with {', '.join(SUBSETS)} or some of them; there: {', '.join(found) or 'none'}"
        mend = "Unpack the archives of https://www.openslr.org/12, or name another folder."
        raise ConfigError(explain("--source", ", ".join(absent) or str(source), rule, "not there", mend))
    return [folder for name, folder in found.items() if not wanted or name in wanted]


def _read_subset(folder: Path) -> Iterator[_Utterance]:
    """Utterances chapter by chapter, those that cannot be used included, with their fault."""
    for chapter in sorted(path for path in folder.glob("*/*") if path.is_dir()):
        named: set[str] = set()
        transcript = chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        lines = transcript.read_bytes().removesuffix(b"\n").split(b"\n") if transcript.is_file() else []
        for number, line in enumerate(lines, 1):
            utterance = _utterance(f"{transcript.name}:{number}", line, chapter, named)
            named.add(utterance.name)
            yield utterance
        for path in sorted(chapter.glob("*.flac")):
            if path.stem not in named:
                yield _Utterance(path.name, path.stem, path, fault="no transcript")


def _utterance(place: str, line: bytes, chapter: Path, named: set[str]) -> _Utterance:
    try:
        name, _, text = line.decode("utf-8").strip().partition(" ")
    except UnicodeDecodeError:
        return _Utterance(place, "", chapter, fault="not UTF-8")
    fault = ""
    if not name.startswith(f"{chapter.parent.name}-{chapter.name}-") or Path(name).name != name:
        fault = "not an utterance of its chapter"
    elif name in named:
        fault = "second transcript of one recording"
    elif not text.strip():
        fault = "empty text"
    return _Utterance(place, name, chapter / f"{name}.flac", text.strip(), fault)
