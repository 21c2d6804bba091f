"""Training of a SentencePiece model on the texts of manifests, never on those that a model is measured with."""

import hashlib
import io
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import Row, read_manifest
from fairseq_samu.data.manifest_scan import scan_header
from fairseq_samu.data.sentencepiece_model import load_processor
from fairseq_samu.data.whole_file import write_whole
from fairseq_samu.errors import ConfigError, ManifestError, explain

logger = logging.getLogger(__name__)
MODEL_TYPES = ("unigram", "bpe", "char")
MODEL, RECORD = "sentencepiece.model", "sentencepiece.json"

_LANGUAGE_OF = {"tgt_text": "tgt_lang", "src_text": "src_lang", "text": "lang"}
_EVALUATION = frozenset({"test", "valid", "validation", "dev", "eval"})
_THREADS = 4  # sums are made thread by thread, so that the number of threads belongs to the result
_LONGEST = 1 << 24  # bytes; with its own default the library leaves out longer texts without a word
_TOO_HIGH = re.compile(r"Please set it to a value <= (\d+)")
_TOO_LOW = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


@dataclass(frozen=True)
class SentencePieceOptions:
    """How a model is trained.

    Args:
        size: number of pieces, ``<unk> <s> </s>`` among them; for ``char`` the greatest number.
        model_type: ``unigram``, ``bpe`` or ``char``.
    """

    size: int = 8000
    model_type: str = "unigram"

    def __post_init__(self) -> None:
        if self.model_type not in MODEL_TYPES:
            mend = "Change --model-type."
            raise ConfigError(explain("", "model_type", f"one of {', '.join(MODEL_TYPES)}", self.model_type, mend))
        if self.size < 4:
            raise ConfigError(explain("", "size", "at least 4 pieces", self.size, "Change --size."))


def collect_texts(
    paths: Sequence[Path], columns: Sequence[str] = ("tgt_text",), languages: Sequence[str] = ()
) -> list[str]:
    """Read the texts of some files, each text once.

    Args:
        paths: manifests (``.tsv``), of which ``columns`` are read; tables of texts (``texts.tsv``), of which the rows
            of the training split are read; any other file is plain UTF-8 with one text a line.
        columns: columns of manifests with texts; those that a manifest lacks are passed over, but one must be there.
        languages: codes of the languages to read from manifests and tables; empty for all.

    Returns:
        The texts in the order of the files, without repetitions.

    Raises:
        ConfigError: a file is of an evaluation split by its name, or no text is left.
        ManifestError: a file cannot be read, or lacks the columns.
    """
    require_training_texts(paths)
    unknown = [code for code in languages if canonical_language(code) is None]
    if unknown:
        mend = "Use codes of ISO 639 or mBART-50."
        raise ConfigError(explain("--languages", "language", "a known code", ", ".join(unknown), mend))
    wanted = {canonical_language(code) or "" for code in languages}
    texts: dict[str, None] = {}
    for path in paths:
        rows = _read_table(path, columns, wanted) if path.suffix == ".tsv" else read_text_lines(path)
        texts.update(dict.fromkeys(" ".join(text.split()) for text in rows))
    texts.pop("", None)
    if not texts:
        mend = "Check --columns and --languages."
        raise ConfigError(explain(", ".join(map(str, paths)), "texts", "there to train on", "none", mend))
    return list(texts)


def require_training_texts(paths: Sequence[Path]) -> None:
    """Refuse files of evaluation splits, by their names.

    Raises:
        ConfigError: naming all of them.
    """
    held_out = [str(path) for path in paths if _EVALUATION & set(re.split(r"[^a-z]+", path.name.lower()))]
    if held_out:
        mend = "Train on texts that nothing is measured with."
        raise ConfigError(explain("", "file", "of no evaluation split", ", ".join(held_out), mend))


