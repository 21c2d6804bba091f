"""Writing the concepts that were found with their times, one JSON object a row."""

import json
import logging
import weakref
from pathlib import Path
from typing import Any

from fairseq_samu.data.concept_spans import TaggedText, find_spans
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.data.whole_file import write_whole
from fairseq_samu.errors import SamuError, explain

logger = logging.getLogger(__name__)


class ConceptSpansWriter:
    """Collects the best hypothesis of every row of a data set, and writes the file once it has all of them.

    A line is ``{"row": 0, "id": "...", "text": "annotated", "concepts": [{"concept": "nombre", "value": "deux",
    "start": 0.42, "end": 0.8}]}``, times in seconds; lines stand in the order of rows, whatever that of decoding was.
    The file appears whole or not at all; where rows are missing in the end, the log says so.

    Args:
        path: the file; replaced where it exists.
        dataset: what is decoded.
        vocabulary: of the labels.
        samples_per_frame: of the encoder.
    """

    def __init__(
        self, path: str | Path, dataset: SpeechTextDataset, vocabulary: ConceptVocabulary, samples_per_frame: int
    ) -> None:
        self.path = Path(path)
        self.dataset = dataset
        self.vocabulary = vocabulary
        self.samples_per_frame = samples_per_frame
        self._texts: dict[int, TaggedText] = {}
        self._count = [0, len(dataset)]
        weakref.finalize(self, _name_missing, self.path, self._count)

    def add(self, sample: dict[str, Any], hypotheses: list[list[dict[str, Any]]]) -> None:
        """Take the hypotheses of a batch; write the file when it was the last.

        Args:
            sample: the batch.
            hypotheses: of its rows, best first.

        Raises:
            SamuError: the file cannot be written.
        """
        for row, best in zip(sample["id"].tolist(), hypotheses, strict=True):
            samples = self.dataset.num_tokens(row)
            self._texts[row] = find_spans(best[0], self.vocabulary, self.samples_per_frame, samples)
        # unreadable recordings were counted and named where they were read
        self._count[1] -= int(sample.get("num_skipped", 0))
        self._count[0] = len(self._texts)
        if self._count[0] == self._count[1]:
            self._write()

    def _write(self) -> None:
        lines = []
        for row, tagged in sorted(self._texts.items()):
            concepts = [span.as_json() for span in tagged.concepts]
            line = {"row": row, "id": self.dataset.manifest[row].id, "text": tagged.text, "concepts": concepts}
            lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        try:
            write_whole(self.path, "".join(lines).encode("utf-8"))
        except OSError as error:
            mend = "Name another file with --spans-output."
            raise SamuError(explain("", str(self.path), f"writable ({error.strerror})", "not", mend)) from error
        logger.info(f"concepts of {len(lines)} rows with their times in {self.path}")


def _name_missing(path: Path, count: list[int]) -> None:
    """Say at the end that not all rows were decoded."""
    if count[0] < count[1]:
        logger.warning(f"{path} was not written: only {count[0]} of {count[1]} rows were decoded")
