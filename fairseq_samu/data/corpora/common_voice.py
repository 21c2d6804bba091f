"""Common Voice as it is published: a folder for each language with `validated.tsv`, `dev.tsv`, `test.tsv` and `clips/`.

Layout as the corpus's published reader has it (common_voice_11_0.py of mozilla-foundation/common_voice_11_0 on the
Hugging Face hub): tab-separated without quoting, a header, `.mp3` added to a path that lacks it. Of the columns only
client_id, path and sentence are read, which every release has; later ones add sentence_id, sentence_domain, variant ...
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.corpora.clips import map_threads, measure_clip, place_clip
from fairseq_samu.data.corpora.common_voice_tables import (
    Clip,
    Release,
    find_releases,
    read_clips,
    read_durations,
)
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.recordings import Limits
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

logger = logging.getLogger(__name__)
DESCRIPTION = "Mozilla Common Voice, from its published folders (one or several languages)"
REQUIRES_SOURCE = True
_STATED_SLACK = 0.1  # s; the stated duration of a clip only saves opening those that are far outside

_NOTES = """
# Common Voice

Prepared from the folders that Mozilla publishes. The data set is dedicated to the public domain (CC0 1.0); who
downloads it agrees not to try to find out who its speakers are.

- `test` and `valid` are the corpus's own `test.tsv` and `dev.tsv`, `train` is {train}.tsv without what is held out: no
  sentence of a held-out row{speakers} stands in training, in any language.
- Clips are {shortest:g} to {longest:g} s long{limited}.
- Rows with the same `parallel_id` read the same sentence. `speaker` is the start of the corpus's `client_id`.
- Every row of the tables is used, or named in `dropped.tsv` with the reason.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare common-voice``."""

    languages: str = field(
        default="", metadata={"help": "folders to take from a source that holds several, by commas; empty: all"}
    )
    train_from: str = field(
        default="validated", metadata={"help": "table of the training rows", "choices": ("validated", "train")}
    )
    min_seconds: float = field(default=3.0, metadata={"help": "shortest clip that is used"})
    max_seconds: float = field(default=10.0, metadata={"help": "longest clip that is used"})
    whole_test: bool = field(
        default=False,
        metadata={"help": "keep held-out clips of any length, so that test and validation are the published ones"},
    )
    share_speakers: bool = field(
        default=False, metadata={"help": "keep rows of held-out speakers in training (their sentences are out anyway)"}
    )
    copy: bool = field(
        default=False, metadata={"help": "copy the clips into audio.zip instead of naming them in place"}
    )
    absolute: bool = field(default=False, metadata={"help": "name clips by absolute paths, not relative to the output"})
    workers: int = field(default=4, metadata={"help": "threads that decode clips", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say how the output differs from the usual: no translations, and an archive only for copies."""
    return {"targets": False, "archive": options.copy}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its tables."""
    releases = find_releases(source, split_names(options.languages))
    tables = (path for release in releases for path in sorted(release.folder.glob("*.tsv")))
    return {f"{path.parent.name}/{path.name}": path.stat().st_size for path in tables}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare one or several languages.

    Args:
        source: folder of a language (holds ``validated.tsv`` and ``clips``), or of several such folders.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where the source holds no such folder, or a wanted one is absent.
        ManifestError: where a table lacks a column that is needed.
    """
    releases = find_releases(source, split_names(options.languages))
    job = _Job(writer, options, Limits(options.min_seconds, options.max_seconds, float("inf")))
    # Held-out rows of all languages come first: a sentence may stand in the tables of two languages.
    for split in ("test", "valid"):
        for release in releases:
            job.add(release, split, {"test": "test", "valid": "dev"}[split])
    for release in releases:
        job.add(release, "train", options.train_from)
    speakers = "" if options.share_speakers else " and no speaker of one"
    limits = {"shortest": options.min_seconds, "longest": options.max_seconds}
    limited = " in training, of any length in `valid` and `test`" if options.whole_test else ""
    writer.add_notes(_NOTES.format(train=options.train_from, speakers=speakers, limited=limited, **limits))
    papers = "Mozilla Common Voice, https://commonvoice.mozilla.org/, by its volunteers."
    writer.add_document("CREDITS.txt", papers + "\n")
    writer.add_document("LICENSE.txt", "CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/\n")


