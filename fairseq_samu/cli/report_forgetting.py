"""Make the page of forgetting: what tuning on some languages did to others, with tests on the same rows."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fairseq_samu.cli.named_files import split_named_file
from fairseq_samu.cli.retrieve import write_json, write_whole
from fairseq_samu.cli.score_inputs import (
    SystemFile,
    add_resampling_options,
    check_resamples,
    read_hypotheses,
    read_test_set,
)
from fairseq_samu.cli.scored_rows import name_languages
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, SamuError, explain
from fairseq_samu.reports.forgetting_page import LostRow, build_page, choose_losses
from fairseq_samu.reports.forgetting_tables import tabulate_forgetting
from fairseq_samu.scoring.error_rates import Rates
from fairseq_samu.scoring.forgetting import Change, compare_languages, count_losses, describe_forgetting
from fairseq_samu.scoring.generate_output import is_generate_output
from fairseq_samu.scoring.recognition import RecognitionPlan, score_recognition
from fairseq_samu.scoring.signature import join_signatures
from fairseq_samu.scoring.text_normalisers import NONE, TEXT_NORMALISERS, combine_text_normalisers
from fairseq_samu.scoring.translation import ScoringPlan, score_translations

DESCRIPTION = "what languages that were not tuned have lost"
BEFORE = "before"
Signatures = dict[str, dict[str, str]]


@dataclass(frozen=True)
class ComparedRows:
    """All rows of all test sets, one behind the other.

    Attributes:
        ids: of the rows.
        references: of the same.
        languages: places of the rows of each language or pair.
        targets: language of the texts of each; None where it is not known.
        texts: by system: what it wrote.
    """

    ids: list[str]
    references: list[str]
    languages: dict[str, list[int]]
    targets: dict[str, str | None]
    texts: dict[str, list[str]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `report forgetting`."""
    add = parser.add_argument
    columns = "src_text and src_lang of asr, tgt_text with both languages of st"
    add("--manifest", type=Path, nargs="+", required=True, metavar="TSV", help=f"test manifests; {columns}")
    files = "output of fairseq-generate, or plain text with one hypothesis a line, for each manifest in their order"
    add("--before", type=Path, nargs="+", required=True, metavar="FILE", help=files)
    after = "the same of a tuned system, files separated by commas; repeatable"
    add("--after", action="append", required=True, metavar="NAME=FILE[,FILE]", help=after)
    add("--tuned", default="", metavar="CODE[,CODE]", help="languages, or pairs such as fr-en, that were tuned")
    add("--task", choices=("asr", "st"), default="asr", help="WER and CER, or BLEU and chrF [%(default)s]")
    rules = f"form by which transcripts are compared, of {' '.join(TEXT_NORMALISERS)} [%(default)s]"
    add("--normalise", default=NONE.name, metavar="NAME[,NAME]", help=rules)
    add("--languages", default="", metavar="CODE[,CODE]", help="compare only rows whose src_lang is one of these")
    add_resampling_options(parser)
    add("--max-rows", type=int, default=30, metavar="N", help="rows shown of each system that lost most [%(default)s]")
    add("--note", default="", help="a line below the heading, such as what the data are")
    add("--json", type=Path, metavar="FILE", help="write the figures there; - for standard output")
    add("--output", type=Path, required=True, metavar="HTML", help="the file to write")


def run(args: argparse.Namespace) -> int:
    """Compare, print and write.

    Args:
        args: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: the inputs do not fit each other; the message says where.
    """
    systems = list_files(args)
    compared = gather_rows(args, systems)
    scores = {name: score_languages(args, compared, name) for name in systems}
    before, signatures = scores.pop(BEFORE)
    signature = join_signatures(signatures)
    described, losses = {}, {}
    for name, (after, _) in scores.items():
        found = compare_languages(list_changes(compared, name, before, after), tuned_languages(args))
        described[name] = describe_forgetting(found)
        losses[name] = choose_losses(list_losses(compared, name, found.tuned), args.max_rows)
    result = {"task": args.task, "rows": len(compared.references), "signature": signature, "systems": described}
    if args.json:
        write_json(args.json, result)
    write_whole(args.output, build_page(described, losses, signature, args.note))
    if str(args.json) != "-":
        print("\n\n".join(table.as_text() for table in tabulate_forgetting(described)))
        print(f"\n{args.output}: {len(compared.references)} rows, {len(compared.languages)} languages")
    return 0


