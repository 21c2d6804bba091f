"""What the study's runs wrote, and figures over runs: means of seeds and directions, and differences of arms."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.scoring.generate_output import order_rows, read_generate_output
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.reference_scores import mean_log_probability, read_reference_scores
from fairseq_samu.scoring.run_statistics import Contrast, Measured, average_runs, contrast_runs
from fairseq_samu.scoring.translation import score_translations

METRICS = ("chrf", "bleu")
LIKELIHOOD = "likelihood"
TESTS = ("seen", "unseen")


@dataclass(frozen=True)
class Arm:
    """A way of training.

    Attributes:
        encoder: plain, samu or ctc.
        kind: what of the encoder was tuned: frozen, adapters or full.
    """

    encoder: str
    kind: str


@dataclass(frozen=True)
class Score:
    """One run on the recordings of one language.

    Attributes:
        arm: how it was trained.
        trained: language of the training.
        seed: of the training.
        tested: language of the recordings.
        figures: chrF and BLEU, and the likelihood of the references where it was computed, with resamples of the rows.
    """

    arm: Arm
    trained: str
    seed: int
    tested: str
    figures: dict[str, Figure]

    @property
    def test(self) -> str:
        """Whether the training has seen the language."""
        return "seen" if self.trained == self.tested else "unseen"


@dataclass(frozen=True)
class TestSet:
    """Rows of the test set by language of the recording.

    Attributes:
        sources: transcript of every row.
        references: English of every row.
        rows: places of the rows by language.
    """

    sources: list[str]
    references: list[str]
    rows: dict[str, list[int]]

    @classmethod
    def read(cls, manifest: Path) -> "TestSet":
        """Read the manifest of the test set."""
        rows: dict[str, list[int]] = {}
        sources, references = [], []
        for place, row in enumerate(read_manifest(manifest)):
            rows.setdefault(row.src_lang, []).append(place)
            sources.append(row.src_text)
            references.append(row.tgt_text)
        return cls(sources, references, rows)

    def score(self, output: Path) -> dict[str, dict[str, Figure]]:
        """Score what fairseq-generate wrote: figures by language of the recording and metric."""
        found = read_generate_output([output])
        return self.score_texts(order_rows(found.hypotheses, len(self.references), str(output)))

    def score_texts(self, texts: Sequence[str]) -> dict[str, dict[str, Figure]]:
        """Score a text for every row, likewise."""
        return {language: self._score_rows(texts, places) for language, places in self.rows.items()}

    def _score_rows(self, texts: Sequence[str], places: list[int]) -> dict[str, Figure]:
        hypotheses = [texts[place] for place in places]
        return score_translations(hypotheses, [self.references[place] for place in places], "en").figures


def read_scores(folder: Path, test_set: TestSet) -> Iterator[Score]:
    """Score all runs of a study: folders ENCODER-LANGUAGE-SEED-KIND with test.out, and ref.out where it was made."""
    for output in sorted(folder.glob("*-*-*-*/test.out")):
        encoder, trained, seed, kind = output.parent.name.split("-")
        scored = output.with_name("ref.out")
        likelihoods = read_likelihoods(scored, test_set) if scored.exists() else {}
        for tested, figures in test_set.score(output).items():
            further = {LIKELIHOOD: likelihoods[tested]} if likelihoods else {}
            yield Score(Arm(encoder, kind), trained, int(seed), tested, {**figures, **further})


def read_likelihoods(output: Path, test_set: TestSet) -> dict[str, Figure]:
    """Mean base-2 logarithm of the probability of a reference's tokens, by language of the recording.

    Args:
        output: what ``fairseq-generate --score-reference`` wrote.
        test_set: of the same rows.
    """
    table = read_reference_scores(output, len(test_set.references))
    return {language: mean_log_probability(table, places) for language, places in test_set.rows.items()}


def mean(scores: Iterable[Score], metric: str) -> Figure:
    """Mean over seeds and tested languages."""
    return average_runs((score.tested, score.figures[metric]) for score in scores)


def pick(scores: Iterable[Score], arm: Arm, test: str, runs: set[tuple[str, int]] | None = None) -> list[Score]:
    """Scores of an arm on the languages that were seen or not; of some (language, seed) only, where given."""
    found = [score for score in scores if score.arm == arm and score.test == test]
    return [score for score in found if runs is None or (score.trained, score.seed) in runs]


def contrast(scores: Sequence[Score], arm: Arm, baseline: Arm, test: str, metric: str) -> Contrast | None:
    """Compare two arms over the runs that both have; None where no run is common."""
    sides: list[dict[Hashable, list[Measured]]] = [{}, {}]
    for side, one in zip(sides, (arm, baseline), strict=True):
        for score in pick(scores, one, test):
            side.setdefault((score.trained, score.seed), []).append((score.tested, score.figures[metric]))
    return contrast_runs(*sides)
