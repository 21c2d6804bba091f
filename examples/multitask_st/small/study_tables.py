"""Tables of the study: every arm, the paper's claims with intervals and verdicts, what is heard, seconds, gradients.

    python study_tables.py --output OUTPUT --manifest test.tsv [--plots FOLDER]

Intervals hold 95 % of 1000 resamples of the test recordings, means over seeds and languages resampled alike (paired);
they say what other recordings would give, not what other training data or many seeds would.
"""

import argparse
import importlib.metadata
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradients import tabulate_gradients
from study_plots import write_plots
from training_time import tabulate_time
from translated_runs import (
    BLEU,
    CHRF,
    DIGITS,
    LIKELIHOOD,
    METRICS,
    Heard,
    Run,
    Scores,
    TestRows,
    find_runs,
    is_measured,
    measure_hearing,
)

from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.reports.figure_cells import show_difference, show_figure
from fairseq_samu.reports.text_table import TextTable
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.run_statistics import Measured, average_runs, contrast_runs
from fairseq_samu.scoring.translation import score_translations

ROWS = "recordings"
CLAIMS = (
    ("multi-task against ST with CTC and alignment", "base", "st"),
    ("multi-task against cross-entropy alone", "base", "alone"),
    ("compressor against none", "base", "off"),
    ("shrinking against no compressor", "shrink", "off"),
    ("looking back against shrinking", "base", "shrink"),
    ("looking back against means", "base", "avg"),
    ("segment against global look-back", "base", "global"),
    ("local-to-global extractor", "base", "plain"),
    ("noise on MT's source", "base", "quiet"),
    ("task-norm decay against fixed weights", "base", "fixed"),
    ("weights by consistency against fixed weights", "consistency", "fixed"),
    ("task-norm decay against constant weights to the end", "apart", "constant"),
)
"""What the paper says of the first arm against the second: better."""
TOPLINES = {"mt-l2g": "transcripts, translated by the text model", "mt-plain": "the same without L2G"}


@dataclass
class Measures:
    """What is measured so far.

    Attributes:
        scores: of every run that was decoded.
        heard: what its CTC head hears.
        toplines: scores of the text models on the transcripts, by name.
        num_recordings: that are translated into every language.
    """

    scores: dict[Run, Scores] = field(default_factory=dict)
    heard: dict[Run, Heard] = field(default_factory=dict)
    toplines: dict[str, Scores] = field(default_factory=dict)
    num_recordings: int = 0

    def of(self, arm: str) -> list[Run]:
        """Runs of an arm."""
        return [run for run in self.scores if run.arm == arm]

    @property
    def arms(self) -> list[str]:
        """Arms in the order of the claims."""
        named = dict.fromkeys(arm for _, *pair in CLAIMS for arm in pair)
        return [arm for arm in named if self.of(arm)]


