"""SLURP: English commands to a voice assistant with entities and intents (arXiv:2011.13205).

The layout is described in :mod:`~fairseq_samu.data.corpora.slurp_tables`; recordings are ``slurp_real/*.flac`` and
``slurp_synth/*.flac``. Entities become concepts. The intent (scenario and action) is no word that is said, so it stands
in the annotation only with ``--intent``: first, as a concept of its own with the intent's name as its one word
(``<intent> alarm_set > wake me up at <time> eight >``), as ESPnet's ``egs2/slurp`` puts it before the words.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.concepts import CLOSE, escape
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.corpora.annotated_segments import SPLIT_ORDER, find_fault, text_cells
from fairseq_samu.data.corpora.clips import map_threads, measure_clip, place_clip
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.slurp_tables import Prompt, read_prompts, read_speakers
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError, ConfigError, explain

DESCRIPTION = "SLURP: English commands to a voice assistant with entities (CC BY 4.0, speech CC BY-NC 4.0)"
REQUIRES_SOURCE = True

_LISTS = {"test": ("test.jsonl",), "valid": ("devel.jsonl",), "train": ("train.jsonl", "train_real.jsonl")}
_SYNTHETIC = "train_synthetic.jsonl"
_HEADSET = "-headset"

_NOTES = """
# SLURP

English commands to a voice assistant (arXiv:2011.13205), recorded by many people.

- `src_text` is the sentence, `tgt_text` the same words with their entities as concepts{intent}.
- Splits are the published ones, `valid` is `devel`; the same sentence may stand in several of them.
- `speaker` is the corpus's `usrid`. Microphones: {microphone}.
- Every recording of the lists is used, or named in `dropped.tsv` with the reason.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare slurp``."""

    microphone: str = field(
        default="all",
        metadata={
            "help": "recordings by close microphone, by distant one, or both",
            "choices": ("all", "headset", "far"),
        },
    )
    intent: bool = field(default=False, metadata={"help": "begin each annotation with a concept for the intent"})
    synthetic: bool = field(default=False, metadata={"help": "also use the synthetic speech for training"})
    max_seconds: float = field(default=30.0, metadata={"help": "longest recording that is used in training"})
    copy: bool = field(
        default=False, metadata={"help": "copy recordings into audio.zip instead of naming them in place"}
    )
    absolute: bool = field(
        default=False, metadata={"help": "name recordings by absolute paths, not relative to the output"}
    )
    workers: int = field(default=4, metadata={"help": "threads that decode recordings", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that a sentence may stand in several splits, and that there is an archive only for copies."""
    return {"shared_texts": True, "archive": options.copy}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its lists."""
    lists = [path for paths in find_lists(source, options.synthetic).values() for path in paths]
    return {path.name: path.stat().st_size for path in lists}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare the corpus.

    Args:
        source: folder that holds the corpus's repository and, anywhere below, its unpacked recordings.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where a list or a folder of recordings is absent.
        ManifestError: where ``metadata.json`` is of another form.
    """
    lists = find_lists(source, options.synthetic)
    job = _Job(writer, options, read_speakers(lists["test"][0].parent / "metadata.json"))
    for split, paths in lists.items():
        for path in paths:
            synthetic = path.name == _SYNTHETIC
            job.add(path, find_folder(source, "slurp_synth" if synthetic else "slurp_real"), split, synthetic)
    intent = ", after the intent as a concept `intent`" if options.intent else ""
    writer.add_notes(_NOTES.format(intent=intent, microphone=options.microphone))
    writer.add_document("CREDITS.txt", "SLURP, https://github.com/pswietojanski/slurp, arXiv:2011.13205.\n")
    licence = "Texts: Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/\n"
    licence += "Speech: Attribution-NonCommercial 4.0, https://creativecommons.org/licenses/by-nc/4.0/\n"
    writer.add_document("LICENSE.txt", licence)


