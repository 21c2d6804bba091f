"""All that is measured of a study, gathered for its tables and plots."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from measured_runs import FIRST_STEP, FROZEN, Run, Search, TestRows, find_runs

from fairseq_samu.scoring.generate_output import read_lines
from fairseq_samu.scoring.paired_bootstrap import Figure

MIXES = ("fr", "it", "fr_it")
SEARCHING = ("fr", "it")
UNSEEN = {"fr": "it", "it": "fr", "fr_it": "es"}
"""Language that a mix is tested on without having seen it."""
BASELINES = {"majority": "most frequent annotation", "oracle": "words given, tagged by phrases"}
Rates = dict[str, dict[str, Figure]]
"""Figures by language and metric."""


@dataclass
class Measures:
    """What is measured so far.

    Attributes:
        rates: error rates of every run that has been decoded, in its languages.
        unseen: error rates in a language that the run was not trained on.
        recall: of a run, recall at 1 of prompts by recordings in its languages.
        cosine: of a run, mean cosine of those recordings to the teacher's embeddings of their transcripts, times 100.
        recall_before: recall of the encoder that all begin from, by mix of languages.
        compositions: recall at 1 of test compositions by arm and seed: of texts, and of speech in the other language.
        beside: error rates of systems that hear nothing, by name.
        num_rows: test compositions a language.
        num_prompts: prompts a language.
    """

    rates: dict[Run, Rates] = field(default_factory=dict)
    unseen: dict[Run, Rates] = field(default_factory=dict)
    recall: dict[Run, Figure] = field(default_factory=dict)
    cosine: dict[Run, Figure] = field(default_factory=dict)
    recall_before: dict[str, Figure] = field(default_factory=dict)
    compositions: dict[tuple[str, int], tuple[Figure, Figure]] = field(default_factory=dict)
    beside: dict[str, Rates] = field(default_factory=dict)
    num_rows: int = 0
    num_prompts: int = 0

    def by_weight(self, default: float) -> Iterator[tuple[str, Run]]:
        """Runs on French with seed 1 by the weight of tagging: first the frozen encoder, last tagging alone.

        Args:
            default: weight of the arm ``dual``.
        """
        runs = {run.arm: run for run in self.rates if (run.languages, run.seed) == ("fr", 1) and run.share is None}
        weights = {arm: float(arm.removeprefix("lambda")) for arm in runs if arm.startswith("lambda")}
        if "dual" in runs:
            weights["dual"] = default
        if FROZEN in runs:
            yield "frozen encoder", runs[FROZEN]
        for arm, weight in sorted(weights.items(), key=lambda pair: pair[1]):
            yield f"{weight:g}", runs[arm]
        if "tagging" in runs:
            yield "tagging alone", runs["tagging"]


def measure_all(output: Path, manifest: Path) -> Measures:
    """Read all that measure.sh has written.

    Args:
        output: folder of the study's results.
        manifest: of the test set.
    """
    rows, measures = TestRows(manifest), Measures()
    measures.num_rows = len(rows.places(SEARCHING[0]))
    for run in find_runs(output):
        decoded, unseen = run.folder / "test.out", run.folder / "zero.out"
        if run.arm != FIRST_STEP and decoded.exists():
            measures.rates[run] = rows.score_output(decoded, run.languages.split("_"))
        if unseen.exists():
            measures.unseen[run] = rows.score_output(unseen, [UNSEEN[run.languages]])
    measured = output / "measured"
    for name, label in BASELINES.items():
        if (measured / f"{name}.txt").exists():
            texts = read_lines(measured / f"{name}.txt", may_be_blank=True)
            measures.beside[label] = rows.score(texts, [*SEARCHING, "es"])
    _measure_recall(output, measures)
    _measure_compositions(output, measures)
    return measures


def _measure_recall(output: Path, measures: Measures) -> None:
    manifest = output / "measured" / "retention.tsv"
    if not manifest.exists():
        return
    search = Search(manifest, output / "teacher")
    measures.num_prompts = len({row.parallel_id for row in search.rows})
    before = output / "base" / "retention.npy"
    if before.exists():
        measures.recall_before = {mix: search.recall(before, mix.split("_")) for mix in MIXES}
    for run in (run for run in measures.rates if set(run.languages.split("_")) <= set(SEARCHING)):
        after = (output / "base" if run.arm == FROZEN else run.folder) / "retention.npy"  # frozen: nothing is lost
        if after.exists():
            measures.recall[run] = search.recall(after, run.languages.split("_"))
            measures.cosine[run] = search.cosine(after, run.languages.split("_"))


def _measure_compositions(output: Path, measures: Measures) -> None:
    manifest = output / "measured" / "compositions.tsv"
    if not manifest.exists():
        return
    search = Search(manifest, output / "teacher")
    folders = {("before", 0): output / "base"}
    arms = [run for run in measures.rates if run.languages == "fr_it" and run.arm != FROZEN]
    folders |= {(run.arm, run.seed): run.folder for run in arms}
    for name, folder in folders.items():
        vectors = folder / "compositions.npy"
        if vectors.exists():
            languages = list(SEARCHING)
            measures.compositions[name] = (
                search.recall(vectors, languages),
                search.recall_of_speech(vectors, languages),
            )
