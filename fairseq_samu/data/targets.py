"""Which text of a row a decoder learns to write, its translation or its transcript, and which text it may read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.manifest import REQUIRED_COLUMNS, Manifest
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, ManifestError, explain, report_all


@dataclass(frozen=True)
class TaskColumns:
    """Columns of a task.

    Attributes:
        text: what is written.
        language: its language.
        source: the text that is read instead of speech; empty where speech is.
    """

    text: str
    language: str
    source: str = ""


TASK_COLUMNS = {
    "st": TaskColumns("tgt_text", "tgt_lang"),
    "asr": TaskColumns("src_text", "src_lang"),
    "mt": TaskColumns("tgt_text", "tgt_lang", "src_text"),
}
"""Columns by task: speech translation, speech recognition and text translation."""
MARKS = 3
"""Tokens of a target that stand for no character of its text: tag, first space, end."""
WIDEST = 4
"""Tokens that a character becomes at most (its bytes), so that short texts need not be cut into pieces."""


def required_columns(tasks: list[str], with_text: bool, language: str) -> list[str]:
    """Columns that a manifest must have, filled in every row.

    Args:
        tasks: keys of ``TASK_COLUMNS``. Where none of them reads speech, columns of recordings are not needed.
        with_text: whether texts to be written are needed, as in training.
        language: the language of all texts, where the manifest need not name one.
    """
    columns = [TASK_COLUMNS[task] for task in tasks]
    base = ("id",) if all(column.source for column in columns) else REQUIRED_COLUMNS
    texts = [column.text for column in columns] if with_text else []
    sources = [column.source for column in columns if column.source]
    languages = [] if language else [column.language for column in columns]
    return list(dict.fromkeys([*base, *texts, *sources, *languages]))


class SourceTexts:
    """Pieces of the source texts of a manifest: what is said, or what is to be translated.

    Args:
        manifest: rows with ``src_text``.
        vocabulary: turns text into tokens.
    """

    def __init__(self, manifest: Manifest, vocabulary: Vocabulary) -> None:
        self.manifest = manifest
        self.vocabulary = vocabulary

    def pieces(self, index: int) -> NDArray[np.int64]:
        """Pieces (U,) of a row's source, without tag and end; ``<unk>`` where the vocabulary keeps nothing of it.

        Raises:
            ManifestError: the text is empty.
        """
        text = self.manifest[index].src_text or ""
        if not text.strip():
            where, mend = self.manifest.where(index), "Fill it in, or remove the row."
            raise ManifestError(explain(where, "src_text", "filled in every row", "", mend))
        return encode_source(self.vocabulary, text)


def encode_source(vocabulary: Vocabulary, text: str) -> NDArray[np.int64]:
    """Pieces (U,) of a source text, without tag and end; ``<unk>`` where the vocabulary keeps nothing of it."""
    pieces = vocabulary.encode(text)[:-1]
    return pieces if len(pieces) else np.array([vocabulary.unk], dtype=np.int64)


class TargetTexts:
    """Target tokens of the rows of a manifest for one task.

    Args:
        manifest: rows.
        vocabulary: turns text into tokens.
        task: key of ``TASK_COLUMNS``.
        language: language of all texts, over what the manifest says; empty for the manifest's.

    Raises:
        ManifestError: a row's language has no tag in the vocabulary.
    """

    def __init__(self, manifest: Manifest, vocabulary: Vocabulary, task: str, language: str = "") -> None:
        self.manifest = manifest
        self.vocabulary = vocabulary
        self.task = task
        self.language = language
        self.columns = TASK_COLUMNS[task]
        self._require_tags()

    def _require_tags(self) -> None:
        known: set[str] = set()
        faults = []
        for index in range(1 if self.language else len(self.manifest)):
            language = self.language_of(index)
            if language not in known:
                known.add(language)
                try:
                    self.vocabulary.tag(language)
                except ConfigError as error:
                    where = "target_language" if self.language else self.manifest.where(index)
                    faults.append(f"{where}: {error}")
        if faults:
            raise ManifestError(report_all(faults))

    @property
    def pad(self) -> int:
        """Id of the padding token."""
        return self.vocabulary.pad

    @property
    def has_texts(self) -> bool:
        """Whether the manifest has the column of texts."""
        return len(self.manifest) > 0 and getattr(self.manifest[0], self.columns.text) is not None

    def language_of(self, index: int) -> str:
        """Language that a row's target is in."""
        return self.language or str(getattr(self.manifest[index], self.columns.language))

    def tag(self, index: int) -> int:
        """Id of the language tag that a row's target begins with."""
        return self.vocabulary.tag(self.language_of(index))

    def tokens(self, index: int) -> NDArray[np.int64] | None:
        """Tag, pieces and end (U,) of a row; None where the manifest has no texts.

        Raises:
            ManifestError: the text is empty in a manifest that has texts.
        """
        text = getattr(self.manifest[index], self.columns.text)
        if text is None:
            return None
        if not text.strip():
            where = self.manifest.where(index)
            mend = "Fill it in, or leave the column out where translations are not known."
            raise ManifestError(explain(where, self.columns.text, "filled in every row", "", mend))
        return self.vocabulary.encode(text, self.language_of(index))

    def require_length(self, max_tokens: int) -> None:
        """Refuse texts that are longer than a decoder's positions reach.

        Args:
            max_tokens: most tokens of a target, tag and end included.

        Raises:
            ManifestError: naming all rows whose texts are longer.
        """
        faults = []
        for index, row in enumerate(self.manifest):
            if WIDEST * len(getattr(row, self.columns.text) or "") + MARKS <= max_tokens:
                continue
            tokens = self.tokens(index)
            if tokens is not None and len(tokens) > max_tokens:
                where, rule = self.manifest.where(index), f"at most {max_tokens} tokens long"
                mend = "Shorten it, remove the row, or use a decoder with more positions."
                faults.append(explain(where, self.columns.text, rule, f"{len(tokens)} tokens", mend))
        if faults:
            raise ManifestError(report_all(faults))

    def distinct_recordings(self) -> NDArray[np.int64]:
        """First row of every recording, for a task that does not depend on the target language: (R,) int64."""
        if self.task != "asr":
            return np.arange(len(self.manifest))
        first: dict[str, int] = {}
        for index, row in enumerate(self.manifest):
            first.setdefault(row.audio, index)
        return np.asarray(list(first.values()), dtype=np.int64)