def _read_table(path: Path, columns: Sequence[str], languages: set[str]) -> Iterator[str]:
    header = scan_header(str(path))
    is_table = "audio" not in header and {"text", "lang"} <= set(header)
    found = ["text"] if is_table else [column for column in columns if column in header]
    needed = [language_column(column) for column in found] if languages else []
    missing = list(columns) if not found else [column for column in needed if column not in header]
    if missing:
        mend = "Name others with --columns." if not found else "Leave --languages out."
        raise ManifestError(explain(f"{path}:1", ", ".join(missing), "in the header", ", ".join(header), mend))
    for row in read_manifest(path, required=()):
        cells = _cells(row)
        if is_table and cells.get("split", "train") != "train":
            continue
        for column in found:
            if not languages or canonical_language(cells[language_column(column)] or "") in languages:
                yield cells[column] or ""


def language_column(column: str) -> str:
    """Name of the column with the language of a column's texts."""
    return _LANGUAGE_OF.get(column, f"{column}_lang")


def _cells(row: Row) -> dict[str, str | None]:
    known = {"src_text": row.src_text, "tgt_text": row.tgt_text, "src_lang": row.src_lang, "tgt_lang": row.tgt_lang}
    return {**known, **row.extra}


def read_text_lines(path: Path) -> list[str]:
    """Lines of a plain text.

    Raises:
        ManifestError: it is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        mend = "Convert it with iconv."
        raise ManifestError(explain(str(path), "text", "UTF-8", f"byte {error.start} is not", mend)) from error


def train_sentencepiece(texts: Sequence[str], options: SentencePieceOptions) -> bytes:
    """Train a model; equal texts and options give equal bytes.

    Every character of the texts gets a piece (the library's ``character_coverage`` of 1), except for ``char`` models
    with fewer pieces than characters.

    Args:
        texts: in any number of languages.
        options: see there.

    Returns:
        Contents of the model's file.

    Raises:
        ConfigError: the texts are too few for that many pieces, or have more characters.
    """
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=options.size,
            model_type=options.model_type,
            character_coverage=1.0,
            max_sentence_length=_LONGEST,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ConfigError(_word_fault(str(error), options)) from error
    return model.getvalue()


def _word_fault(message: str, options: SentencePieceOptions) -> str:
    """Say which sizes the texts allow."""
    rule = "a size that the texts allow"
    if high := _TOO_HIGH.search(message):
        rule = f"at most {high[1]} for these texts"
    elif low := _TOO_LOW.search(message):
        rule = f"at least {low[1]} for the characters of these texts"
    else:
        logger.warning("sentencepiece: %s", message)
    return explain("", "size", rule, options.size, "Change --size, or train on other texts.")


def write_sentencepiece(output: Path, model: bytes, facts: dict[str, Any]) -> None:
    """Write ``sentencepiece.model``, and ``sentencepiece.json`` behind it; each appears whole or not at all.

    Args:
        output: folder; made where it is not there.
        model: contents of the model's file.
        facts: what the model was made of.

    Raises:
        ConfigError: these are not the contents of a model.
    """
    pieces = load_processor(model).get_piece_size()
    facts = {**facts, "pieces": pieces, "sha256": hashlib.sha256(model).hexdigest()}
    output.mkdir(parents=True, exist_ok=True)
    (output / RECORD).unlink(missing_ok=True)
    write_whole(output / MODEL, model)
    write_whole(output / RECORD, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())


def training_facts(texts: Sequence[str], options: SentencePieceOptions) -> dict[str, Any]:
    """Facts that tell one trained model from another: options, and number and digest of the texts."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return {**asdict(options), "texts": len(texts), "texts_sha256": digest}


def is_written(output: Path, facts: dict[str, Any]) -> bool:
    """Whether a folder holds a whole model that was made of these facts."""
    try:
        record = json.loads((output / RECORD).read_text(encoding="utf-8"))
        same = all(record[key] == value for key, value in facts.items())
        return same and hashlib.sha256((output / MODEL).read_bytes()).hexdigest() == record["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
