"""Tokens of a pre-trained decoder: from the dictionary beside its weights, else from its SentencePiece model."""

from collections.abc import Sequence
from pathlib import Path

from fairseq_samu.data.language_codes import MBART50_CODES
from fairseq_samu.data.sentencepiece_model import list_pieces, load_processor
from fairseq_samu.errors import CheckpointError, ConfigError, explain

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
SENTENCEPIECE_NAMES = ("sentence.bpe.model", "sentencepiece.bpe.model", "sentencepiece.model")
LANGUAGE_LIST = "ML50_langs.txt"
SHARED = 0.5  # of the tokens must be pieces; the rest are tags, and characters that the model does not know
_FIRST_25 = 25  # languages of mBART's first version, which mBART-50's list begins with


def read_sentencepiece(folder: Path) -> bytes:
    """Read the SentencePiece model that lies beside a decoder's weights.

    Raises:
        CheckpointError: when there is none.
    """
    for name in SENTENCEPIECE_NAMES:
        if (folder / name).is_file():
            return (folder / name).read_bytes()
    rule = f"there ({' or '.join(SENTENCEPIECE_NAMES)})"
    mend = "Copy it from where the weights were published; `tokenizer.json` does not replace it."
    raise CheckpointError(explain(str(folder), "SentencePiece model", rule, "missing", mend))


def read_tokens(folder: Path, sentencepiece: bytes, vocabulary_size: int) -> list[str]:
    """List a decoder's tokens by their ids.

    Args:
        folder: with ``dict.txt`` or ``dict.*.txt``, the languages perhaps in ``ML50_langs.txt``.
        sentencepiece: contents of the SentencePiece model, whose pieces are taken where there is no dictionary.
        vocabulary_size: rows of the decoder's embedding.

    Returns:
        ``vocabulary_size`` tokens: four marks, the pieces, and the tags of languages and ``<mask>`` where the
        dictionary itself does not end with them.

    Raises:
        CheckpointError: when the dictionary is damaged, or does not fit the embedding.
    """
    pieces = _list_pieces(folder, sentencepiece)
    dictionary = _find_dictionary(folder)
    if dictionary is not None:
        tokens, source = [*SPECIALS, *_read_dictionary(dictionary)], dictionary.name
        _require_same_pieces(dictionary, tokens, pieces)
    else:
        tokens, source = [*SPECIALS, *(piece for piece in pieces if piece not in SPECIALS)], "SentencePiece model"
    for ending in _endings(folder):
        if len(tokens) + len(ending) == vocabulary_size:
            return tokens + ending
    rule = f"one of {vocabulary_size} tokens, as many as the decoder's embedding has"
    mend = "Use the dictionary and the SentencePiece model that were published with the weights."
    found = f"{len(tokens)} ({source}; mBART-50 adds 52 language tags and <mask> to its own)"
    raise CheckpointError(explain(str(folder), "dictionary", rule, found, mend))


def _list_pieces(folder: Path, sentencepiece: bytes) -> list[str]:
    try:
        return list_pieces(load_processor(sentencepiece, str(folder)))
    except ConfigError as error:
        raise CheckpointError(str(error)) from error


def _require_same_pieces(dictionary: Path, tokens: Sequence[str], pieces: Sequence[str]) -> None:
    """Refuse a dictionary of another SentencePiece model, with which nearly every text would be unknown."""
    common = len({*tokens} & {*pieces})
    if common < SHARED * min(len(tokens), len(pieces)):
        rule = f"of the pieces of the SentencePiece model beside it ({len(pieces)})"
        mend = "Put the model there that the decoder's texts were cut into pieces with."
        found = f"{len(tokens)} tokens of which {common} are pieces"
        raise CheckpointError(explain(str(dictionary), "dictionary", rule, found, mend))


def _endings(folder: Path) -> list[list[str]]:
    """What may follow the dictionary: nothing, or tags and ``<mask>``."""
    listed: list[Sequence[str]] = [MBART50_CODES, MBART50_CODES[:_FIRST_25]]
    path = folder / LANGUAGE_LIST
    if path.is_file():
        listed.insert(0, path.read_text(encoding="utf-8").split())
    return [[], *([*(f"[{code}]" for code in codes), MASK] for codes in listed)]


def _find_dictionary(folder: Path) -> Path | None:
    if (folder / "dict.txt").is_file():
        return folder / "dict.txt"
    found = sorted(folder.glob("dict.*.txt"))
    # One decoder writes all languages, so their dictionaries have to be one.
    for other in found[1:]:
        if other.read_bytes() != found[0].read_bytes():
            rule = f"equal to {found[0].name}, because one decoder writes all languages"
            mend = "Copy the one of the target languages to `dict.txt`."
            raise CheckpointError(explain(str(other), "dictionary", rule, "another", mend))
    return found[0] if found else None


def _read_dictionary(path: Path) -> list[str]:
    """Read fairseq's dictionary file: a token and its count on each line, in the order of the ids."""
    tokens: list[str] = []
    seen = set(SPECIALS)
    mend = "Use the file that was published with the weights."
    # Not `splitlines`: among the pieces are characters that it takes for ends of lines.
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), 1):
        token, _, count = line.rstrip().rpartition(" ")
        if not token or not count.lstrip("-").isdigit():
            raise CheckpointError(explain(f"{path}:{number}", "line", "a token and its count", line[:80], mend))
        if token in seen:
            raise CheckpointError(explain(f"{path}:{number}", "token", "listed once", token, mend))
        seen.add(token)
        tokens.append(token)
    return tokens
