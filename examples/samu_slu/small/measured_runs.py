"""What measure.sh has written of the study's runs: error rates, retrieval, sizes, seconds, with resamples for tests."""

import re
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from fairseq_samu.cli.retrieve import embed_texts, speech_side
from fairseq_samu.data.manifest import Row, read_manifest
from fairseq_samu.scoring.generate_output import order_rows, read_generate_output
from fairseq_samu.scoring.paired_bootstrap import Figure, resample
from fairseq_samu.scoring.retrieval import unit_rows
from fairseq_samu.scoring.retrieval_pairs import Side, rank_pairs
from fairseq_samu.scoring.understanding import score_understanding
from fairseq_samu.teachers.table import EmbeddingTable

_NAME = re.compile(r"(?P<arm>[a-z]+[\d.]*)-(?P<languages>[a-z]+(?:_[a-z]+)*)(?P<share>[\d.]*)-(?P<seed>\d+)")
_SIZES = re.compile(r"num\. shared model params: ([\d,]+) \(num\. trained: ([\d,]+)\)")
FIRST_STEP, SECOND_STEP, FROZEN = "distilled", "sequential", "head"
RECALL, COSINE = "r1", "cosine"


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        arm: dual, sequential, tagging, lambda with its value; distilled, the first step of sequential; or head, the
            tagging head on frozen frames that all begin from.
        languages: of the training, such as ``fr_it``.
        share: of the training rows that were used; None for all.
        seed: of the training.
        folder: its checkpoint and what was measured.
    """

    arm: str
    languages: str
    share: Optional[float]
    seed: int
    folder: Path

    @property
    def steps(self) -> list[Path]:
        """Folders of the trainings that are the arm's own: distillation comes first in the sequential arm."""
        first = self.folder.with_name(self.folder.name.replace(SECOND_STEP, FIRST_STEP))
        return [first, self.folder] if self.arm == SECOND_STEP and self.share is None else [self.folder]

    def seconds(self) -> int:
        """Of all its steps."""
        return sum(int((folder / "seconds").read_text()) for folder in self.steps)

    def sizes(self) -> tuple[int, int]:
        """Parameters of the models that its steps optimise: all of them, and those that are moved; steps added up."""
        found = [_SIZES.search((folder / "train.log").read_text("utf-8")) for folder in self.steps]
        counts = [[int(match[place].replace(",", "")) for match in found if match] for place in (1, 2)]
        return sum(counts[0]), sum(counts[1])


def find_runs(output: Path) -> list[Run]:
    """List the trainings that are done, by name."""
    runs = []
    for file in sorted(output.glob("*/seconds")):
        match = _NAME.fullmatch(file.parent.name)
        if match:
            share = float(match["share"]) if match["share"] else None
            runs.append(Run(match["arm"], match["languages"], share, int(match["seed"]), file.parent))
    return runs


class TestRows:
    """Rows of the composed test set; those of each language in the same order of compositions.

    So that the same draw takes the same compositions in every language: languages are no independent samples.
    """

    def __init__(self, manifest: Path) -> None:
        self.rows = list(read_manifest(manifest, required=("src_lang", "tgt_text", "parallel_id")))

    def places(self, language: str) -> list[int]:
        """Places of a language's rows in the manifest."""
        places = [place for place, row in enumerate(self.rows) if row.src_lang == language]
        return sorted(places, key=lambda place: self.rows[place].parallel_id or "")

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, dict[str, Figure]]:
        """Error rates by language.

        Args:
            texts: annotated text of every row; what stands in other languages is not read.
            languages: to score.
        """
        scored = {}
        for language in languages:
            places = self.places(language)
            references = [self.rows[place].tgt_text or "" for place in places]
            figures = score_understanding([texts[place] for place in places], references).figures
            scored[language] = {metric: figure for metric, figure in figures.items() if figure is not None}
        return scored

    def score_output(self, output: Path, languages: Sequence[str]) -> dict[str, dict[str, Figure]]:
        """Error rates of what fairseq-generate wrote for these languages."""
        wanted = [place for language in languages for place in self.places(language)]
        found = order_rows(read_generate_output([output]).hypotheses, len(self.rows), str(output), wanted)
        texts = [""] * len(self.rows)
        for place, text in zip(wanted, found, strict=True):
            texts[place] = text
        return self.score(texts, languages)


class Search:
    """Recordings that search texts and recordings in all languages.

    Args:
        manifest: of the recordings.
        teacher: table with the embeddings of its texts.
    """

    def __init__(self, manifest: Path, teacher: Path) -> None:
        self.rows: list[Row] = list(read_manifest(manifest, required=("src_lang", "parallel_id")))
        options = Namespace(texts=None, text_languages=None, manifest=manifest)
        table = EmbeddingTable.open(teacher)
        self.texts: Side = embed_texts(options, self.rows, table)
        self.own = unit_rows(table.lookup([row.src_text or "" for row in self.rows]))

    def recall(self, embeddings: Path, languages: Sequence[str]) -> Figure:
        """Recall at 1 of texts, mean over the pairs of languages, with resamples of what is said.

        Args:
            embeddings: .npy of all recordings.
            languages: of the recordings that search.
        """
        return self._recall(speech_side(np.load(embeddings), self.rows), self.texts, languages)

    def recall_of_speech(self, embeddings: Path, languages: Sequence[str]) -> Figure:
        """Recall at 1 of the recordings in another language."""
        speech = speech_side(np.load(embeddings), self.rows)
        return self._recall(speech, speech, languages)

    def cosine(self, embeddings: Path, languages: Sequence[str]) -> Figure:
        """100 times the mean cosine of a recording to the teacher's embedding of its transcript.

        It moves with every recording, where recall moves only with those whose nearest text becomes another.
        """
        cosines = (unit_rows(np.load(embeddings)) * self.own).sum(axis=1)
        return self._mean((row, value) for row, value in enumerate(cosines) if self.rows[row].src_lang in languages)

    def _recall(self, speech: Side, candidates: Side, languages: Sequence[str]) -> Figure:
        return self._mean(
            (row, float(rank == 1))
            for pair in rank_pairs(speech, candidates)
            if pair.asked in languages and (candidates is not speech or pair.asked != pair.found)
            for row, rank in zip(pair.rows.tolist(), pair.ranks, strict=True)
        )

    def _mean(self, values: Iterable[tuple[int, float]]) -> Figure:
        """Mean in percent of values of rows, with resamples of what is said: its recordings are drawn together."""
        items = sorted({row.parallel_id or "" for row in self.rows})
        sums = np.zeros((len(items), 2))
        for row, value in values:
            sums[items.index(self.rows[row].parallel_id or "")] += (value, 1)
        return Figure(_percent(sums.sum(axis=0).tolist()), resample(sums.tolist(), _percent))


def _percent(sums: list[float]) -> float:
    return 100.0 * sums[0] / sums[1]
