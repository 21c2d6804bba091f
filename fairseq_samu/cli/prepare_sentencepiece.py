"""`fairseq-samu prepare sentencepiece`: the model that cuts texts into pieces, trained on texts or taken over."""

import argparse
import hashlib
import logging
from pathlib import Path
from typing import Any

from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.sentencepiece_training import (
    MODEL,
    MODEL_TYPES,
    SentencePieceOptions,
    collect_texts,
    is_written,
    train_sentencepiece,
    training_facts,
    write_sentencepiece,
)
from fairseq_samu.errors import ConfigError, explain

logger = logging.getLogger(__name__)
DESCRIPTION = (
    "Write sentencepiece.model, which `multitask_st` finds in its data folder. It is trained on texts of training "
    "splits: files named test, valid or dev are refused, and of a texts.tsv only the rows of train are read. Equal "
    "texts and options give an equal file; one that is there already is kept."
)


def add_parser(commands: Any) -> None:
    """Register the command among those of `fairseq-samu prepare`."""
    parser = commands.add_parser("sentencepiece", help="train a SentencePiece model", description=DESCRIPTION)
    parser.add_argument(
        "texts", nargs="*", type=Path, metavar="FILE", help="manifests (.tsv), texts.tsv, or plain text, a line a text"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for sentencepiece.model")
    parser.add_argument("--size", type=int, default=8000, help="number of pieces; for char at most [%(default)s]")
    parser.add_argument("--model-type", choices=MODEL_TYPES, default="unigram", help="[%(default)s]")
    parser.add_argument(
        "--columns", default="tgt_text", help="columns of manifests, by commas, such as tgt_text,src_text [%(default)s]"
    )
    parser.add_argument("--languages", default="", help="languages to read, by commas; empty: all")
    parser.add_argument("--model", type=Path, help="take over this model instead of training one")
    parser.add_argument("--force", action="store_true", help="write again although the model is there")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Train a model or take one over, unless that was done.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0.

    Raises:
        SamuError: where files or options do not serve.
    """
    if bool(args.model) == bool(args.texts):
        given = "both" if args.model else "neither"
        raise ConfigError(explain("", "FILE or --model", "one of the two", given, "Train on files, or take one over."))
    if args.model:
        model = args.model.read_bytes()
        facts = {"taken_over": hashlib.sha256(model).hexdigest()}
    else:
        options = SentencePieceOptions(args.size, args.model_type)
        texts = collect_texts(args.texts, split_names(args.columns), split_names(args.languages))
        facts = training_facts(texts, options)
    if not args.force and is_written(args.output, facts):
        logger.info("%s is there already; --force writes it again", args.output / MODEL)
        return 0
    if not args.model:
        logger.info("training on %d texts", len(texts))
        model = train_sentencepiece(texts, options)
    write_sentencepiece(args.output, model, facts)
    print(args.output / MODEL)
    return 0