class _Job:
    """Puts tables into the output one after another, and remembers what is held out."""

    def __init__(self, writer: CorpusWriter, options: Options, limits: Limits) -> None:
        self.writer, self.options, self.limits = writer, options, limits
        self._seen: set[int] = set()  # hashes of the clips that were met, in all languages
        self._held_out: set[int] = set()  # those of them that stand in held-out tables
        self._sentences: dict[bytes, str] = {}  # held-out sentences and their split
        self._speakers: set[str] = set()

    def add(self, release: Release, split: str, table: str) -> None:
        """Add a table's rows to a split; a table that a release lacks is no fault."""
        path = release.folder / f"{table}.tsv"
        if not path.exists():
            logger.warning("%s: the corpus has no %s", release.folder.name, path.name)
            return
        durations = read_durations(release.folder)
        clips = self._usable(release, split, path, durations)
        measured = map_threads(
            lambda clip: measure_clip(release.clips / clip.path, clip.place), clips, self.options.workers
        )
        for clip, samples in show_progress(measured, None, f"{release.folder.name} {split}"):
            self._write(release, split, clip, samples)

    def _usable(self, release: Release, split: str, path: Path, durations: dict[str, float]) -> Iterator[Clip]:
        for clip in read_clips(path):
            key = hash((release.folder.name, clip.path))
            if split == "train" and key in self._held_out:
                continue  # validated.tsv repeats the rows of the held-out tables, which were used or named there
            reason = clip.fault or self._fault(release, split, clip, durations)
            if key in self._seen and not clip.fault:
                reason = "second row of one clip"
            if not clip.fault:
                self._seen.add(key)
            if not clip.fault and split != "train":
                self._held_out.add(key)
            if reason:
                self._drop(release, clip, reason)
            else:
                yield clip

    def _fault(self, release: Release, split: str, clip: Clip, durations: dict[str, float]) -> str:
        key = text_key(clip.sentence)
        if not key:
            return "no words"
        if split == "train" and clip.speaker in self._speakers and not self.options.share_speakers:
            return "its speaker is held out"
        if self._sentences.get(key, split) != split:
            return "its words are held out"
        if split != "train":
            self._sentences[key] = split
            self._speakers |= {clip.speaker} - {""}
        stated = durations.get(clip.path)
        if stated is not None and self._is_limited(split):
            lowest, highest = self.limits.min_seconds - _STATED_SLACK, self.limits.max_seconds + _STATED_SLACK
            if not lowest <= stated <= highest:
                return self.limits.fault(clip.sentence, stated)
        return "" if (release.clips / clip.path).exists() else "missing clip"

    def _write(self, release: Release, split: str, clip: Clip, samples: int | AudioError) -> None:
        if isinstance(samples, AudioError):
            self.writer.drop(release.lang, clip.place, "unreadable clip", str(samples))
            return
        reason = self.limits.fault(clip.sentence, samples / SAMPLE_RATE) if self._is_limited(split) else ""
        if reason:
            self._drop(release, clip, reason)
            return
        item = f"{release.lang}/{text_key(clip.sentence).hex()[:16]}"
        name = f"{release.folder.name}/{Path(clip.path).stem}"
        row: dict[str, str | int] = {
            "id": name,
            "audio": place_clip(self.writer, release.clips / clip.path, name, self.options.absolute),
            "n_frames": samples,
            "src_text": clip.sentence,
            "src_lang": release.lang,
            "speaker": clip.speaker,
            "parallel_id": item,
        }
        self.writer.add_row(split, row)
        self.writer.add_text(split, item, release.lang, clip.sentence)

    def _is_limited(self, split: str) -> bool:
        return split == "train" or not self.options.whole_test

    def _drop(self, release: Release, clip: Clip, reason: str) -> None:
        self.writer.drop(release.lang, clip.place, reason, f"{clip.path}: {clip.sentence}")
