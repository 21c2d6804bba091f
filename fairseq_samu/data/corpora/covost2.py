"""CoVoST 2 (arXiv:2007.10310): translations of Common Voice 4, 21 languages into English and English into 15.

Needs Common Voice 4 (``LANG/validated.tsv``, ``LANG/clips``) and the published tables of translations, see
:mod:`~fairseq_samu.data.corpora.covost2_tables`. Languages and splits are those of the tables; the paper's test set
stays as it is, less what cannot be read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.corpora.clips import map_threads, measure_clip, place_clip
from fairseq_samu.data.corpora.covost2_tables import Direction, Utterance, find_directions, join_tables
from fairseq_samu.data.corpora.names import choose_languages, split_names
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

DESCRIPTION = "CoVoST 2: Common Voice 4 with translations into English and out of it"
REQUIRES_SOURCE = True
HELD_OUT = ("test", "valid")

_NOTES = """
# CoVoST 2

Speech of Common Voice 4 with the translations of CoVoST 2 (arXiv:2007.10310), both dedicated to the public domain
(CC0 1.0).

- Splits are the published ones: `train` is `train` and `train_covost`, `valid` is `dev`. Rows of training whose
  sentence or translation also stands in a held-out split, in any language, were taken out, and rows of `valid` that
  stand in `test`.
- Rows with the same `parallel_id` say the same sentence. `speaker` is the start of the corpus's `client_id`.
- Languages of speech in `train` and `valid`: {languages}.
- Every row of the tables is used, or named in `dropped.tsv` with the reason.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare covost2``."""

    pairs: str = field(
        default="",
        metadata={"help": "language pairs, by commas and named as the tables are (fr_en,en_de,sv-SE_en); empty: all"},
    )
    train_languages: str = field(
        default="",
        metadata={"help": "languages of speech in train and valid, by commas; test keeps all; empty: all"},
    )
    max_seconds: float = field(default=30.0, metadata={"help": "longest clip that is used in training"})
    copy: bool = field(
        default=False, metadata={"help": "copy the clips into audio.zip instead of naming them in place"}
    )
    absolute: bool = field(default=False, metadata={"help": "name clips by absolute paths, not relative to the output"})
    workers: int = field(default=4, metadata={"help": "threads that decode clips", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say how the output differs from the usual: counted by pair, and an archive only for copies."""
    return {"pairs": True, "archive": options.copy}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its tables."""
    directions = find_directions(source, split_names(options.pairs))
    tables = {path for each in directions for path in (each.table, each.release.folder / "validated.tsv")}
    return {f"{path.resolve().parent.name}/{path.name}": path.stat().st_size for path in sorted(tables)}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare one or several language pairs.

    Args:
        source: folder of Common Voice 4 with a folder for each language, or one of these.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where a language pair or its recordings are absent.
        ManifestError: where a table lacks a column that is needed.
    """
    directions = find_directions(source, split_names(options.pairs))
    trained = choose_languages(options.train_languages, {each.release.lang for each in directions}, "--train-languages")
    job = _Job(writer, options, directions)
    # Held-out rows of all pairs come first: a sentence or a translation may stand in the tables of two pairs.
    for split in (*HELD_OUT, "train"):
        for direction in directions:
            if split == "test" or direction.release.lang in trained:
                job.add(direction, split)
    writer.add_notes(_NOTES.format(languages=", ".join(sorted(trained))))
    credits = "Common Voice, https://commonvoice.mozilla.org/, by its volunteers.\nCoVoST 2, arXiv:2007.10310.\n"
    writer.add_document("CREDITS.txt", credits)
    writer.add_document("LICENSE.txt", "CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/\n")


class _Job:
    """Puts pairs into the output one after another, and remembers what is held out."""

    def __init__(self, writer: CorpusWriter, options: Options, directions: list[Direction]) -> None:
        self.writer, self.options = writer, options
        sources = [direction.release.lang for direction in directions]
        self._several = {lang for lang in sources if sources.count(lang) > 1}
        self._held_out: dict[bytes, str] = {}  # texts of the held-out splits, and the split
        self._clips: dict[tuple[str, str], tuple[str, int]] = {}  # of clips with several pairs: place, samples

    def add(self, direction: Direction, split: str) -> None:
        """Add a pair's rows of a split; ``test`` and ``valid`` of all pairs come before ``train``."""
        usable = self._usable(direction, split)
        measured = map_threads(lambda each: self._measure(direction, each), usable, self.options.workers)
        for utterance, samples in show_progress(measured, None, f"{direction.name} {split}"):
            self._write(direction, split, utterance, samples)

    def _usable(self, direction: Direction, split: str) -> Iterator[Utterance]:
        for utterance in join_tables(direction):
            # Rows that belong to no split are named once, on the first of the three ways through the tables.
            if (utterance.translation.split or "test") == split:
                reason = utterance.fault or self._fault(direction, split, utterance)
                if reason:
                    self._drop(direction, utterance, reason)
                else:
                    yield utterance

    def _fault(self, direction: Direction, split: str, utterance: Utterance) -> str:
        keys = [text_key(text) for text in (utterance.clip.sentence, utterance.translation.text)]
        if not all(keys):
            return "no words"
        if any(self._held_out.get(key, split) != split for key in keys):
            return "its words are held out"
        if split in HELD_OUT:
            self._held_out.update(dict.fromkeys(keys, split))
        return "" if (direction.release.clips / utterance.clip.path).exists() else "missing clip"

    def _measure(self, direction: Direction, utterance: Utterance) -> int | AudioError:
        known = self._clips.get((direction.release.lang, utterance.clip.path))
        if known is not None:
            return known[1]
        return measure_clip(direction.release.clips / utterance.clip.path, utterance.clip.place)

    def _write(self, direction: Direction, split: str, utterance: Utterance, samples: int | AudioError) -> None:
        release, clip, target = direction.release, utterance.clip, direction.target
        if isinstance(samples, AudioError):
            self.writer.drop(release.lang, utterance.translation.place, "unreadable clip", str(samples))
            return
        if split == "train" and samples > self.options.max_seconds * SAMPLE_RATE:
            self._drop(direction, utterance, f"longer than {self.options.max_seconds:g} s")
            return
        name, item = f"{release.folder.name}/{Path(clip.path).stem}", text_key(clip.sentence).hex()[:16]
        row: dict[str, str | int] = {
            "id": f"{name}>{target}" if release.lang in self._several else name,
            "audio": self._place(direction, clip.path, name, samples),
            "n_frames": samples,
            "src_text": clip.sentence,
            "src_lang": release.lang,
            "speaker": clip.speaker,
            "parallel_id": f"{release.lang}/{item}",
            "tgt_text": utterance.translation.text,
            "tgt_lang": target,
        }
        self.writer.add_row(split, row)
        self.writer.add_text(split, f"{release.lang}/{item}", release.lang, clip.sentence)
        self.writer.add_text(split, f"{release.lang}/{item}", target, utterance.translation.text)

    def _place(self, direction: Direction, path: str, name: str, samples: int) -> str:
        key = (direction.release.lang, path)
        if key in self._clips:
            return self._clips[key][0]
        spec = place_clip(self.writer, direction.release.clips / path, name, self.options.absolute)
        if direction.release.lang in self._several:
            self._clips[key] = (spec, samples)
        return spec

    def _drop(self, direction: Direction, utterance: Utterance, reason: str) -> None:
        translation = utterance.translation
        detail = f"{translation.path}: {translation.text or utterance.clip.sentence}"
        self.writer.drop(direction.release.lang, translation.place, reason, detail)
