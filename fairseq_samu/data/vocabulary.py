"""Pieces, ids and language tags of the text that a decoder writes, in mBART-50's layout (arXiv:2008.00401)."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary
from numpy.typing import NDArray
from torch import Tensor

from fairseq_samu.data.host_dictionary import SPECIALS, fill_dictionary, from_byte_tensor, to_byte_tensor
from fairseq_samu.data.language_tags import find_tags, look_up_tag, order_tags, tag_token
from fairseq_samu.data.sentencepiece_model import byte_pieces, list_pieces, load_processor, switch_off
from fairseq_samu.errors import ConfigError, explain

MASK = "<mask>"
_JOINT = "\0"  # occurs in no piece
_TOKENS, _MODEL = "tokens", "sentencepiece"
_NOT_TEXT = re.compile(r"<s>|<pad>|</s>|<mask>|madeupword\d{4}")


class Vocabulary:
    """Turns texts into the tokens of a decoder and back.

    Ids: ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, the pieces of a SentencePiece model in its order, the language
    tags ``[ar_AR]`` ... in mBART-50's order, and ``<mask>``. A target is ``[tag] pieces </s>``.

    It is built empty and filled in place, because the host asks for the dictionary before the checkpoint that
    holds it is read.

    Attributes:
        dictionary: the host's dictionary; one object for life.
    """

    def __init__(self) -> None:
        self.dictionary = Dictionary()
        self.bos, self.pad, self.eos, self.unk = 0, 1, 2, 3
        self._model = b""
        self._tags: dict[str, int] = {}
        self._processor: Any = None
        self._ids: NDArray[np.int64] | None = None

    @classmethod
    def from_tokens(cls, tokens: Sequence[str], sentencepiece: bytes) -> "Vocabulary":
        """Build from the list of all tokens.

        Args:
            tokens: by their ids, beginning with ``<s> <pad> </s> <unk>``.
            sentencepiece: contents of a SentencePiece model file.

        Raises:
            ConfigError: when the list begins otherwise or repeats a token, or the model is damaged.
        """
        vocabulary = cls()
        vocabulary._fill(list(tokens), sentencepiece)
        vocabulary._prepare()
        return vocabulary

    @classmethod
    def from_sentencepiece(cls, path: str | Path, languages: Sequence[str] | None = None) -> "Vocabulary":
        """Build from a SentencePiece model, as mBART-50 was.

        Args:
            path: the model's file.
            languages: codes (ISO or mBART-50's) that get a tag; None for all 52 of mBART-50.

        Raises:
            ConfigError: when the file cannot be read, or a code is of no language.
        """
        try:
            model = Path(path).read_bytes()
        except OSError as error:
            mend = "Check the path, or train one with `fairseq-samu prepare sentencepiece`."
            rule = f"a readable file ({error.strerror})"
            raise ConfigError(explain("", "sentencepiece model", rule, path, mend)) from error
        pieces = [piece for piece in list_pieces(load_processor(model, str(path))) if piece not in (*SPECIALS, MASK)]
        return cls.from_tokens([*SPECIALS, *pieces, *order_tags(languages), MASK], model)

    def __len__(self) -> int:
        return len(self.dictionary)

    def __getstate__(self) -> dict[str, Any]:
        # Workers build their own processor.
        return {**self.__dict__, "_processor": None, "_ids": None}

    def encode(self, text: str, language: str | None = None) -> NDArray[np.int64]:
        """Encode a text.

        Args:
            text: plain text.
            language: code (ISO or mBART-50's) of the tag in front; None for no tag.

        Returns:
            (U,) ids: tag, pieces, end.

        Raises:
            ConfigError: when there is no tag of the language.
        """
        processor, ids = self._prepare()
        front = [] if language is None else [self.tag(language)]
        pieces = ids[np.asarray(processor.encode(text, out_type=int), dtype=np.int64)]
        return np.concatenate([np.array(front, dtype=np.int64), pieces, np.array([self.eos], dtype=np.int64)])

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        """Turn ids into plain text.

        Args:
            ids: (U,); tags, ends and padding may be among them and are left out.
        """
        numbers = ids.tolist() if isinstance(ids, Tensor) else ids
        return self._join(self.dictionary[int(number)] for number in numbers)

    def decode_pieces(self, pieces: str) -> str:
        """Turn pieces with spaces between them, as the host's dictionary writes them, into plain text."""
        return self._join(pieces.split(" "))

    def tag(self, language: str) -> int:
        """Id of a language's tag.

        Args:
            language: ISO or mBART-50 code.

        Raises:
            ConfigError: when there is no such tag; with those that there are.
        """
        return look_up_tag(self._tags, language)

    @property
    def languages(self) -> list[str]:
        """Canonical codes of the languages that have a tag, in the order of their ids."""
        return list(self._tags)

    @property
    def tag_ids(self) -> set[int]:
        """Ids of all tags."""
        return set(self._tags.values())

    @property
    def tokens(self) -> list[str]:
        """All tokens in the order of their ids."""
        return list(self.dictionary.symbols)

    @property
    def sentencepiece(self) -> bytes:
        """Contents of the SentencePiece model."""
        return self._model

    @property
    def fingerprint(self) -> str:
        """Hash of tokens and SentencePiece model, as 64 hexadecimal digits."""
        digest = hashlib.sha256(_JOINT.join(self.dictionary.symbols).encode("utf-8"))
        digest.update(b"\0\0" + self._model)
        return digest.hexdigest()

    def state_dict(self) -> dict[str, Tensor]:
        """All that there is to save, as tensors of bytes."""
        joined = _JOINT.join(self.dictionary.symbols).encode("utf-8")
        return {_TOKENS: to_byte_tensor(joined), _MODEL: to_byte_tensor(self._model)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Become, in place, what :meth:`state_dict` was taken from.

        Raises:
            ConfigError: when the state is incomplete or damaged.
        """
        if missing := [name for name in (_TOKENS, _MODEL) if not isinstance(state.get(name), Tensor)]:
            rule = f"tensors {_TOKENS} and {_MODEL}"
            raise ConfigError(explain("", "vocabulary", rule, f"without {missing}", "Use a whole checkpoint."))
        joined = from_byte_tensor(state[_TOKENS]).decode("utf-8")
        self._fill(joined.split(_JOINT), from_byte_tensor(state[_MODEL]))

    def kept_ids(self, texts: Iterable[tuple[str, str]], languages: Iterable[str] = ()) -> Tensor:
        """Find what a trimmed vocabulary needs: marks, tags in use, pieces of the texts and their single characters.

        Args:
            texts: (text, code of its language).
            languages: codes of further languages whose tags are kept.

        Returns:
            (V',) int64 ids in ascending order, for :meth:`trim`.

        Raises:
            ConfigError: when there is no tag of a language.
        """
        processor, _ = self._prepare()
        indices = self.dictionary.indices
        kept = {*range(len(SPECIALS)), *(self.tag(language) for language in languages)}
        used: set[int] = set()
        spoken: set[str] = set()
        for text, language in texts:
            used.update(self.encode(text).tolist())
            spoken.add(language)
        characters = {character for number in used - kept for character in self.dictionary[number]}
        for token in (*characters, *byte_pieces(processor), MASK):
            if token in indices:
                used.add(indices[token])
        tags = {self.tag(language) for language in spoken}
        return torch.tensor(sorted(kept | used | tags), dtype=torch.int64)

    def trim(self, kept: Tensor) -> None:
        """Keep some ids only, in place; they are renumbered in the given order.

        Texts are encoded by the pieces that are left: smaller ones, and ``<unk>`` only where none fits.

        Args:
            kept: (V',) int64 ids, beginning with the four marks, as :meth:`kept_ids` gives them.

        Raises:
            ConfigError: when the ids are not such a list.
        """
        ids = kept.tolist()
        marks = list(range(len(SPECIALS)))
        if ids[: len(marks)] != marks or len(set(ids)) != len(ids) or not 0 <= min(ids) <= max(ids) < len(self):
            rule = f"different ids below {len(self)} that begin with 0, 1, 2, 3"
            raise ConfigError(explain("", "kept ids", rule, f"{ids[:6]} ...", "Take what `kept_ids` returns."))
        tokens = [self.dictionary[number] for number in ids]
        self._fill(tokens, switch_off(self._model, set(tokens)))

    def add_language(self, code: str, like: str) -> tuple[int, int]:
        """Append the tag of a language that has none.

        Args:
            code: the language, such as ``be``.
            like: a relative that has a tag, such as ``ru``, whose embedding the new one can begin with.

        Returns:
            Id of the new tag (the last one), and of the relative's.

        Raises:
            ConfigError: when the language is unknown or has a tag, or the relative has none.
        """
        relative = self.tag(like)
        token = tag_token(code)
        if token in self.dictionary.indices:
            rule = "one without a tag"
            raise ConfigError(explain("", "added language", rule, code, "Leave it out: it can be used as it is."))
        self._fill([*self.dictionary.symbols, token], self._model)
        return len(self) - 1, relative

    def _fill(self, tokens: list[str], sentencepiece: bytes) -> None:
        fill_dictionary(self.dictionary, tokens)
        self._tags = find_tags(tokens)
        self._model = sentencepiece
        self._processor = self._ids = None

    def _prepare(self) -> tuple[Any, NDArray[np.int64]]:
        """Build, once in a process, the processor and the table from its ids to the dictionary's."""
        if self._processor is None or self._ids is None:
            if not self._model:
                mend = "Give a SentencePiece model, or a checkpoint that has a vocabulary."
                raise ConfigError(explain("", "vocabulary", "filled before it is used", "empty", mend))
            processor = load_processor(self._model)
            indices = self.dictionary.indices
            pieces = (processor.id_to_piece(number) for number in range(processor.get_piece_size()))
            self._ids = np.array([indices.get(piece, self.unk) for piece in pieces], dtype=np.int64)
            self._processor = processor
        return self._processor, self._ids

    def _join(self, tokens: Iterable[str]) -> str:
        processor, _ = self._prepare()
        tags = {self.dictionary[number] for number in self._tags.values()}
        pieces = [token for token in tokens if token and token not in tags and not _NOT_TEXT.fullmatch(token)]
        return str(processor.decode_pieces(pieces)).replace("▁", " ").strip()
