"""Tables of the study: every arm, the paper's claims with intervals and verdicts, a language with little data, lambda.

    python study_tables.py --output OUTPUT --manifest test.tsv

Intervals hold 95 % of 1000 resamples of the test compositions (error rates) or prompts (retrieval), means over runs
resampled alike (paired); they say what other test rows would give, not what other training data or many seeds would.
"""

import argparse
import importlib.metadata
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from measured_runs import COSINE, FROZEN, RECALL, Run
from study_measures import MIXES, Measures, measure_all
from study_plots import PAPER_WEIGHT, write_plots

from fairseq_samu.reports.figure_cells import show_difference, show_figure
from fairseq_samu.reports.text_table import TextTable
from fairseq_samu.scoring.paired_bootstrap import Comparison, Figure, compare
from fairseq_samu.scoring.run_statistics import Measured, average_runs, contrast_runs
from fairseq_samu.scoring.understanding import METRICS, score_understanding

ARMS = (FROZEN, "dual", "sequential", "tagging")
CLAIMS = (("dual", "sequential"), ("dual", "tagging"), ("sequential", "tagging"))
CLAIMS_OF_TUNING = tuple((arm, FROZEN) for arm in ARMS[1:])
NAMES = {FROZEN: "frozen encoder"}
LABELS = {**METRICS, RECALL: "R@1", COSINE: "cosine"}


