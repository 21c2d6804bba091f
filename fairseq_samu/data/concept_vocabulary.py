"""Labels of a CTC head that writes annotated text: characters and concept tags (arXiv:2406.12141)."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from fairseq.data import Dictionary
from numpy.typing import NDArray
from torch import Tensor

from fairseq_samu.concepts import CLOSE, SPACE, concept_of, join_tokens, tokenize
from fairseq_samu.data.concept_labels import collect_labels, read_labels, require_labels, write_labels
from fairseq_samu.data.host_dictionary import SPECIALS, fill_dictionary, from_byte_tensor, to_byte_tensor
from fairseq_samu.errors import ConfigError, explain

UNKNOWN = "\ufffd"
"""What an unknown label is written as: one character that no tag can be mistaken for."""
_LABELS = "labels"
_UNKNOWN_SYMBOLS = frozenset({"<unk>", "<<unk>>"})  # the second where the host writes a reference


class ConceptVocabulary:
    """Turns annotated text into CTC labels and back.

    Ids: ``<s>`` 0, which is the CTC blank, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, then the labels: tags, ``>``, ``_``,
    characters. It is built empty and filled in place, because the host asks for the dictionary before the checkpoint
    that holds it is read.

    Attributes:
        dictionary: the host's dictionary; one object for life.
    """

    def __init__(self) -> None:
        self.dictionary = Dictionary()
        self.blank, self.pad, self.eos, self.unk = 0, 1, 2, 3
        self._concepts: dict[str, int] = {}

    @classmethod
    def from_labels(cls, labels: Sequence[str], where: str = "labels") -> "ConceptVocabulary":
        """Build from labels by their order.

        Args:
            labels: without ``<s> <pad> </s> <unk>``.
            where: name of their source, for messages.

        Raises:
            ConfigError: when these are no labels, repeat, or lack ``>`` or ``_``.
        """
        vocabulary = cls()
        vocabulary._fill(labels, where)
        return vocabulary

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "ConceptVocabulary":
        """Build from all labels that annotated texts are written in."""
        return cls.from_labels(collect_labels(texts))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "ConceptVocabulary":
        """Build from a file with one label a line.

        Args:
            path: as ``fairseq-samu prepare concept-labels`` writes it.

        Raises:
            ConfigError: the file cannot be read, or with all lines that are at fault.
        """
        return cls.from_labels(read_labels(path), os.fspath(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels to a file, one a line.

        Args:
            path: replaced where it exists.

        Raises:
            ConfigError: it cannot be written, or there are no labels yet.
        """
        write_labels(path, self.labels)

    def __len__(self) -> int:
        return len(self.dictionary)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn annotated text into labels.

        Args:
            text: any text.

        Returns:
            (U,) ids, without the end; what has no label is ``unk``.

        Raises:
            ConfigError: when the vocabulary is empty yet.
        """
        self._require_filled()
        indices = self.dictionary.indices
        return np.array([indices.get(token, self.unk) for token in tokenize(text)], dtype=np.int64)

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        """Turn ids into annotated text.

        Args:
            ids: (U,); blanks, ends and padding may be among them and are left out, and ``unk`` becomes U+FFFD. Equal
                neighbours are not merged.
        """
        numbers = ids.tolist() if isinstance(ids, Tensor) else ids
        return self._join(self.dictionary[int(number)] for number in numbers)

    def decode_symbols(self, symbols: str) -> str:
        """Turn labels with spaces between them, as the host's dictionary writes them, into annotated text."""
        return self._join(symbols.split(" "))

    @property
    def labels(self) -> list[str]:
        """All labels in the order of their ids, without the four of the host."""
        return list(self.dictionary.symbols[len(SPECIALS) :])

    @property
    def concepts(self) -> list[str]:
        """Names of the concepts in the order of their tags' ids."""
        return list(self._concepts)

    @property
    def tag_ids(self) -> set[int]:
        """Ids of all opening tags."""
        return set(self._concepts.values())

    @property
    def close_id(self) -> int:
        """Id of ``>``.

        Raises:
            ConfigError: when the vocabulary is empty yet.
        """
        self._require_filled()
        return int(self.dictionary.indices[CLOSE])

    @property
    def space_id(self) -> int:
        """Id of ``_``, the space.

        Raises:
            ConfigError: when the vocabulary is empty yet.
        """
        self._require_filled()
        return int(self.dictionary.indices[SPACE])

    @property
    def fingerprint(self) -> str:
        """Hash of all labels in their order, as 64 hexadecimal digits."""
        return hashlib.sha256("\n".join(self.labels).encode("utf-8")).hexdigest()

    def state_dict(self) -> dict[str, Tensor]:
        """All that there is to save, as tensors of bytes."""
        return {_LABELS: to_byte_tensor("\n".join(self.labels).encode("utf-8"))}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Become, in place, what :meth:`state_dict` was taken from.

        Raises:
            ConfigError: when the state is incomplete or damaged.
        """
        if not isinstance(state.get(_LABELS), Tensor):
            found = f"with {sorted(state)}"
            raise ConfigError(explain("", "concept vocabulary", "a tensor `labels`", found, "Use a whole checkpoint."))
        try:
            joined = from_byte_tensor(state[_LABELS]).decode("utf-8")
        except UnicodeDecodeError as error:
            rule, found = "UTF-8", f"damaged at byte {error.start}"
            raise ConfigError(explain("", "concept vocabulary", rule, found, "Use a whole checkpoint.")) from error
        self._fill(joined.split("\n"), "checkpoint")

    def _fill(self, labels: Sequence[str], where: str) -> None:
        require_labels(labels, where)
        fill_dictionary(self.dictionary, [*SPECIALS, *labels])
        named = ((concept_of(label), number) for number, label in enumerate(labels, len(SPECIALS)))
        self._concepts = {name: number for name, number in named if name is not None}

    def _require_filled(self) -> None:
        if len(self.dictionary) == len(SPECIALS):
            mend = "Give labels (`fairseq-samu prepare concept-labels`), or a checkpoint that has them."
            raise ConfigError(explain("", "concept vocabulary", "filled before it is used", "empty", mend))

    def _join(self, symbols: Iterable[str]) -> str:
        kept = (UNKNOWN if symbol in _UNKNOWN_SYMBOLS else symbol for symbol in symbols)
        return join_tokens(symbol for symbol in kept if symbol not in SPECIALS)
