"""Tables of the study: every arm on languages seen and unseen, and the paper's claims with intervals and verdicts.

    python study_tables.py --output OUTPUT --manifest test.tsv

Intervals hold 95 % of 1000 resamples of the test rows, means over the seeds resampled alike (paired); they say what
other test rows would give, not what other training data or many seeds would.
"""

import argparse
import importlib.metadata
import os
import re
from pathlib import Path

from study import LIKELIHOOD, METRICS, TESTS, Arm, Score, TestSet, contrast, mean, pick, read_scores

from fairseq_samu.reports.figure_cells import show_difference, show_figure
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.translation import score_translations

KINDS = ("frozen", "adapters", "full")
ENCODERS = {"plain": "Whisper-base", "samu": "SAMU-distilled", "ctc": "CTC-tuned"}
TOPLINES = {"transcripts": "transcripts, translated", "cascade": "cascade: CTC, then translated"}
CLAIMS = [
    *(("semantic against plain", Arm("samu", kind), Arm("plain", kind)) for kind in KINDS),
    *(("semantic against CTC-tuned", Arm("samu", kind), Arm("ctc", kind)) for kind in KINDS[:2]),
    *(("CTC-tuned against plain", Arm("ctc", kind), Arm("plain", kind)) for kind in KINDS[:2]),
    *(("adapters against full", Arm(encoder, "adapters"), Arm(encoder, "full")) for encoder in ("samu", "plain")),
]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the test set")
    arguments = parser.parse_args()
    test_set = TestSet.read(arguments.manifest)
    scores = list(read_scores(arguments.output / "st", test_set))
    print("\n".join(tabulate_toplines(arguments.output, test_set)) + "\n")
    print("\n".join(tabulate_arms(scores)) + "\n")
    print("\n".join(tabulate_claims(scores, "chrf", "chrF", digits=1)) + "\n")
    if all(LIKELIHOOD in score.figures for score in scores):
        print("\n".join(tabulate_claims(scores, LIKELIHOOD, "log2 p a token", digits=2)) + "\n")
    print("\n".join(tabulate_runs(scores, arguments.output)) + "\n")
    print("\n".join(describe_run(test_set)))


def tabulate_toplines(output: Path, test_set: TestSet) -> list[str]:
    """Text model on transcripts, cascade, and the transcripts themselves in the place of translations."""
    languages = sorted(test_set.rows)
    heads = [f"{language} {name}" for language in languages for name in ("chrF", "BLEU")]
    lines = [header(["beside the arms", *heads])]
    found = {label: output / name / "test.out" for name, label in TOPLINES.items()}
    scored = {label: test_set.score(file) for label, file in found.items() if file.exists()}
    scored["transcripts, not translated"] = test_set.score_texts(test_set.sources)
    for label, figures in scored.items():
        lines.append(row([label, *(show_figure(figures[code][metric]) for code in languages for metric in METRICS)]))
    return lines


def tabulate_arms(scores: list[Score]) -> list[str]:
    """Each arm on languages seen and unseen, means over directions and seeds."""
    known = all(LIKELIHOOD in score.figures for score in scores)
    names = ("chrF", "BLEU", *(["log2 p a token"] if known else []))
    lines = [header(["encoder", "tuned of it", "runs", *(f"{test} {name}" for test in TESTS for name in names)])]
    for kind in KINDS:
        for encoder, label in ENCODERS.items():
            found = {test: pick(scores, Arm(encoder, kind), test) for test in TESTS}
            if not found["seen"]:
                continue
            cells = []
            for test in TESTS:
                cells += [show_figure(mean(found[test], metric)) for metric in METRICS]
                cells += [show_figure(mean(found[test], LIKELIHOOD), digits=2)] if known else []
            lines.append(row([label, kind, str(len(found["seen"])), *cells]))
    return lines


def tabulate_claims(scores: list[Score], metric: str, name: str, digits: int) -> list[str]:
    """The paper's claims by one metric, paired: difference, interval, p-value, smallest detectable effect, verdict."""
    lines = [header(["claim", "arms", "test", "runs", name, "p", "detectable", "verdict"])]
    for claim, arm, baseline in CLAIMS:
        for test in TESTS:
            found = contrast(scores, arm, baseline, test, metric)
            if found is None:
                continue
            compared, runs = found
            arms = f"{arm.encoder} {arm.kind} - {baseline.encoder} {baseline.kind}"
            cells = [
                show_difference(compared, digits),
                f"{compared.p_value:.3f}",
                f"{found.detectable:.{digits}f}",
                found.verdict(),
            ]
            lines.append(row([claim, arms, test, str(runs), *cells]))
    return lines


def tabulate_runs(scores: list[Score], output: Path) -> list[str]:
    """Every run by itself, with its seconds of training."""
    lines = [header(["encoder", "tuned of it", "trained on", "seed", "cs chrF", "nl chrF", "training"])]
    runs: dict[tuple[Arm, str, int], dict[str, Figure]] = {}
    for score in scores:
        runs.setdefault((score.arm, score.trained, score.seed), {})[score.tested] = score.figures["chrf"]
    for (arm, trained, seed), figures in runs.items():
        seconds = (output / "st" / f"{arm.encoder}-{trained}-{seed}-{arm.kind}" / "seconds").read_text().strip()
        cells = [f"{figures[code].score:.1f}" if code in figures else "" for code in ("cs", "nl")]
        lines.append(row([ENCODERS[arm.encoder], arm.kind, trained, str(seed), *cells, f"{seconds} s"]))
    return lines


def describe_run(test_set: TestSet) -> list[str]:
    """Signatures, processor, versions."""
    signatures = score_translations(test_set.references, test_set.references, "en").signatures
    packages = {"torch": "torch", "fairseq": "ve-fairseq", "sacrebleu": "sacrebleu"}
    versions = [f"{name} {importlib.metadata.version(package)}" for name, package in packages.items()]
    counts = ", ".join(f"{len(places)} {language}" for language, places in sorted(test_set.rows.items()))
    return [
        f"Test rows: {counts}. " + "; ".join(f"{name}: `{text}`" for name, text in signatures.items()) + ".",
        f"Processor: {read_processor()}, {os.cpu_count()} cores. {', '.join(versions)}.",
    ]


def read_processor() -> str:
    """Name of the processor."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found[1].strip() if found else "unknown"


def header(names: list[str]) -> str:
    """First two lines of a table in Markdown."""
    return row(names) + "\n" + "|---" * len(names) + "|"


def row(cells: list[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
