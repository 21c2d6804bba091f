"""Make the page of understanding: error rates, concepts, their confusion, and utterances with what was understood."""

import argparse
from pathlib import Path
from typing import Any

from fairseq_samu.cli.named_files import split_named_file
from fairseq_samu.cli.retrieve import write_whole
from fairseq_samu.cli.score_inputs import SystemFile, TestSet, read_hypotheses
from fairseq_samu.cli.scored_rows import select_languages
from fairseq_samu.concepts import read_prefix_map, relax_name, relax_text
from fairseq_samu.data.audio import SAMPLE_RATE, read_audio_bytes
from fairseq_samu.data.manifest import REQUIRED_COLUMNS, Manifest, read_manifest
from fairseq_samu.errors import ConfigError, SamuError, explain
from fairseq_samu.reports.concept_spans import Span
from fairseq_samu.reports.inputs import read_train_log
from fairseq_samu.reports.understanding_inputs import EDITS, read_spans, read_understanding
from fairseq_samu.reports.understanding_page import build_page
from fairseq_samu.reports.understood_rows import UnderstoodRow, choose_rows, require_fitting_spans
from fairseq_samu.scoring.edit_alignment import EditCounts, count_edits, sum_edits
from fairseq_samu.scoring.generate_output import name_rows
from fairseq_samu.scoring.understanding import UnderstandingPlan, cut_utterance
from fairseq_samu.scoring.value_normalisers import IDENTITY, NORMALISERS, combine_normalisers

DESCRIPTION = "spoken language understanding"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `report slu`."""
    add = parser.add_argument
    add("--manifest", type=Path, required=True, metavar="TSV", help="test manifest; tgt_text is the reference")
    one = parser.add_mutually_exclusive_group(required=True)
    files = "output of fairseq-generate; the parts of a split run together"
    one.add_argument("--generate", type=Path, nargs="+", metavar="FILE", help=files)
    one.add_argument("--hypothesis", type=Path, metavar="FILE", help="annotated hypotheses as plain text, one a line")
    add("--languages", default="", metavar="CODE[,CODE]", help="show only rows whose src_lang is one of these")
    add("--spans", type=Path, metavar="FILE", help="times of the concepts, as decoding with --spans-output wrote them")
    add("--json", type=Path, metavar="FILE", help="scores of these hypotheses that `score slu --json` wrote")
    add("--name", default="This model", help="name of the system beside others [%(default)s]")
    add("--baseline", action="append", default=[], metavar="NAME=FILE", help="scores of another system; repeatable")
    add("--train-log", type=Path, metavar="FILE", help="log of fairseq-train with --log-format json")
    add("--prefix-map", type=Path, metavar="FILE", help="show and compare concepts without specifier, as `score slu`")
    names = " ".join(NORMALISERS)
    add("--normaliser", default=IDENTITY.name, metavar="NAME[,NAME]", help=f"of values, of {names} [%(default)s]")
    add("--audio-root", type=Path, metavar="DIR", help="folder of relative audio paths [that of the manifest]")
    add("--max-recordings", type=int, default=60, metavar="N", help="utterances to listen to [%(default)s]")
    add("--note", default="", help="a line below the heading, such as what the data are")
    add("--output", type=Path, required=True, metavar="HTML", help="the file to write")


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Args:
        args: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: an input is malformed, or inputs do not fit each other; the message says where.
    """
    manifest = read_manifest(args.manifest, required=(*REQUIRED_COLUMNS, "tgt_text"))
    rows = list_rows(args, manifest)
    scores = list_scores(args, rows)
    epochs = read_train_log(args.train_log) if args.train_log else None
    chosen = choose_rows(rows, args.max_recordings)
    root = args.audio_root or args.manifest.parent
    page = build_page(
        rows, chosen, scores, epochs, lambda spec: read_audio_bytes(spec, root, str(args.manifest)), args.note
    )
    write_whole(args.output, page)
    print(f"{args.output}: {len(chosen)} of {len(rows)} utterances, {len(page) / 1e6:.1f} MB")
    return 0


def list_rows(args: argparse.Namespace, manifest: Manifest) -> list[UnderstoodRow]:
    """Put references, hypotheses and spans together.

    Args:
        args: of the command line.
        manifest: the test set.
    """
    prefixes = read_prefix_map(args.prefix_map) if args.prefix_map else {}
    normalise = combine_normalisers([name.strip() for name in args.normaliser.split(",")])
    plan = UnderstandingPlan(prefixes=prefixes, normalise=normalise)
    listed = list(manifest)
    places = select_languages(args, listed)
    used = list(range(len(listed))) if places is None else places
    references = [listed[place].tgt_text or "" for place in used]
    system = SystemFile(args.name, args.generate or [args.hypothesis], not args.generate)
    whole = 0 if places is None else len(listed)
    hypotheses = read_hypotheses(system, TestSet(references, {}, str(args.manifest), [], places, whole))
    spans = _spans_of(args, len(listed), prefixes)
    rows = [
        UnderstoodRow(
            id=listed[place].id,
            language=listed[place].src_lang or "",
            audio=listed[place].audio,
            seconds=listed[place].n_frames / SAMPLE_RATE,
            reference=relax_text(" ".join(reference.split()), prefixes),
            hypothesis=relax_text(" ".join(hypothesis.split()), prefixes),
            cut=(cut_utterance(reference, plan), cut_utterance(hypothesis, plan)),
            spans=spans.get(place),
        )
        for place, reference, hypothesis in zip(used, references, hypotheses, strict=True)
    ]
    require_fitting_spans(rows, str(args.spans))
    return rows


def list_scores(args: argparse.Namespace, rows: list[UnderstoodRow]) -> dict[str, dict[str, Any]]:
    """Read the scores of the system and of others on the same references.

    Args:
        args: of the command line.
        rows: the test set.

    Raises:
        SamuError: scores are of other texts than those shown, or two systems have one name.
    """
    sides = ([[concept.name for concept in row.cut[side].concepts] for row in rows] for side in (0, 1))
    counts = sum_edits(count_edits(*sides))
    scores = {}
    if args.json:
        scores[args.name] = read_understanding(args.json)
        _require_counts(args.json, scores[args.name], counts, EDITS)
    for text in args.baseline:
        name, path = split_named_file("--baseline", text)
        if name in scores:
            raise ConfigError(explain("", "names of systems", "different", name, "Use --name for the one of --json."))
        scores[name] = read_understanding(path)
        _require_counts(path, scores[name], counts, EDITS[-1:])
    return scores


def _require_counts(path: Path, scores: dict[str, Any], counts: EditCounts, names: tuple[str, ...]) -> None:
    given = {name: scores["counts"]["cer"][name] for name in names}
    found = {name: getattr(counts, name) for name in names}
    if given != found:
        mend = "Score what the page shows, with the same --prefix-map."
        shown = (", ".join(f"{key} {value}" for key, value in part.items()) for part in (found, given))
        raise SamuError(
            explain(str(path), "counts.cer", f"those of the texts shown ({next(shown)})", next(shown), mend)
        )


def _spans_of(args: argparse.Namespace, count: int, prefixes: dict[str, str]) -> dict[int, list[Span]]:
    if not args.spans:
        return {}
    found = read_spans(args.spans)
    beyond = [row for row in found if row >= count]
    if beyond:
        mend = "Give spans of the same test set."
        raise SamuError(explain(str(args.spans), "rows", f"below {count}, as in the manifest", name_rows(beyond), mend))
    return {
        row: [Span(relax_name(span.concept, prefixes), span.value, span.start, span.end) for span in spans]
        for row, spans in found.items()
    }
