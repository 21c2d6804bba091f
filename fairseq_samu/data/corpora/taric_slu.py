"""TARIC-SLU: dialogues at Tunisian ticket offices with concepts (LREC-COLING 2024, 2024.lrec-main.1357).

The corpus is given out on request and announced with a recipe for SpeechBrain; its layout is described nowhere in
public. Tables are therefore read in the form that SpeechBrain's recipes of the same group write and read them
(``recipes/MEDIA/media_prepare.py``): ``train.csv``, ``dev.csv`` and ``test.csv`` with the columns ``wav`` (a path,
``$data_root`` stands for the source), ``wrd`` (the annotated words, ``<concept> words >``), and, where they are there,
``start`` and ``stop`` (seconds) and ``spk_id``. Other columns are passed over; other names of files and columns are
options. Without ``start`` and ``stop`` a row is a whole recording.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.audio import SAMPLE_RATE, audio_samples
from fairseq_samu.data.corpora.annotated_segments import SPLIT_ORDER, AnnotatedSegment, write_segments
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.semantic_turns import seconds
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import AudioError, ConfigError, ManifestError, explain

DESCRIPTION = "TARIC-SLU: Tunisian Arabic at railway ticket offices with concepts (CC BY-NC 4.0)"
REQUIRES_SOURCE = True

_NOTES = """
# TARIC-SLU

Dialogues at the ticket offices of Tunisian railway stations with concepts (2024.lrec-main.1357).

- `src_text` is the transcript, `tgt_text` the same words with their concepts, named as in the corpus.
- Splits are the published ones, apart by recording; short answers stand in all of them.
- Every row of the tables is used, or named in `dropped.tsv` with the reason.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare taric-slu``."""

    tables: str = field(
        default="train.csv,dev.csv,test.csv",
        metadata={"help": "tables of training, validation and test below the source, by commas"},
    )
    text_column: str = field(default="wrd", metadata={"help": "column of the annotated words"})
    audio_column: str = field(default="wav", metadata={"help": "column of the recording's path"})
    speaker_column: str = field(default="spk_id", metadata={"help": "column of the speaker, where there is one"})
    language: str = field(default="aeb", metadata={"help": "language of speech and annotation"})
    max_seconds: float = field(default=30.0, metadata={"help": "longest segment that is used in training"})
    workers: int = field(default=4, metadata={"help": "threads that decode recordings", "affects_result": False})


def layout(options: Options) -> dict[str, bool]:
    """Say that the same short answers stand in several splits."""
    return {"shared_texts": True}


def identify(source: Path, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its tables."""
    return {path.name: path.stat().st_size for path in find_tables(source, options).values()}


def prepare(source: Path, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare the corpus.

    Args:
        source: folder that holds the tables; relative paths in them start there.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where a table is absent, or the language is unknown.
        ManifestError: where a table lacks a column that is needed.
    """
    lang = canonical_language(options.language)
    if lang is None:
        rule, mend = "a code of ISO 639", "Tunisian Arabic is aeb."
        raise ConfigError(explain("--language", "language", rule, options.language, mend))
    tables = find_tables(source, options)
    segments = (segment for split, table in tables.items() for segment in read_table(source, table, split, options))
    write_segments(writer, lang, segments, options.max_seconds, options.workers)
    writer.add_notes(_NOTES)
    writer.add_document("CREDITS.txt", "TARIC-SLU, https://aclanthology.org/2024.lrec-main.1357.\n")
    licence = "Creative Commons Attribution-NonCommercial 4.0, https://creativecommons.org/licenses/by-nc/4.0/\n"
    writer.add_document("LICENSE.txt", licence)


def find_tables(source: Path, options: Options) -> dict[str, Path]:
    """Find the tables of a source.

    Args:
        source: folder that holds them.
        options: see there.

    Returns:
        The table of each split, test first.

    Raises:
        ConfigError: where one is absent, or there are not three.
    """
    names = split_names(options.tables)
    if len(names) != 3:
        mend = "Name those of training, validation and test."
        raise ConfigError(explain("--tables", "tables", "three, by commas", options.tables, mend))
    paths = {split: source / name for split, name in zip(("train", "valid", "test"), names, strict=True)}
    absent = [path.name for path in paths.values() if not path.is_file()]
    if absent:
        mend = "Name the folder that holds them, or the tables with --tables."
        raise ConfigError(explain("--source", ", ".join(absent), f"in {source}", "not there", mend))
    return {split: paths[split] for split in SPLIT_ORDER}


def read_table(source: Path, table: Path, split: str, options: Options) -> Iterator[AnnotatedSegment]:
    """Read the rows of a table.

    Args:
        source: what ``$data_root`` and relative paths stand for.
        table: the table.
        split: that it is.
        options: see there.

    Yields:
        Each row, those that cannot be used included, with their fault.

    Raises:
        ManifestError: where its header lacks a column that is needed.
    """
    text = table.read_bytes().decode("utf-8-sig", "surrogateescape")
    rows = csv.reader(io.StringIO(text, newline=""))
    header = next(rows, [])
    missing = [name for name in (options.audio_column, options.text_column) if name not in header]
    if missing:
        mend = "Name its columns with --audio-column and --text-column."
        raise ManifestError(explain(f"{table}:1", ", ".join(missing), "in the header", ", ".join(header), mend))
    start = rows.line_num + 1
    for values in rows:
        place, start = f"{table.name}:{start}", rows.line_num + 1
        if not values:
            continue
        if any("\udc80" <= char <= "\udcff" for value in values for char in value):
            yield AnnotatedSegment(place, split, "", fault="not UTF-8")
        elif len(values) != len(header):
            yield AnnotatedSegment(place, split, "", fault="wrong number of columns", detail=f"{len(values)}")
        else:
            yield _segment(source, place, split, dict(zip(header, values, strict=True)), options)


def _segment(source: Path, place: str, split: str, row: Mapping[str, str], options: Options) -> AnnotatedSegment:
    name = row[options.audio_column].strip().replace("$data_root", str(source))
    text = " ".join(row[options.text_column].split())
    if not name:
        return AnnotatedSegment(place, split, "", fault="no recording named", detail=text)
    path = source / name
    if not path.is_file():
        return AnnotatedSegment(place, split, path.stem, fault="missing recording", detail=text)
    if "start" in row and "stop" in row:
        start, end = seconds(row["start"]), seconds(row["stop"])
    else:
        try:
            start, end = 0.0, audio_samples(str(path), where=place) / SAMPLE_RATE
        except AudioError as error:
            return AnnotatedSegment(place, split, path.stem, fault="unreadable recording", detail=str(error))
    if math.isnan(start) or math.isnan(end):
        return AnnotatedSegment(place, split, path.stem, fault="time that is no number", detail=text)
    speaker = row.get(options.speaker_column, "").strip()
    return AnnotatedSegment(place, split, path.stem, path, start, end, text, speaker)
