"""The folder that every preparation makes: manifests, texts, audio, licence and credits, whole or not at all."""

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TextIO

from fairseq_samu.data.audio import audio_samples
from fairseq_samu.data.corpora.audio_zip import AudioZip
from fairseq_samu.data.corpora.describe import describe
from fairseq_samu.data.corpora.splits import SPLITS, kind_of, require_no_leaks
from fairseq_samu.data.corpora.summary import Summary
from fairseq_samu.data.manifest import REQUIRED_COLUMNS, TEXT_PAIR_COLUMNS, read_manifest
from fairseq_samu.data.manifest_scan import scan_header
from fairseq_samu.errors import ManifestError, explain

COLUMNS = ("id", "audio", "n_frames", "src_text", "src_lang", "speaker", "parallel_id")
TARGET_COLUMNS = ("tgt_text", "tgt_lang")
TEXT_COLUMNS = ("parallel_id", "lang", "text", "split")
DROPPED_COLUMNS = ("lang", "item", "reason", "detail")
RECORD = "prepared.json"
VERSION = 1  # of what a preparation makes; raised when the same source and options give another result
_PARTIAL = ".partial"


def clean_cell(text: str) -> str:
    """Replace each run of white space and control characters, which no cell can hold, by one space."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


class CorpusWriter:
    """Writes a prepared corpus into a hidden folder of the output and moves it out when all of it is sound.

    Used as a context: leaving it without an error publishes the files, ``prepared.json`` last; an error or a killed
    process leaves the output without ``prepared.json``, and the next run starts over.

    Args:
        output: folder of the corpus; files in it that are not the corpus's own are left alone.
        corpus: name of the corpus.
        settings: options that the result depends on, kept in ``prepared.json``.
        identity: what tells the source from others, likewise.
        targets: whether rows have ``tgt_text`` and ``tgt_lang``.
        speech: whether rows have recordings; without them they are pairs of texts.
        archive: whether recordings are stored in ``audio.zip``; without it manifests name files elsewhere.
        pairs: whether rows are counted by pair of languages (``cs>fr``), not by the language of the speech.
        shared_texts: whether the same words may stand in several splits, as short answers do in dialogues; what tells
            the splits apart is then the corpus's own business.
    """

    def __init__(
        self,
        output: Path,
        corpus: str,
        settings: Mapping[str, object],
        identity: Mapping[str, object] | None = None,
        targets: bool = True,
        speech: bool = True,
        archive: bool = True,
        pairs: bool = False,
        shared_texts: bool = False,
    ) -> None:
        self.output = output
        self.summary = Summary(corpus)
        self.scratch = output / _PARTIAL
        self._settings = dict(settings)
        self._identity = dict(identity or {})
        of_speech = COLUMNS + TARGET_COLUMNS if targets else COLUMNS
        self._columns: tuple[str, ...] = of_speech if speech else TEXT_PAIR_COLUMNS
        self._archive = archive and speech
        self._pairs = pairs
        self._shared_texts = shared_texts
        self._notes = ""
        self._files: dict[str, TextIO] = {}
        self._seen_texts: set[bytes] = set()

    def __enter__(self) -> "CorpusWriter":
        try:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(parents=True)
            self.zip = AudioZip(self.scratch / "audio.zip") if self._archive else None
        except OSError as error:
            mend = "Name a folder that can be written with --output."
            raise ManifestError(explain("--output", "folder", "writable", error, mend)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        if self.zip:
            self.zip.__exit__(kind, error, trace)
        try:
            if kind is None:
                self._publish()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def store(self, name: str, content: bytes) -> tuple[str, int]:
        """Put an encoded recording into the archive.

        Args:
            name: path inside the archive.
            content: the file.

        Returns:
            What manifests name it, and the samples at 16 kHz that the reader gives for it.

        Raises:
            AudioError: where the reader does not take it; the archive is left as it was.
        """
        if self.zip is None:
            raise ValueError("a corpus without an archive stores no recordings")
        clip = self.scratch / "clip"
        clip.write_bytes(content)
        samples = audio_samples(str(clip), where=name, decode=True)
        clip.unlink()
        return self.zip.add(name, content), samples

    def add_row(self, split: str, row: Mapping[str, str | int]) -> None:
        """Write one row of a manifest.

        Args:
            split: ``train``, ``valid``, ``test``, or a further one that is held out such as ``test_he``.
            row: a value for each column.
        """
        self._write(f"{split}.tsv", self._columns, [str(row[column]) for column in self._columns])
        direction = f"{row['src_lang']}>{row['tgt_lang']}" if self._pairs else str(row["src_lang"])
        key = (direction, split)
        self.summary.rows[key] += 1
        self.summary.samples[key] += int(row.get("n_frames", 0))

    def add_text(self, split: str, item: str, lang: str, text: str) -> None:
        """Write one row of ``texts.tsv``; an item has one text a language, the first that is given."""
        key = hashlib.blake2b(f"{item}\t{lang}".encode(), digest_size=12).digest()
        if key not in self._seen_texts:
            self._seen_texts.add(key)
            self._write("texts.tsv", TEXT_COLUMNS, [item, lang, text, split])
            self.summary.texts += 1

    def drop(self, lang: str, item: str, reason: str, detail: str = "") -> None:
        """Record that a row is not used, and why; all of them are listed in ``dropped.tsv``."""
        self._write("dropped.tsv", DROPPED_COLUMNS, [lang, item, reason, detail])
        self.summary.dropped[lang, reason] += 1

    def drop_text(self, lang: str, item: str, reason: str, text: str) -> None:
        """Record that a text, spoken or not, does not stand in ``texts.tsv``."""
        self._write("dropped.tsv", DROPPED_COLUMNS, [lang, item, f"text: {reason}", text])
        self.summary.texts_left_out += 1

    def add_document(self, name: str, text: str) -> None:
        """Write a text file such as the licence."""
        (self.scratch / name).write_text(text, encoding="utf-8")

    def add_notes(self, text: str) -> None:
        """Set what the corpus's ``README.md`` says before its figures (Markdown)."""
        self._notes = text.strip()

    def _write(self, name: str, columns: tuple[str, ...], values: list[str]) -> None:
        if name not in self._files:
            self._files[name] = (self.scratch / name).open("w", encoding="utf-8", newline="")
            self._files[name].write("\t".join(columns) + "\n")
        self._files[name].write("\t".join(map(clean_cell, values)) + "\n")

    def _publish(self) -> None:
        if not self.summary.rows:
            fault = "\n" + self.summary.table() if self.summary.dropped else ""
            raise ManifestError(
                explain(str(self.output), "corpus", "at least one row", "none", "Check --source.") + fault
            )
        check_splits(self.scratch, self._shared_texts)
        (self.scratch / "clip").unlink(missing_ok=True)
        made = sorted(path for path in self.scratch.iterdir() if path.is_file())
        files = {path.name: _digest(path) for path in made if path.suffix in (".tsv", ".zip")}
        self.add_document("README.md", describe(self.summary, self._notes, self._settings, files))
        made.append(self.scratch / "README.md")
        record = {**self.summary.to_json(), **recipe(self._settings, self._identity), "files": files}
        earlier = _files_of(self.output)
        (self.output / RECORD).unlink(missing_ok=True)
        usual = (*(f"{split}.tsv" for split in SPLITS), "texts.tsv", "dropped.tsv", "audio.zip")
        for name in {*usual, *earlier}:
            if not (self.scratch / name).exists():
                (self.output / name).unlink(missing_ok=True)  # of an earlier preparation with other options
        for path in made:
            path.replace(self.output / path.name)
        temporary = self.scratch / RECORD
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(self.output / RECORD)


