"""Tables of the study: every arm, the paper's findings with intervals and verdicts, languages, forgetting, each run.

    python study_tables.py --output OUTPUT

Error rates in percent, lower is better; means over languages and seeds. Intervals hold 95 % of 1000 resamples of the
test recordings, those of a language drawn alike for every arm (paired): they say what other recordings would give, not
what other training data or many seeds would.
"""

import argparse
import importlib.metadata
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recognised_runs import BASE, JOINT, SEARCHES, SEEN, SUBSETS, Run, Scores, TestRows, find_runs

from fairseq_samu.reports.figure_cells import show_difference, show_figure
from fairseq_samu.reports.text_table import TextTable
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.recognition import METRICS
from fairseq_samu.scoring.run_statistics import Measured, average_runs, contrast_runs

FINDINGS = (
    ("adapters in the encoder against none", "encoder", BASE, ()),
    ("adapters in the decoder against none", "decoder", BASE, ()),
    ("encoder against decoder, equal size", "encoder", "decoder", ()),
    ("the same, eight times as wide", "encoderwide", "decoderwide", ()),
    ("encoder, eight times as wide against narrow", "encoderwide", "encoder", ()),
    ("text alone against none", "text", BASE, ()),
    ("text alone against speech, in the decoder", "text", "decoder", ()),
    ("text, then encoder against encoder alone", "both", "encoder", ()),
    ("length adapter against none", "length", BASE, ()),
    ("length adapter against encoder adapters", "length", "encoder", ()),
    ("12 minutes against 6, encoder", "encoder", "encoder6", ()),
    ("6 minutes against 3, encoder", "encoder6", "encoder3", ()),
    ("12 minutes against 6, decoder", "decoder", "decoder6", ()),
    ("6 minutes against 3, decoder", "decoder6", "decoder3", ()),
    ("zero-shot: length adapter of Spanish, on Catalan", "pivotes", BASE, ("ca",)),
    ("zero-shot: length adapter of Russian, on Belarusian", "pivotru", BASE, ("be",)),
)
"""What is said of the first arm against the second, lower error rates, and the languages that it is said of (all)."""


@dataclass
class Measures:
    """What is measured so far.

    Attributes:
        runs: trainings that are done.
        scores: by output of the decoding and run.
        tests: rows of each output.
    """

    runs: list[Run]
    tests: dict[str, TestRows]
    scores: dict[str, dict[Run, Scores]] = field(default_factory=dict)

    def of(self, base: str, arm: str, output: str = JOINT) -> list[Run]:
        """Runs of an arm that are measured."""
        return [run for run in self.scores[output] if (run.base, run.arm) == (base, arm)]

    @property
    def bases(self) -> list[str]:
        """Bases of the runs."""
        return list(dict.fromkeys(run.base for run in self.scores[JOINT]))

    def arms(self, base: str) -> list[str]:
        """The base itself, then its arms in the order of the findings."""
        named = dict.fromkeys([BASE, *(arm for _, *pair, _ in FINDINGS for arm in pair)])
        return [arm for arm in named if self.of(base, arm)]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the study's results")
    arguments = parser.parse_args()
    measures = measure_all(arguments.output)
    tables = [
        tabulate_data(arguments.output / "data" / "sizes.json"),
        *(tabulate_arms(measures, base) for base in measures.bases),
        *(tabulate_findings(measures, base, metric) for base in measures.bases for metric in METRICS),
        tabulate_languages(measures),
        tabulate_forgetting(measures),
        tabulate_runs(measures),
    ]
    print("\n\n".join(table.as_markdown() for table in tables if table.rows))
    print("\n" + "\n".join(describe_run(measures)))


def measure_all(output: Path) -> Measures:
    """Read all that measure.sh has written below a folder."""
    tests = {name: TestRows(output / "data" / f"{subset}.tsv") for name, subset in SUBSETS.items()}
    measures = Measures(list(find_runs(output)), tests)
    for name, rows in tests.items():
        files = {run: run.folder / name for run in measures.runs}
        measures.scores[name] = {run: rows.score(file) for run, file in files.items() if file.exists()}
    return measures


def figures_of(scores: Scores, metric: str, languages: Sequence[str] = ()) -> list[Measured]:
    """Figures of a run by the language of their rows, of those asked for or of all."""
    return [(code, figures[metric]) for code, figures in scores.items() if not languages or code in languages]


def mean(found: Iterable[Scores], metric: str, languages: Sequence[str] = ()) -> Figure:
    """Mean over runs and languages."""
    return average_runs(figure for scores in found for figure in figures_of(scores, metric, languages))


def tabulate_data(sizes: Path) -> TextTable:
    """Rows and minutes of every manifest by language."""
    found: Mapping[str, Mapping[str, Mapping[str, float]]] = json.loads(sizes.read_text())
    languages = list(dict.fromkeys(code for part in found.values() for code in part))
    rows = [[name, *(_size_cell(part.get(code, {})) for code in languages)] for name, part in found.items()]
    return TextTable("Data: rows, and minutes of speech", ["manifest", *languages], rows)