def main() -> None:
    """Print the tables and draw the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the test set")
    parser.add_argument("--plots", type=Path, help="folder for the plots [OUTPUT]")
    arguments = parser.parse_args()
    measures = measure_all(arguments.output, arguments.manifest)
    runs = list(measures.scores)
    tables = [
        tabulate_arms(measures),
        *(tabulate_claims(measures, metric) for metric in METRICS),
        tabulate_languages(measures),
        tabulate_hearing(measures),
        tabulate_time(runs),
        tabulate_gradients(runs),
        tabulate_runs(measures),
    ]
    print("\n\n".join(table.as_markdown() for table in tables if table.rows))
    print("\n" + "\n".join(describe_run(measures)))
    write_plots(runs, arguments.plots or arguments.output)


def measure_all(output: Path, manifest: Path) -> Measures:
    """Read all that measure.sh has written.

    Args:
        output: folder of the study's results.
        manifest: of the test set.
    """
    rows, measures = TestRows(manifest), Measures()
    measures.num_recordings = len(next(iter(rows.places.values())))
    recordings = output / "measured" / "recordings.tsv"
    spoken = list(read_manifest(recordings)) if recordings.exists() else []
    for run in find_runs(output):
        if is_measured(run.folder):
            measures.scores[run] = rows.score(run.folder)
        if spoken and all((run.folder / name).exists() for name in ("asr.out", "compression.json")):
            measures.heard[run] = measure_hearing(run.folder, spoken)
    for name, label in TOPLINES.items():
        if is_measured(output / name):
            measures.toplines[label] = rows.score(output / name)
    return measures


def mean(scores: Iterable[Scores], metric: str) -> Figure:
    """Mean over runs and languages, whose rows are the same recordings."""
    return average_runs((ROWS, figures[metric]) for one in scores for figures in one.values())


def tabulate_arms(measures: Measures) -> TextTable:
    """Each arm, means over seeds and languages; above them the text models on transcripts."""
    rows = [
        [label, "", *(show_figure(mean([scores], metric), DIGITS[metric]) for metric in METRICS)]
        for label, scores in measures.toplines.items()
    ]
    for arm in measures.arms:
        found = [measures.scores[run] for run in measures.of(arm)]
        figures = [show_figure(mean(found, metric), DIGITS[metric]) for metric in METRICS]
        rows.append([arm, str(len(found)), *figures])
    return TextTable("Arms, means over five target languages", ["arm", "seeds", *METRICS.values()], rows)


def tabulate_claims(measures: Measures, metric: str) -> TextTable:
    """Arms against each other by one metric, paired: difference, interval, p-value, detectable effect, verdict."""
    header = ["claim", "first - second", "seeds", METRICS[metric], "p", "detectable", "verdict"]
    rows, digits = [], DIGITS[metric]
    for claim, first, second in CLAIMS:
        sides = [figures_of(measures, arm, metric) for arm in (first, second)]
        found = contrast_runs(*sides)
        if found:
            compared = found.comparison
            cells = [show_difference(compared, digits), f"{compared.two_sided:.3f}", f"{found.detectable:.{digits}f}"]
            rows.append([claim, f"{first} - {second}", str(found.num_runs), *cells, found.verdict()])
    return TextTable(f"Claims by {METRICS[metric]}; shown: the first arm is better", header, rows)


def figures_of(measures: Measures, arm: str, metric: str) -> dict[int, list[Measured]]:
    """Figures of an arm by seed, one for each language."""
    return {
        run.seed: [(ROWS, figures[metric]) for figures in measures.scores[run].values()] for run in measures.of(arm)
    }


def tabulate_languages(measures: Measures) -> TextTable:
    """Each arm by target language, means over seeds."""
    languages = list(next(iter(measures.scores.values()), {}))
    header = ["arm", *(f"{code} {METRICS[metric]}" for code in languages for metric in (LIKELIHOOD, CHRF, BLEU))]
    rows = []
    for arm in measures.arms:
        found = [measures.scores[run] for run in measures.of(arm)]
        cells = [
            f"{mean([{code: scores[code]} for scores in found], metric).score:.{min(DIGITS[metric], 2)}f}"
            for code in languages
            for metric in (LIKELIHOOD, CHRF, BLEU)
        ]
        rows.append([arm, *cells])
    return TextTable("Arms by target language", header, rows)


def tabulate_hearing(measures: Measures) -> TextTable:
    """What the trained CTC heads hear, and how much they compress."""
    header = ["arm", "seeds", "character error, %", "word error, %", "frames a segment", "segments a piece"]
    rows = []
    for arm in measures.arms:
        found = [measures.heard[run] for run in measures.of(arm) if run in measures.heard]
        if found:
            rows.append(
                [
                    arm,
                    str(len(found)),
                    _mean_cell((heard.characters for heard in found), 1),
                    _mean_cell((heard.words for heard in found), 1),
                    _mean_cell((heard.ratio for heard in found), 2),
                    _mean_cell((heard.pieces for heard in found), 2),
                ]
            )
    return TextTable("What CTC hears of the test recordings", header, rows)


def _mean_cell(figures: Iterable[Figure], digits: int) -> str:
    return show_figure(average_runs((ROWS, figure) for figure in figures), digits)


def tabulate_runs(measures: Measures) -> TextTable:
    """Every run by itself."""
    rows = []
    for run, scores in measures.scores.items():
        figures = [f"{mean([scores], metric).score:.{DIGITS[metric]}f}" for metric in METRICS]
        rows.append([run.folder.name, *figures, str(run.seconds())])
    return TextTable("Each run", ["run", *METRICS.values(), "seconds"], rows)


def describe_run(measures: Measures) -> Sequence[str]:
    """Signatures, sizes of the test, versions."""
    signatures = score_translations(["a"], ["a"], "en").signatures
    packages = {"torch": "torch", "fairseq": "ve-fairseq", "sacrebleu": "sacrebleu"}
    versions = [f"{name} {importlib.metadata.version(package)}" for name, package in packages.items()]
    seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in measures.scores}))
    return [
        f"- Test: {measures.num_recordings} recordings with a translation into every language. "
        + "; ".join(f"{name}: `{text}`" for name, text in signatures.items())
        + ".",
        f"- Seeds {seeds}; processor of {os.cpu_count()} cores; {', '.join(versions)}.",
    ]


if __name__ == "__main__":
    main()
