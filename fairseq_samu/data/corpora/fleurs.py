"""FLEURS (arXiv:2205.12446): 2009 sentences of FLoRes read in 102 languages, about 10 hours of training in each.

The layout is described in :mod:`~fairseq_samu.data.corpora.fleurs_tables`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.corpora.fleurs_recordings import Placed, place_recordings, require_unpacked
from fairseq_samu.data.corpora.fleurs_tables import TABLES, TRANSCRIPTS, Line, Release, find_releases, read_lines
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.recordings import Limits
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

logger = logging.getLogger(__name__)
DESCRIPTION = "FLEURS: the same 2009 sentences read in 102 languages, from its published folders (CC BY 4.0)"
REQUIRES_SOURCE = True

_NOTES = """
# FLEURS

Sentences of FLoRes, read in many languages (arXiv:2205.12446). Licence: CC BY 4.0. Languages: {languages}.

- `train`, `valid` and `test` are the corpus's own `train.tsv`, `dev.tsv` and `test.tsv`. `src_text` is its
  `{transcript}`{targets}.
- `parallel_id` is the number of the sentence, the same in every language; several people read it. The corpus does not
  name its speakers; those of training are others than those of validation and test.
- A sentence that is held out in one language of the source is held out in all of them, and so are its words: such rows
  were taken out of training, and those of the test out of validation.
- Validation and test hold every recording that can be read. Training leaves out recordings that are longer than
  {max_seconds:g} s or read faster than {fast:g} characters a second: these are broken off.
- Every line of the tables and every recording is used, or named in `dropped.tsv` with the reason.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare fleurs``."""

    languages: str = field(
        default="",
        metadata={"help": "languages of the speech, by commas, as codes (be,ro) or folders (be_by); empty: all"},
    )
    targets: str = field(
        default="",
        metadata={"help": "languages of tgt_text, by commas, from their tables; a row for each one; empty: none"},
    )
    transcript: str = field(
        default=TRANSCRIPTS[0],
        metadata={
            "help": "column of the texts: lower case without punctuation, or as it was written",
            "choices": TRANSCRIPTS,
        },
    )
    max_seconds: float = field(default=30.0, metadata={"help": "longest recording that is used in training"})
    max_chars_per_second: float = field(
        default=30.0, metadata={"help": "fastest recording that is used in training; faster ones are broken off"}
    )
    copy: bool = field(
        default=False,
        metadata={"help": "store the recordings in audio.zip instead of naming them in place; reads audio/*.tar.gz"},
    )
    absolute: bool = field(
        default=False, metadata={"help": "name recordings by absolute paths, not relative to the output"}
    )
    workers: int = field(default=4, metadata={"help": "threads that decode recordings", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that there is an archive only for copies, and translations only where they are asked for."""
    targets = split_names(options.targets)
    return {"targets": bool(targets), "pairs": len(targets) > 1, "archive": options.copy}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its tables, of all languages: each may hold sentences out."""
    tables = (release.table(split) for release in find_releases(source, ()) for split in TABLES)
    return {f"{path.parent.name}/{path.name}": path.stat().st_size for path in tables if path.is_file()}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare one or several languages.

    Args:
        source: the corpus, its folder ``data``, or one language's folder.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: a language is absent, or its recordings are neither unpacked nor to be copied.
    """
    releases = find_releases(source, split_names(options.languages))
    targets = find_releases(source, split_names(options.targets)) if options.targets else []
    if not options.copy:
        require_unpacked(releases)
    job = _Job(writer, options, find_releases(source, ()), targets)
    for split in TABLES:
        for release in releases:
            job.add(release, split)
    translations = f", `tgt_text` that of the same sentence in {', '.join(each.lang for each in targets)}"
    notes = {"languages": ", ".join(release.folder.name for release in releases), "transcript": options.transcript}
    limits = {"max_seconds": options.max_seconds, "fast": options.max_chars_per_second}
    writer.add_notes(_NOTES.format(**notes, targets=translations if targets else "", **limits))
    credits = "FLEURS, https://huggingface.co/datasets/google/fleurs, by A. Conneau, M. Ma, S. Khanuja, Y. Zhang,\n"
    names = "V. Axelrod, S. Dalmia, J. Riesa, C. Rivera and A. Bapna; sentences of FLoRes-101.\n"
    writer.add_document("CREDITS.txt", credits + names)
    licence = "Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/\n"
    writer.add_document("LICENSE.txt", licence)


