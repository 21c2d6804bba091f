"""What measure.sh has written of the study's runs: translations, probabilities, transcripts, segments, seconds."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fairseq_samu.data.manifest import Row, read_manifest
from fairseq_samu.scoring.edit_alignment import count_edits
from fairseq_samu.scoring.generate_output import order_rows, read_generate_output, read_lines
from fairseq_samu.scoring.paired_bootstrap import Figure, resample
from fairseq_samu.scoring.reference_scores import mean_log_probability, read_reference_scores
from fairseq_samu.scoring.translation import score_translations

LIKELIHOOD, BLEU, CHRF = "likelihood", "bleu", "chrf"
METRICS = {LIKELIHOOD: "log2 p", CHRF: "chrF", BLEU: "BLEU"}
DIGITS = {LIKELIHOOD: 3, CHRF: 1, BLEU: 1}
_NAME = re.compile(r"(?P<arm>[a-z]+)-(?P<seed>\d+)")
Scores = dict[str, dict[str, Figure]]
"""Figures by target language and metric."""


@dataclass(frozen=True)
class Run:
    """One training of an arm.

    Attributes:
        arm: how it was trained; see arms.sh.
        seed: of the training.
        folder: its checkpoint and what was measured.
    """

    arm: str
    seed: int
    folder: Path

    def seconds(self) -> int:
        """Of the whole training."""
        return int((self.folder / "seconds").read_text())

    def log(self, kind: str) -> list[dict[str, float]]:
        """Figures of the training's log: ``train_inner``, ``valid`` or ``train``, in the order of updates."""
        prefix = "" if kind == "train_inner" else f"{kind}_"
        entries = [json.loads(line) for line in read_lines(self.folder / "train.log") if line.startswith('{"epoch"')]
        return [
            {name: float(value) for name, value in entry.items() if _is_figure(value)}
            for entry in entries
            if f"{prefix}num_updates" in entry
        ]


def _is_figure(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def find_runs(output: Path) -> Iterator[Run]:
    """List the trainings that are done, by name."""
    for file in sorted(output.glob("arms/*/seconds")):
        if match := _NAME.fullmatch(file.parent.name):
            yield Run(match["arm"], int(match["seed"]), file.parent)


@dataclass
class TestRows:
    """Recordings of the test set that are translated into every language; each language's rows in the same order.

    So that a draw takes the same recordings in every language: translations of one recording are no independent
    samples.

    Attributes:
        manifest: of the test set.
    """

    manifest: Path
    rows: list[Row] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = list(read_manifest(self.manifest))

    @cached_property
    def places(self) -> Mapping[str, list[int]]:
        """Places of a language's rows in the manifest, in the order of its recordings."""
        by_audio: dict[str, dict[str, int]] = {}
        for place, row in enumerate(self.rows):
            by_audio.setdefault(row.audio, {})[row.tgt_lang or ""] = place
        languages = list(dict.fromkeys(row.tgt_lang or "" for row in self.rows))
        whole = [places for places in by_audio.values() if len(places) == len(languages)]
        return {language: [places[language] for places in whole] for language in languages}

    def score(self, folder: Path) -> Scores:
        """Score what was decoded in a folder: by language, BLEU, chrF and the probability of the references."""
        texts = order_rows(read_generate_output([folder / "test.out"]).hypotheses, len(self.rows), str(folder))
        table = read_reference_scores(folder / "ref.out", len(self.rows))
        scores: Scores = {}
        for language, places in self.places.items():
            references = [self.rows[place].tgt_text or "" for place in places]
            figures = score_translations([texts[place] for place in places], references, language).figures
            scores[language] = {**figures, LIKELIHOOD: mean_log_probability(table, places)}
        return scores


def is_measured(folder: Path) -> bool:
    """Whether translations and probabilities of a folder are there."""
    return all((folder / name).exists() for name in ("test.out", "ref.out"))


@dataclass
class Heard:
    """What the CTC head of a run hears.

    Attributes:
        characters: error rate of characters of its best path, in percent.
        words: error rate of words.
        ratio: frames a segment, over all recordings.
        pieces: segments for each piece of the transcripts.
    """

    characters: Figure
    words: Figure
    ratio: Figure
    pieces: Figure


def measure_hearing(folder: Path, recordings: list[Row]) -> Heard:
    """Read asr.out and compression.json of a run.

    Args:
        folder: of the run.
        recordings: rows of recordings.tsv.
    """
    texts = order_rows(read_generate_output([folder / "asr.out"]).hypotheses, len(recordings), str(folder))
    references = [row.src_text or "" for row in recordings]
    rates = [
        _error_rate([cut(text) for text in references], [cut(text) for text in texts])
        for cut in (lambda text: list(" ".join(text.lower().split())), lambda text: text.lower().split())
    ]
    counts = json.loads((folder / "compression.json").read_text())
    ratios = [_ratio([[row[above], row[below]] for row in counts]) for above, below in ((0, 1), (1, 2))]
    return Heard(rates[0], rates[1], ratios[0], ratios[1])


def _error_rate(references: list[list[str]], hypotheses: list[list[str]]) -> Figure:
    edits = count_edits(references, hypotheses)
    return _ratio([[100 * count.errors, len(reference)] for count, reference in zip(edits, references, strict=True)])


def _ratio(table: list[list[float]]) -> Figure:
    sums = [sum(column) for column in zip(*table, strict=True)]
    return Figure(sums[0] / sums[1], resample(table, lambda sums: sums[0] / sums[1]))
