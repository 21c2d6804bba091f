"""What a CTC head learns to write for a row: its annotated text, as labels."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.concepts import has_tag
from fairseq_samu.data.annotated_rows import COLUMN, annotated_text, empty_fault, find_row_faults, find_unknown
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.data.manifest_scan import visible
from fairseq_samu.errors import ManifestError, explain, report_all

logger = logging.getLogger(__name__)


class ConceptTargets:
    """Target labels of the rows of a manifest.

    Args:
        manifest: rows, with annotated text in ``tgt_text`` where it is known.
        vocabulary: turns text into labels.
        prefixes: names that become others, as ``concepts.read_prefix_map`` gives them; None for names as they are.
    """

    def __init__(
        self, manifest: Manifest, vocabulary: ConceptVocabulary, prefixes: Mapping[str, str] | None = None
    ) -> None:
        self.manifest = manifest
        self.vocabulary = vocabulary
        self.prefixes = prefixes or {}
        self.task = "slu"

    @property
    def pad(self) -> int:
        """Id of the padding token."""
        return self.vocabulary.pad

    @property
    def has_texts(self) -> bool:
        """Whether the manifest has the column of annotated text."""
        return len(self.manifest) > 0 and self.text(0) is not None

    def tag(self, index: int) -> int | None:
        """No target begins with a language tag."""
        return None

    def text(self, index: int) -> str | None:
        """Annotated text of a row, with relaxed names and single spaces; None where the manifest has none."""
        return annotated_text(self.manifest[index], self.prefixes)

    def tokens(self, index: int) -> NDArray[np.int64] | None:
        """Labels and end (U,) of a row; None where the manifest has no annotated text.

        Raises:
            ManifestError: the text is empty in a manifest that has texts.
        """
        text = self.text(index)
        if text is None:
            return None
        if not text:
            raise ManifestError(empty_fault(self.manifest, index))
        return np.append(self.vocabulary.encode(text), np.int64(self.vocabulary.eos))

    def require_valid(self, allow_unknown: bool = False, rows: Sequence[int] | None = None) -> None:
        """Refuse annotations that cannot be learnt or measured; a manifest without them passes.

        Args:
            allow_unknown: tags and characters that have no label are named in the log instead, as for a test set,
                where a model simply gets them wrong.
            rows: those that are used; None for all.

        Raises:
            ManifestError: naming all rows with a fault.
        """
        if not self.has_texts:
            return
        labels = frozenset(self.vocabulary.labels)
        checked = range(len(self.manifest)) if rows is None else rows
        faults = list(find_row_faults(self.manifest, checked, self.prefixes, None if allow_unknown else labels))
        if faults:
            raise ManifestError(report_all(faults))
        if allow_unknown:
            self._name_unknown(checked, labels)

    def distinct_recordings(self) -> NDArray[np.int64]:
        """Every row: (R,) int64."""
        return np.arange(len(self.manifest))

    def _name_unknown(self, rows: Sequence[int], labels: frozenset[str]) -> None:
        texts = (self.text(row) or "" for row in rows)
        unknown = Counter(token for text in texts for token in find_unknown(text, labels))
        if unknown:
            named = ", ".join(f"{token} ({count})" for token, count in unknown.most_common())
            logger.warning(f"{self.manifest.path}: labels that the model cannot write, with the rows of each: {named}")


def require_plain(manifest: Manifest, column: str, rows: Sequence[int] | None = None) -> None:
    """Refuse tags in the text that a teacher embeds: it would be told what the model has to find out.

    Args:
        manifest: rows.
        column: such as ``src_text``.
        rows: those that are used; None for all.

    Raises:
        ManifestError: naming all rows with a tag.
    """
    faults = []
    for position in range(len(manifest)) if rows is None else rows:
        text = getattr(manifest[position], column) or ""
        if has_tag(text):
            mend = f"Write the words alone here, and the annotated text into `{COLUMN}`."
            faults.append(explain(manifest.where(position), column, "text without tags", visible(text), mend))
    if faults:
        raise ManifestError(report_all(faults))