class _Job:
    """Puts tables into the output one after another; what is held out is known from the start."""

    def __init__(
        self, writer: CorpusWriter, options: Options, everything: Sequence[Release], targets: Sequence[Release]
    ) -> None:
        self.writer, self.options = writer, options
        self._limits = Limits(0.0, options.max_seconds, options.max_chars_per_second)
        self._sentences: dict[str, str] = {}  # held-out sentences and their split
        self._texts: dict[bytes, str] = {}  # held-out texts, likewise
        self._translations = {target.lang: self._texts_of(target) for target in targets}
        for split in ("test", "valid"):
            for release in everything:
                self._hold_out(release, split)

    def _texts_of(self, release: Release) -> dict[str, str]:
        """Text of each sentence of a language, in any split."""
        lines = (line for split in TABLES for line in read_lines(release, split, self.options.transcript))
        texts: dict[str, str] = {}
        for line in lines:
            if line.sentence and line.text:
                texts.setdefault(line.sentence, line.text)
        return texts

    def _hold_out(self, release: Release, split: str) -> None:
        """Remember what a table holds out, whether its recordings can be used or not."""
        for line in read_lines(release, split, self.options.transcript):
            if line.sentence:
                self._sentences.setdefault(line.sentence, split)
                for key in self._keys(line):
                    self._texts.setdefault(key, split)

    def _keys(self, line: Line) -> list[bytes]:
        texts = [line.text, *(texts.get(line.sentence, "") for texts in self._translations.values())]
        return [key for key in map(text_key, texts) if key]

    def add(self, release: Release, split: str) -> None:
        """Add a table's lines to a split; a table that a language lacks is no fault."""
        if not release.table(split).is_file():
            logger.warning("%s: the corpus has no %s", release.folder.name, release.table(split).name)
            return
        usable: dict[str, Line] = {}
        named: set[str] = set()
        for line in read_lines(release, split, self.options.transcript):
            second = "second line of one recording" if line.name in named else ""
            reason = line.fault or second or self._fault(split, line)
            named |= {line.name}
            if reason:
                self._drop(release, line, reason)
            else:
                usable[line.name] = line
        placed = self._place(release, split, usable, named)
        for name, line in usable.items():
            if name in placed:
                self._write(release, split, line, placed[name])
            else:
                self._drop(release, line, "missing recording")

    def _fault(self, split: str, line: Line) -> str:
        if not text_key(line.text):
            return "no words"
        if self._sentences.get(line.sentence, split) != split:
            return "its sentence is held out"
        return "its words are held out" if any(self._texts.get(key, split) != split for key in self._keys(line)) else ""

    def _place(self, release: Release, split: str, lines: dict[str, Line], named: set[str]) -> dict[str, Placed]:
        """Measure the recordings of lines, copy them where that is asked for, and name those without any line."""
        recordings = place_recordings(release, split, lines, self.writer, self.options.absolute, self.options.workers)
        placed: dict[str, Placed] = {}
        for name, found in show_progress(recordings, None, f"{release.folder.name} {split}"):
            if found is not None:
                placed[name] = found
            elif name not in named:
                place = f"{release.folder.name}/audio/{TABLES[split]}/{name}"
                self.writer.drop(release.lang, place, "no transcript")
        return placed

    def _write(self, release: Release, split: str, line: Line, placed: Placed) -> None:
        if isinstance(placed, AudioError):
            self.writer.drop(release.lang, line.place, "unreadable recording", f"{line.name}: {placed}")
            return
        audio, samples = placed
        reason = self._limits.fault(line.text, samples / SAMPLE_RATE) if split == "train" else ""
        if reason:
            self._drop(release, line, reason)
            return
        row: dict[str, str | int] = {
            "id": f"{release.folder.name}/{Path(line.name).stem}",
            "audio": audio,
            "n_frames": samples,
            "src_text": line.text,
            "src_lang": release.lang,
            "speaker": "",
            "parallel_id": f"fleurs/{line.sentence}",
        }
        self.writer.add_text(split, str(row["parallel_id"]), release.lang, line.text)
        if not self._translations:
            self.writer.add_row(split, row)
        for target, texts in self._translations.items():
            self._write_translation(split, line, row, target, texts.get(line.sentence, ""))

    def _write_translation(self, split: str, line: Line, row: dict[str, str | int], target: str, text: str) -> None:
        several = len(self._translations) > 1
        if target == row["src_lang"] and several:
            return  # with several targets its own language is none of them
        if not text_key(text):
            self.writer.drop(str(row["src_lang"]), line.place, f"no text in {target}", f"{line.name}: {line.text}")
            return
        name = f"{row['id']}>{target}" if several else row["id"]
        self.writer.add_row(split, {**row, "id": name, "tgt_text": text, "tgt_lang": target})
        self.writer.add_text(split, str(row["parallel_id"]), target, text)

    def _drop(self, release: Release, line: Line, reason: str) -> None:
        self.writer.drop(release.lang, line.place, reason, f"{line.name}: {line.text}")
