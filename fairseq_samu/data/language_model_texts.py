"""Texts for a language model of the host, in the very tokens that a decoder writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from fairseq.data import Dictionary, indexed_dataset

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.manifest_scan import scan_header
from fairseq_samu.data.sentencepiece_training import language_column, read_text_lines, require_training_texts
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, ManifestError, explain

DICTIONARY = "dict.txt"
"""Name by which the host looks for a language model's tokens."""


def read_tagged_texts(
    paths: Sequence[Path], split: str, column: str = "src_text", language: str = "", languages: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Read texts with their languages, each once.

    Args:
        paths: manifests (``.tsv``), of which ``column`` is read; tables of texts (``texts.tsv``), of which the rows of
            ``split`` are read; any other file is plain UTF-8 with one text a line.
        split: ``train`` or ``valid``; for training, files of evaluation splits are refused by their names.
        column: column of manifests with texts.
        language: of the texts in plain files; and of manifests that do not name one.
        languages: codes of the languages to keep; empty for all.

    Returns:
        Text and canonical code of its language, in the order of the files.

    Raises:
        ConfigError: a file is of an evaluation split, a language is unknown or missing, or no text is left.
        ManifestError: a file cannot be read, or lacks a column.
    """
    if split == "train":
        require_training_texts(paths)
    wanted = {_canonical(code) for code in languages}
    found: dict[tuple[str, str], None] = {}
    for path in paths:
        rows = _read_table(path, split, column, language) if path.suffix == ".tsv" else _read_plain(path, language)
        for text, code in rows:
            own = _canonical(code)
            if text.strip() and (not wanted or own in wanted):
                found[" ".join(text.split()), own] = None
    if not found:
        mend = "Check --column and --languages."
        raise ConfigError(explain(", ".join(map(str, paths)), f"texts of {split}", "there", "none", mend))
    return list(found)


def _canonical(code: str) -> str:
    found = canonical_language(code)
    if found is None:
        raise ConfigError(explain("", "language", "a code of ISO 639 or mBART-50", code, "Write it as `be`."))
    return found


def _read_table(path: Path, split: str, column: str, language: str) -> Iterator[tuple[str, str]]:
    header = scan_header(str(path))
    is_table = "audio" not in header and {"text", "lang"} <= set(header)
    text = "text" if is_table else column
    code = language_column(text)
    missing = [name for name in (text, *([] if language else [code])) if name not in header]
    if missing:
        mend = "Name another with --column, or the language with --language."
        raise ManifestError(explain(f"{path}:1", ", ".join(missing), "in the header", ", ".join(header), mend))
    for row in read_manifest(path, required=() if language else (code,)):
        if not is_table or row.extra.get("split", split) == split:
            yield _cell(row, text), _cell(row, code) or language


def _cell(row: object, name: str) -> str:
    return str(getattr(row, name, None) or getattr(row, "extra", {}).get(name) or "")


def _read_plain(path: Path, language: str) -> Iterator[tuple[str, str]]:
    if not language:
        raise ConfigError(explain(str(path), "language", "named for plain text", "", "Give --language."))
    return ((text, language) for text in read_text_lines(path))


def write_dictionary(vocabulary: Vocabulary, folder: Path, force: bool = False) -> Path:
    """Write the tokens as the host reads those of a language model.

    Args:
        vocabulary: of the decoder.
        folder: for ``dict.txt``.
        force: replace one of other tokens.

    Raises:
        ConfigError: there is one of other tokens, or the host would not read these as they are.
    """
    path = folder / DICTIONARY
    if path.exists() and not force and _read_symbols(path) != vocabulary.tokens:
        mend = "Choose another folder, or replace it with --force."
        raise ConfigError(explain(str(path), "dictionary", "of the decoder's tokens", "of others", mend))
    partial = path.with_name(f".{path.name}.partial")
    vocabulary.dictionary.save(str(partial))
    symbols = _read_symbols(partial)
    if symbols != vocabulary.tokens:
        partial.unlink()
        wrong = [token for token in vocabulary.tokens if token not in set(symbols or [])]
        mend = "Train the SentencePiece model on texts without line ends and such."
        raise ConfigError(explain(str(path), "tokens", "readable by the host", f"{wrong[:3]}", mend))
    partial.replace(path)
    return path


def _read_symbols(path: Path) -> list[str] | None:
    try:
        return list(Dictionary.load(str(path)).symbols)
    except (RuntimeError, ValueError):  # none of the host's
        return None


def write_token_lines(vocabulary: Vocabulary, texts: Sequence[tuple[str, str]], folder: Path, split: str) -> int:
    """Write texts as the host reads those of a language model: tag, pieces, end.

    Args:
        vocabulary: of the decoder, with a tag of every language.
        texts: with their languages.
        folder: for ``SPLIT.bin`` and ``SPLIT.idx``.
        split: name of the set.

    Returns:
        Tokens written, tags and ends included.

    Raises:
        ConfigError: a language has no tag.
    """
    for code in dict.fromkeys(code for _, code in texts):
        vocabulary.tag(code)
    paths = [
        Path(name(str(folder / split))) for name in (indexed_dataset.data_file_path, indexed_dataset.index_file_path)
    ]
    partial = [path.with_name(f".{path.name}.partial") for path in paths]
    builder = indexed_dataset.make_builder(str(partial[0]), "mmap", len(vocabulary))
    total = 0
    for text, code in texts:
        tokens = torch.from_numpy(vocabulary.encode(text, code))
        total += len(tokens)
        builder.add_item(tokens)
    builder.finalize(str(partial[1]))
    for written, path in zip(partial, paths, strict=True):
        written.replace(path)
    return total
