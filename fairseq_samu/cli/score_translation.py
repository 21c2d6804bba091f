"""Score translations: sacreBLEU and chrF with signatures, by pair and group of languages, with intervals and tests."""

import argparse
import sys
from pathlib import Path
from typing import Any

from fairseq_samu.cli.compared_systems import describe_systems
from fairseq_samu.cli.retrieve import write_json, write_whole
from fairseq_samu.cli.score_inputs import (
    SystemFile,
    TestSet,
    add_input_options,
    add_resampling_options,
    check_resamples,
    list_systems,
    read_hypotheses,
    read_test_set,
)
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.reports.translation_tables import (
    list_scores,
    tabulate_comparison,
    tabulate_system,
    tabulate_systems,
)
from fairseq_samu.scoring.resource_groups import COVOST2_GROUPS, Groups, assign_pairs, parse_groups, require_pairs
from fairseq_samu.scoring.tokenisers import TOKENISERS
from fairseq_samu.scoring.translation import METRICS, ScoringPlan, plan_scoring, score_translations
from fairseq_samu.scoring.translation_summary import (
    TranslationSummary,
    describe_comparison,
    describe_summary,
    summarise_translations,
)

DESCRIPTION = "translation: BLEU, chrF and others"
EPILOG = (
    "Toplines are systems like others: --system transcripts=FILE for transcripts that a text model translated, "
    "--system cascade=FILE for recognised text that it translated. Groups are those of CoVoST-2 where everything is "
    "translated into English; TRFGap is the mean of the first group less that of the last. Google-BLEU, ROUGE-L and "
    "NIST need `pip install 'fairseq-samu[metrics]'`, METEOR also NLTK's WordNet, BERTScore the extra `transformers` "
    "and a model's directory."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `score st`."""
    add = parser.add_argument
    add_input_options(parser)
    add("--groups", help="groups of source languages or pairs, as 'seen=nl,de;unseen=cs' [those of CoVoST-2]")
    add("--metrics", default="bleu,chrf", help="of bleu chrf google_bleu rouge_l meteor bertscore nist [%(default)s]")
    add("--tokenize", metavar="NAME", help="sacreBLEU's tokeniser [by target language]")
    add_resampling_options(parser)
    add("--bertscore-model", type=Path, metavar="DIR", help="saved model and tokeniser for BERTScore")
    add("--bertscore-layer", type=int, metavar="N", help="its hidden layer [the last one]")
    add("--json", type=Path, metavar="FILE", help="write the scores there; - for standard output")
    add("--csv", type=Path, metavar="FILE", help="write the scores there as comma-separated values")
    add("--markdown", action="store_true", help="print the tables in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Score, print and write.

    Args:
        arguments: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: the inputs do not fit each other; the message says where.
    """
    files, baseline = list_systems(arguments)
    plan = plan_of(arguments)
    test_set = read_test_set(arguments, files[0])
    groups = groups_of(arguments, list(test_set.pairs))
    listed = [*files, *([baseline] if baseline else [])]
    summaries = {file.name: score_system(file, test_set, plan, groups) for file in listed}
    systems = describe_systems(summaries, files, baseline, describe_summary, describe_comparison)
    result = {**systems[files[0].name], "references": test_set.source}
    if len(test_set.pairs) > 1 and len({pair.target for pair in test_set.pairs.values()}) == 1:
        result["corpus"] = score_corpus(files[0], test_set, plan)
    if len(systems) > 1:
        result["systems"] = systems
    # files first: the reader of a table may leave early (`| head`)
    if arguments.json:
        write_json(arguments.json, result)
    if arguments.csv:
        write_whole(arguments.csv, list_scores(systems))
    # standard output is either a table or JSON
    print(format_tables(systems, arguments.markdown), file=sys.stderr if str(arguments.json) == "-" else sys.stdout)
    return 0


def plan_of(arguments: argparse.Namespace) -> ScoringPlan:
    """What to compute, as the command line says."""
    if arguments.tokenize not in (None, *TOKENISERS):
        rule = f"of {', '.join(TOKENISERS)}"
        raise ConfigError(explain("", "--tokenize", rule, arguments.tokenize, "The others would be downloaded."))
    return plan_scoring(
        [name.strip() for name in arguments.metrics.split(",")],
        arguments.bertscore_model,
        arguments.bertscore_layer,
        tokeniser=arguments.tokenize,
        num_resamples=check_resamples(arguments.resamples),
        seed=arguments.seed,
    )


def groups_of(arguments: argparse.Namespace, pairs: list[str]) -> Groups:
    """Groups that the command line names; those of CoVoST-2 where it names none and all is translated into English."""
    if arguments.groups:
        groups = parse_groups(arguments.groups)
        require_pairs(assign_pairs(pairs, groups), pairs, groups)
        return groups
    return COVOST2_GROUPS if all(pair.endswith("-en") for pair in pairs) else {}


def score_system(file: SystemFile, test_set: TestSet, plan: ScoringPlan, groups: Groups) -> TranslationSummary:
    """Read a system's hypotheses and score each pair of languages."""
    hypotheses = read_hypotheses(file, test_set)
    scores = {}
    for name, pair in test_set.pairs.items():
        texts = [hypotheses[row] for row in pair.rows]
        scores[name] = score_translations(texts, [test_set.references[row] for row in pair.rows], pair.target, plan)
    return summarise_translations(scores, groups)


def score_corpus(file: SystemFile, test_set: TestSet, plan: ScoringPlan) -> dict[str, float]:
    """BLEU and chrF of all rows as one corpus, whatever their source language; beside the mean over pairs."""
    target = next(iter(test_set.pairs.values())).target
    hypotheses = read_hypotheses(file, test_set)
    pooled = ScoringPlan(tokeniser=plan.tokeniser, num_resamples=0)
    scores = score_translations(hypotheses, test_set.references, target, pooled)
    return {metric: figure.score for metric, figure in scores.figures.items()}


def format_tables(systems: dict[str, dict[str, Any]], markdown: bool) -> str:
    """Tables, tests, signatures and notes as text or Markdown.

    Args:
        systems: described scores by name.
        markdown: give Markdown.
    """
    first = next(iter(systems.values()))
    tables = tabulate_system(first) if len(systems) == 1 else tabulate_systems(systems)
    comparisons = {name: result["comparison"] for name, result in systems.items() if "comparison" in result}
    if comparisons:
        tables.append(tabulate_comparison(comparisons))
    parts = [table.as_markdown() if markdown else table.as_text() for table in tables]
    signatures = [f"{METRICS[metric][0]}: {text}" for metric, text in first["signature"].items()]
    closing = [*signatures, *(f"note: {note}" for note in first["notes"])]
    return "\n\n".join([*parts, "\n".join(f"- {line}" if markdown else line for line in closing)])