def main() -> None:
    """Print the tables and draw the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the test set")
    parser.add_argument("--plots", type=Path, help="folder for lambda.svg and portability.svg [OUTPUT]")
    arguments = parser.parse_args()
    measures = measure_all(arguments.output, arguments.manifest)
    tables = [
        tabulate_beside(measures),
        tabulate_arms(measures),
        tabulate_claims(measures),
        tabulate_weights(measures),
        tabulate_shares(measures),
        tabulate_unseen(measures),
        tabulate_compositions(measures),
        tabulate_runs(measures),
    ]
    print("\n\n".join(table.as_markdown() for table in tables if table.rows))
    print("\n" + "\n".join(describe_run(measures)))
    write_plots(measures, arguments.plots or arguments.output)


def tabulate_beside(measures: Measures) -> TextTable:
    """Systems that hear nothing."""
    rows = []
    for name, scores in measures.beside.items():
        for language, figures in scores.items():
            rows.append([name, language, *(show_figure(figures[metric]) for metric in METRICS)])
    return TextTable("Systems that hear nothing", ["system", "language", *METRICS.values()], rows)


def tabulate_arms(measures: Measures) -> TextTable:
    """Each arm in each mix of languages, means over seeds (and over the languages of a mix)."""
    header = [
        "trained on",
        "arm",
        "seeds",
        *METRICS.values(),
        "R@1 before",
        "R@1 after",
        "cosine",
        "optimised",
        "moved",
        "s",
    ]
    rows = []
    for mix in MIXES:
        for arm in ARMS:
            runs = [run for run in measures.rates if (run.arm, run.languages) == (arm, mix)]
            if runs:
                rates = [show_figure(mean(measures, runs, metric)) for metric in METRICS]
                recalls = [
                    show_figure(measures.recall_before.get(mix)),
                    *(show_figure(mean(measures, runs, name)) for name in (RECALL, COSINE)),
                ]
                sizes = [f"{count / 1e6:.1f} M" for count in runs[0].sizes()]
                seconds = sum(run.seconds() for run in runs) / len(runs)
                rows.append(
                    [
                        mix.replace("_", "+"),
                        NAMES.get(arm, arm),
                        str(len(runs)),
                        *rates,
                        *recalls,
                        *sizes,
                        f"{seconds:.0f}",
                    ]
                )
    return TextTable("Arms", header, rows)


def tabulate_claims(measures: Measures) -> TextTable:
    """Arms against each other, paired: difference, interval, p-value, smallest detectable effect, verdict."""
    header = ["first - second", "trained on", "runs", "metric", "difference", "p", "detectable", "verdict"]
    rows = []
    for first, second in CLAIMS:
        for mixes in ((mix,) for mix in MIXES):
            rows += _claims(measures, first, second, mixes)
        rows += _claims(measures, first, second, MIXES)
    for first, second in CLAIMS_OF_TUNING:
        rows += _claims(measures, first, second, MIXES)
    return TextTable("Arms against each other; shown: the first is better", header, rows)


def _claims(measures: Measures, first: str, second: str, mixes: Sequence[str]) -> Iterator[list[str]]:
    for metric in ("cer", "cver", "wer", RECALL, COSINE) if len(mixes) > 1 else ("cer", RECALL, COSINE):
        found = contrast_runs(*(figures_of(measures, arm, mixes, metric) for arm in (first, second)))
        if found:
            name = "all" if len(mixes) > 1 else mixes[0].replace("_", "+")
            compared = found.comparison
            cells = [show_difference(compared), f"{compared.two_sided:.3f}", f"{found.detectable:.1f}"]
            verdict = found.verdict(lower_is_better=metric in METRICS)
            yield [f"{first} - {NAMES.get(second, second)}", name, str(found.num_runs), LABELS[metric], *cells, verdict]


def figures_of(
    measures: Measures, arm: str, mixes: Sequence[str], metric: str
) -> Mapping[tuple[str, int], list[Measured]]:
    """Figures of an arm by run; in each run one, the mean over its languages."""
    found = {}
    for run in measures.rates:
        if run.arm == arm and run.languages in mixes and run.share is None:
            figure = one(measures, run, metric)
            if figure:
                found[run.languages, run.seed] = [("compositions", figure)]
    return found


def one(measures: Measures, run: Run, metric: str) -> Figure | None:
    """A metric of one run, the mean over its languages, whose rows are the same compositions."""
    if metric in (RECALL, COSINE):
        return (measures.recall if metric == RECALL else measures.cosine).get(run)
    return average_runs(("compositions", figures[metric]) for figures in measures.rates[run].values())


def mean(measures: Measures, runs: Sequence[Run], metric: str) -> Figure | None:
    """Mean over seeds; None where not all are measured."""
    found = [figure for figure in (one(measures, run, metric) for run in runs) if figure]
    return average_runs(("compositions", figure) for figure in found) if len(found) == len(runs) else None


def tabulate_weights(measures: Measures) -> TextTable:
    """Lambda, the weight of tagging; tagging alone as its end."""
    rows = []
    for weight, run in measures.by_weight(PAPER_WEIGHT):
        cells = [show_figure(one(measures, run, metric)) for metric in LABELS]
        rows.append([weight, *cells])
    return TextTable("Weight lambda of tagging, French, one seed", ["lambda", *LABELS.values()], rows)


def tabulate_shares(measures: Measures) -> TextTable:
    """A language of which there is little data; the two ways on the same rows, paired."""
    by_share: dict[float, dict[str, dict[str, Figure]]] = {}
    for run, scores in (*measures.unseen.items(), *measures.rates.items()):
        if "es" in scores:
            by_share.setdefault(run.share or 0.0, {})[run.arm] = scores["es"]
    rows = []
    for share, arms in sorted(by_share.items()):
        for arm, figures in sorted(arms.items()):
            other = arms.get("sequential") if arm == "dual" else None
            difference = _change(compare(figures["cer"], other["cer"])) if other else ""
            cells = [show_figure(figures[metric]) for metric in METRICS]
            rows.append([f"{100 * share:g} %", arm, *cells, difference])
    header = ["of the training rows", "arm", *METRICS.values(), "CER, dual - sequential"]
    return TextTable("Spanish, after French and Italian, one seed", header, rows)


def tabulate_unseen(measures: Measures) -> TextTable:
    """Languages that a run has not been trained on."""
    rows = [
        [run.languages.replace("_", "+"), run.arm, tested, *(show_figure(scores[metric]) for metric in METRICS)]
        for run, figures in measures.unseen.items()
        for tested, scores in figures.items()
    ]
    header = ["trained on", "arm", "tested on", *METRICS.values()]
    return TextTable("A language that was not trained, one seed", header, rows)


def tabulate_compositions(measures: Measures) -> TextTable:
    """Retrieval of compositions across languages."""
    before = measures.compositions.get(("before", 0))
    rows = []
    for (name, seed), pair in measures.compositions.items():
        compared = [compare(*both) for both in zip(pair, before or pair, strict=True)]
        cells = [
            text for figure, one in zip(pair, compared, strict=True) for text in (show_figure(figure), _change(one))
        ]
        rows.append([name, str(seed or ""), *cells])
    header = ["model (French and Italian)", "seed", "text R@1", "change", "speech of the other language R@1", "change"]
    return TextTable("Test compositions across languages", header, rows)


def _change(compared: Comparison | None) -> str:
    return show_difference(compared) if compared and any(compared.interval) else ""


def tabulate_runs(measures: Measures) -> TextTable:
    """Every run by itself."""
    rows = []
    for run, scores in measures.rates.items():
        rates = [", ".join(f"{figures[metric].score:.1f}" for figures in scores.values()) for metric in METRICS]
        recall = measures.recall.get(run)
        rows.append([run.folder.name, *rates, f"{recall.score:.1f}" if recall else "", f"{run.seconds()}"])
    return TextTable("Each run (languages in the order of its name)", ["run", *METRICS.values(), "R@1", "s"], rows)


def describe_run(measures: Measures) -> list[str]:
    """Signatures, sizes of the test, versions."""
    signatures = score_understanding(["a"], ["a"]).signatures
    packages = {"torch": "torch", "fairseq": "ve-fairseq", "numpy": "numpy"}
    versions = [f"{name} {importlib.metadata.version(package)}" for name, package in packages.items()]
    seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in measures.rates}))
    return [
        f"Test: {measures.num_rows} compositions a language; retrieval: {measures.num_prompts} prompts a language. "
        + "; ".join(f"{METRICS[name]}: `{text}`" for name, text in signatures.items())
        + ".",
        f"Seeds {seeds}; processor of {os.cpu_count()} cores; {', '.join(versions)}.",
    ]


if __name__ == "__main__":
    main()
