"""`fairseq-samu prepare`: a corpus as it was published becomes manifests, texts and audio, with licence and credits."""

import argparse
import dataclasses
import importlib
import logging
import os
from pathlib import Path
from typing import Any

from fairseq_samu.cli import prepare_concept_labels, prepare_lm_texts, prepare_sentencepiece
from fairseq_samu.data.corpora import CORPORA
from fairseq_samu.data.corpora.writer import CorpusWriter, finished

logger = logging.getLogger(__name__)


def add_parser(subparsers: Any) -> None:
    """Register the verb, a sub-command for each corpus, and those for SentencePiece, labels and language models."""
    parser = subparsers.add_parser("prepare", help="make manifests of a corpus", description=__doc__)
    corpora = parser.add_subparsers(dest="corpus", required=True, metavar="CORPUS")
    for name, module_name in CORPORA.items():
        module = importlib.import_module(module_name)
        corpus = corpora.add_parser(name, help=module.DESCRIPTION, description=module.__doc__)
        needed = getattr(module, "REQUIRES_SOURCE", False)
        built_in = getattr(module, "WITHOUT_SOURCE", "")
        how = "" if needed else f"; left out, {built_in or 'Debian packages are fetched with apt-get download'}"
        corpus.add_argument("--source", type=Path, required=needed, help=f"folder of the published corpus{how}")
        corpus.add_argument("--output", type=Path, required=True, help="folder for manifests and audio")
        corpus.add_argument("--force", action="store_true", help="prepare again although the output is finished")
        if not needed and not built_in:
            corpus.add_argument(
                "--cache", type=Path, default=default_cache(), help="folder for downloads [%(default)s]"
            )
        for field in dataclasses.fields(module.Options):
            _add_option(corpus, field)
        corpus.set_defaults(func=run)
    prepare_sentencepiece.add_parser(corpora)
    prepare_concept_labels.add_parser(corpora)
    prepare_lm_texts.add_parser(corpora)


def run(args: argparse.Namespace) -> int:
    """Prepare one corpus, or say that it is prepared already.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0.

    Raises:
        SamuError: where source, tools or output do not serve.
    """
    module = importlib.import_module(CORPORA[args.corpus])
    options = module.Options(**{field.name: getattr(args, field.name) for field in dataclasses.fields(module.Options)})
    settings = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if field.metadata.get("affects_result", True)
    }
    identity = module.identify(args.source, options) if hasattr(module, "identify") else {}
    summary = None if args.force else finished(args.output, args.corpus, settings, identity)
    if summary is None:
        layout = module.layout(options) if hasattr(module, "layout") else {}
        with CorpusWriter(args.output, args.corpus, settings, identity, **layout) as writer:
            module.prepare(args.source, getattr(args, "cache", None), writer, options)
        summary = writer.summary
    else:
        logger.info("%s is prepared already; --force prepares it again", args.output)
    print(summary.table())
    return 0


def default_cache() -> Path:
    """Folder for downloads, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairseq-samu" / "packages"


def _add_option(parser: argparse.ArgumentParser, field: Any) -> None:
    flag = "--" + field.name.replace("_", "-")
    extra = {key: field.metadata[key] for key in ("choices", "metavar") if key in field.metadata}
    if isinstance(field.default, bool):
        parser.add_argument(flag, action="store_true", help=field.metadata["help"])
        return
    parser.add_argument(
        flag, type=type(field.default), default=field.default, help=f"{field.metadata['help']} [%(default)s]", **extra
    )