def find_lists(source: Path, synthetic: bool) -> dict[str, list[Path]]:
    """Find the lists of prompts.

    Args:
        source: the corpus's repository, or the folder of its lists.
        synthetic: whether that of synthetic speech is wanted too.

    Returns:
        Those of each split, test first.

    Raises:
        ConfigError: where one is absent.
    """
    folder = source / "dataset" / "slurp"
    folder = folder if folder.is_dir() else source
    wanted = {split: [_LISTS[split]] for split in SPLIT_ORDER}
    if synthetic:
        wanted["train"].append((_SYNTHETIC,))
    found: dict[str, list[Path]] = {}
    for split, lists in wanted.items():
        for names in lists:
            path = next((folder / name for name in names if (folder / name).is_file()), None)
            if path is None:
                mend = "Clone https://github.com/pswietojanski/slurp, or name another folder."
                raise ConfigError(explain("--source", names[0], f"in {folder}", "not there", mend))
            found.setdefault(split, []).append(path)
    return found


def find_folder(source: Path, name: str) -> Path:
    """Find a folder of recordings below the source.

    Raises:
        ConfigError: where it is absent.
    """
    near = (source / name, source / "audio" / name, source / "scripts" / "audio" / name)
    found = next((path for path in near if path.is_dir()), None) or next(source.rglob(f"{name}/"), None)
    if found is None:
        mend = f"Unpack {name}.tar.gz of https://zenodo.org/record/4274930 there."
        raise ConfigError(explain("--source", name, f"below {source}", "not there", mend))
    return found


@dataclass(frozen=True, slots=True)
class _Recording:
    """A usable recording."""

    path: Path
    prompt: Prompt
    speaker: str

    @property
    def place(self) -> str:
        """Where the lists have it."""
        return f"{self.prompt.place} {self.path.name}"


class _Job:
    """Puts one list after another into the output, and remembers which recordings have come."""

    def __init__(self, writer: CorpusWriter, options: Options, speakers: dict[str, str]) -> None:
        self.writer, self.options, self._speakers = writer, options, speakers
        self._seen: set[str] = set()

    def add(self, path: Path, folder: Path, split: str, synthetic: bool) -> None:
        """Add the recordings of a list."""
        usable = self._usable(path, folder, synthetic)
        measured = map_threads(lambda each: measure_clip(each.path, each.place), usable, self.options.workers)
        for recording, samples in show_progress(measured, None, path.name):
            self._write(split, recording, samples)

    def _usable(self, path: Path, folder: Path, synthetic: bool) -> Iterator[_Recording]:
        for prompt in read_prompts(path):
            fault, detail = (prompt.fault, prompt.detail) if prompt.fault else find_fault(prompt.text)
            if fault:
                self.writer.drop("en", prompt.place, fault, detail)
                continue
            for name in prompt.files:
                speaker = "synthetic" if synthetic else self._speakers.get(name, "")
                recording = _Recording(folder / name, prompt, speaker)
                fault = self._fault(recording, synthetic)
                if fault:
                    self.writer.drop("en", recording.place, fault, prompt.sentence)
                else:
                    yield recording

    def _fault(self, recording: _Recording, synthetic: bool) -> str:
        name = recording.path.name
        if name in self._seen:
            return "second prompt of one recording"
        self._seen.add(name)
        headset = recording.path.stem.endswith(_HEADSET)
        if self.options.microphone != "all" and not synthetic and headset != (self.options.microphone == "headset"):
            return "other microphone"
        return "" if recording.path.is_file() else "missing recording"

    def _write(self, split: str, recording: _Recording, samples: int | AudioError) -> None:
        prompt, path = recording.prompt, recording.path
        if isinstance(samples, AudioError):
            self.writer.drop("en", recording.place, "unreadable recording", str(samples))
            return
        if split == "train" and samples > self.options.max_seconds * SAMPLE_RATE:
            limit = f"longer than {self.options.max_seconds:g} s"
            self.writer.drop("en", recording.place, limit, prompt.sentence)
            return
        intent = f"<intent> {escape(prompt.intent)} {CLOSE} " if self.options.intent else ""
        cells = text_cells("en", prompt.sentence, intent + prompt.text)
        spec = place_clip(self.writer, path, f"{path.parent.name}/{path.stem}", self.options.absolute)
        row = {"id": path.stem, "audio": spec, "n_frames": samples, "speaker": recording.speaker, **cells}
        self.writer.add_row(split, row)
        self.writer.add_text(split, str(cells["parallel_id"]), "en", prompt.sentence)