def recipe(settings: Mapping[str, object], identity: Mapping[str, object]) -> dict[str, object]:
    """What a prepared corpus depends on, as it stands in ``prepared.json``."""
    return {"version": VERSION, "settings": dict(settings), "identity": dict(identity)}


def finished(
    output: Path, corpus: str, settings: Mapping[str, object], identity: Mapping[str, object] | None = None
) -> Summary | None:
    """Recognise a finished preparation.

    Args:
        output: folder of the corpus.
        corpus: name of the corpus.
        settings: options that the result depends on.
        identity: what tells the source from others.

    Returns:
        What was counted when it was made; None where the folder holds no finished preparation of that corpus with these
        settings, or its files have changed since.
    """
    try:
        record = json.loads((output / RECORD).read_text(encoding="utf-8"))
        wanted = json.loads(json.dumps({"corpus": corpus, **recipe(settings, identity or {})}))
        same = all(record[key] == value for key, value in wanted.items())
        whole = same and all(_digest(output / name) == digest for name, digest in record["files"].items())
        return Summary.from_json(record) if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _files_of(output: Path) -> set[str]:
    """Names of the files of an earlier preparation, further splits included; empty where none can be recognised."""
    try:
        files = json.loads((output / RECORD).read_text(encoding="utf-8"))["files"]
        return {name for name in files if Path(name).name == name}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def check_splits(folder: Path, shared_texts: bool = False) -> None:
    """Check a prepared folder: every manifest reads, and no text of one split stands in another that must not know it.

    Args:
        folder: holds ``train.tsv``, ``valid.tsv``, ``test.tsv`` (those that the corpus has), further splits that are
            held out such as ``test_he.tsv``, and ``texts.tsv``. Splits of one kind may share texts.
        shared_texts: only read them; the same words may stand in several splits.

    Raises:
        ManifestError: with every fault, or every leak.
    """
    texts = {split: _texts_of(folder, split) for split in SPLITS}
    if not shared_texts:
        require_no_leaks(texts)
        return
    for places in texts.values():
        deque(places, maxlen=0)  # reading finds every fault of the files


def _texts_of(folder: Path, split: str) -> Iterator[tuple[str, str]]:
    for path in sorted(path for path in folder.glob(f"{split}*.tsv") if kind_of(path.stem) == split):
        columns = set(scan_header(str(path)))
        required = REQUIRED_COLUMNS if "audio" in columns else TEXT_PAIR_COLUMNS
        for row in read_manifest(path, required):
            for text in (row.src_text, row.tgt_text):
                yield f"{path.name}:{row.line}", text or ""
    path = folder / "texts.tsv"
    if path.exists():
        for row in read_manifest(path, required=TEXT_COLUMNS):
            if kind_of(row.extra["split"]) == split:
                yield f"{path.name}:{row.line}", row.extra["text"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