def list_files(args: argparse.Namespace) -> dict[str, list[Path]]:
    """Files of each system, one for each manifest; that of :data:`BEFORE` first.

    Raises:
        ConfigError: two systems have one name, or one has more or fewer files than there are manifests.
    """
    systems: dict[str, list[Path]] = {BEFORE: args.before}
    for text in args.after:
        name, paths = split_named_file("--after", text)
        if name in systems:
            raise ConfigError(explain("", "names of systems", "different", name, "Give each --after NAME= its own."))
        systems[name] = [Path(path) for path in str(paths).split(",")]
    for name, listed in systems.items():
        if len(listed) != len(args.manifest):
            rule = f"as many as manifests ({len(args.manifest)})"
            raise ConfigError(
                explain("", f"files of {name}", rule, len(listed), "Give a file for each, in their order.")
            )
    return systems


def gather_rows(args: argparse.Namespace, systems: dict[str, list[Path]]) -> ComparedRows:
    """Read references, languages and hypotheses of all test sets.

    Raises:
        SamuError: a file is malformed, or of another test set.
    """
    of_speech = args.task == "asr"
    gathered = ComparedRows([], [], {}, {}, {name: [] for name in systems})
    for number, manifest in enumerate(args.manifest):
        files = {
            name: SystemFile(name, [paths[number]], not is_generate_output(paths[number]))
            for name, paths in systems.items()
        }
        where = argparse.Namespace(manifest=manifest, reference=None, languages=args.languages, language=None)
        test_set = read_test_set(where, files[BEFORE], of_speech=of_speech)
        start = len(gathered.references)
        gathered.ids.extend(test_set.names)
        gathered.references.extend(test_set.references)
        named = name_languages(test_set.pairs)
        if not named:
            column = "src_lang" if of_speech else "src_lang or tgt_lang"
            raise SamuError(explain(str(manifest), column, "filled in", "empty in every row", "Fill it in."))
        for name, pair in zip(named, test_set.pairs.values(), strict=True):
            gathered.languages.setdefault(name, []).extend(start + row for row in pair.rows)
            gathered.targets[name] = pair.target
        for name, file in files.items():
            gathered.texts[name].extend(read_hypotheses(file, test_set))
    return gathered


def score_languages(
    args: argparse.Namespace, compared: ComparedRows, system: str
) -> tuple[dict[str, Rates], Signatures]:
    """Figures of a system by language, with resamples drawn alike for every system, and their signatures."""
    resamples = check_resamples(args.resamples)
    figures: dict[str, Rates] = {}
    signatures: Signatures = {}
    for name, rows in compared.languages.items():
        texts, references = ([side[row] for row in rows] for side in (compared.texts[system], compared.references))
        if args.task == "asr":
            plan = RecognitionPlan(combine_text_normalisers(_split(args.normalise)), resamples, args.seed)
            recognised = score_recognition(texts, references, plan)
            figures[name], signatures[name] = recognised.figures, recognised.signatures
        else:
            wanted = ScoringPlan(num_resamples=resamples, seed=args.seed)
            translated = score_translations(texts, references, compared.targets[name], wanted)
            figures[name], signatures[name] = translated.figures, translated.signatures
    return figures, signatures


def list_changes(
    compared: ComparedRows, system: str, before: dict[str, Rates], after: dict[str, Rates]
) -> dict[str, Change]:
    """Put the figures of every language before and after side by side, with counts of rows."""
    earlier, later = compared.texts[BEFORE], compared.texts[system]
    return {
        name: Change(before[name], after[name], len(rows), sum(earlier[row] != later[row] for row in rows))
        for name, rows in compared.languages.items()
    }


def tuned_languages(args: argparse.Namespace) -> list[str]:
    """What the command line says was tuned, in the codes that rows are named by."""
    return [canonical_language(name) or name for name in _split(args.tuned)]


def list_losses(compared: ComparedRows, system: str, tuned: frozenset[str]) -> list[LostRow]:
    """Rows of languages that were not tuned, with what each lost."""
    right, before, after = compared.references, compared.texts[BEFORE], compared.texts[system]
    rows = [(name, row) for name, members in compared.languages.items() if name not in tuned for row in members]
    losses = count_losses(*([side[row] for _, row in rows] for side in (right, before, after)))
    return [
        LostRow(compared.ids[row], name, right[row], before[row], after[row], loss)
        for (name, row), loss in zip(rows, losses, strict=True)
    ]


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