def _size_cell(size: Mapping[str, float]) -> str:
    minutes = f", {size['minutes']:.1f} min" if "minutes" in size else ""
    return f"{size['rows']:.0f}{minutes}" if size else ""


def tabulate_arms(measures: Measures, base: str) -> TextTable:
    """Each arm of a base: what is tuned, means over seeds and the new languages, by every search."""
    rates = [f"{label} by {search}" for search in SEARCHES.values() for label in METRICS.values()]
    rows = []
    for arm in measures.arms(base):
        runs = measures.of(base, arm)
        cells = []
        for output in SEARCHES:
            found = [measures.scores[output][run] for run in measures.of(base, arm, output)]
            cells += [show_figure(mean(found, metric)) if found else "" for metric in METRICS]
        seconds = sum(run.seconds() for run in runs) / len(runs)
        rows.append([arm, str(len(runs)), f"{runs[0].tuned():,}", *cells, f"{seconds:.0f}"])
    header = ["arm", "seeds", "tuned", *rates, "seconds"]
    return TextTable(f"Base {base}: arms, means over the new languages", header, rows)


def tabulate_findings(measures: Measures, base: str, metric: str) -> TextTable:
    """Arms against each other by decoder and CTC, paired: difference, interval, p-value, detectable, verdict."""
    header = ["finding", "first - second", "seeds", METRICS[metric], "p", "detectable", "verdict"]
    rows = []
    for finding, first, second, languages in FINDINGS:
        sides = [by_seed(measures, base, arm, metric, languages) for arm in (first, second)]
        if second == BASE:  # one model for all seeds
            sides[1] = {seed: figures for seed in sides[0] for figures in sides[1].values()}
        found = contrast_runs(*sides)
        if found:
            compared = found.comparison
            cells = [show_difference(compared), f"{compared.two_sided:.3f}", f"{found.detectable:.1f}"]
            verdict = found.verdict(lower_is_better=True)
            rows.append([finding, f"{first} - {second}", str(found.num_runs), *cells, verdict])
    title = f"Base {base}: findings by {METRICS[metric]}; shown: the first arm is better"
    return TextTable(title, header, rows)


def by_seed(
    measures: Measures, base: str, arm: str, metric: str, languages: Sequence[str]
) -> dict[int, list[Measured]]:
    """Figures of an arm by seed, one for each language."""
    found = measures.scores[JOINT]
    return {run.seed: figures_of(found[run], metric, languages) for run in measures.of(base, arm)}


def tabulate_languages(measures: Measures) -> TextTable:
    """Each arm by language, means over seeds."""
    return _by_language(measures, JOINT, "New languages")


def tabulate_forgetting(measures: Measures) -> TextTable:
    """Languages that the base has heard, before and after a tuning that their speech goes through."""
    return _by_language(measures, SEEN, "Forgetting: languages that the base has heard")


def _by_language(measures: Measures, output: str, title: str) -> TextTable:
    languages = list(measures.tests[output].places)
    header = ["base", "arm", *(f"{code} {label}" for code in languages for label in METRICS.values())]
    rows = []
    for base in measures.bases:
        for arm in measures.arms(base):
            found = [measures.scores[output][run] for run in measures.of(base, arm, output)]
            cells = [show_figure(mean(found, metric, [code])) for code in languages for metric in METRICS if found]
            rows += [[base, arm, *cells]] if found else []
    return TextTable(title, header, rows)


def tabulate_runs(measures: Measures) -> TextTable:
    """Every run by itself."""
    rows = []
    for run, scores in measures.scores[JOINT].items():
        figures = [f"{mean([scores], metric).score:.1f}" for metric in METRICS]
        rows.append([run.base, run.folder.name, *figures, str(run.seconds())])
    return TextTable("Each run", ["base", "run", *METRICS.values(), "seconds"], rows)


def describe_run(measures: Measures) -> list[str]:
    """Signatures, sizes of the test, versions."""
    run = next(iter(measures.scores[JOINT]))
    signatures = measures.tests[JOINT].recognise(run.folder / JOINT).signatures
    packages = {"torch": "torch", "fairseq": "ve-fairseq"}
    versions = [f"{name} {importlib.metadata.version(package)}" for name, package in packages.items()]
    rows = ", ".join(f"{len(places)} {code}" for code, places in measures.tests[JOINT].places.items())
    shown = "; ".join(f"{METRICS[name]}: `{text}`" for name, text in signatures.items())
    return [f"- Test: {rows} recordings. {shown}.", f"- Processor of {os.cpu_count()} cores; {', '.join(versions)}."]


if __name__ == "__main__":
    main()
