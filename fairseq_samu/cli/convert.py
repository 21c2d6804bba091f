"""`fairseq-samu convert`: describe a checkpoint of any known kind, or write it as a Hugging Face directory."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairseq_samu.cli.retrieve import write_json
from fairseq_samu.errors import CheckpointError, explain

DESCRIPTION = (
    "Read checkpoints: fairseq files (XLS-R, wav2vec 2.0, HuBERT, forks), Hugging Face directories (Wav2Vec2, HuBERT, "
    "Whisper), CTranslate2 Whisper files, `whisper-base`, and what this package trained or exported. Of a speech "
    "translation checkpoint both encoder and decoder are written. Code in a file is never run."
)


def add_parser(subparsers: Any) -> None:
    """Register the verb."""
    parser = subparsers.add_parser("convert", help="describe or convert checkpoints", description=DESCRIPTION)
    parser.add_argument("checkpoint", help="file, directory, or whisper-base")
    parser.add_argument("directory", nargs="?", type=Path, help="with --to: the directory to make")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--info", action="store_true", help="print kind, parameters by group and fingerprint as JSON")
    what.add_argument("--to", choices=["huggingface"], help="write the encoder, and the head if any, in this format")
    parser.add_argument(
        "--part",
        choices=["encoder", "decoder"],
        help="of a speech translation checkpoint only this [both, as DIRECTORY/encoder and DIRECTORY/decoder]",
    )
    parser.add_argument("--json", metavar="FILE", default="-", help="where --info is written [standard output]")
    parser.set_defaults(func=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Describe or convert.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0; faults are raised.
    """
    if bool(args.to) != (args.directory is not None):
        args.parser.error("--to needs a DIRECTORY, and --info takes none")
    if args.part and not args.to:
        args.parser.error("--part belongs to --to")
    if args.to:
        export(args.checkpoint, args.directory, args.part)
        return 0
    write_json(Path(args.json), describe(args.checkpoint))
    return 0


def describe(checkpoint: str) -> dict[str, Any]:
    """Describe a checkpoint.

    Args:
        checkpoint: file, directory, or whisper-base.

    Returns:
        Plain JSON: ``kind``, ``parameters`` by group with their ``total``, ``fingerprint`` of the encoder's weights
        and ``head_fingerprint`` (or null), the encoder's ``config``, the sizes of the ``head`` (or null), and
        ``left_over``, the names in the file that are not used. For speech translation see ``describe_translator``,
        for tuned parameters or adapters alone ``adapters.describe``.

    Raises:
        CheckpointError: when it cannot be read, or its weights do not fit its config.
    """
    from fairseq_samu.checkpoints import fingerprint
    from fairseq_samu.checkpoints.adapter_files import holds_adapter
    from fairseq_samu.checkpoints.trained_translator import find_trained_translator
    from fairseq_samu.checkpoints.tuned_parameters import holds_tuned
    from fairseq_samu.cli import adapters
    from fairseq_samu.cli.convert_translator import describe_translator

    if holds_tuned(Path(checkpoint)) or holds_adapter(Path(checkpoint)):
        return adapters.describe(Path(checkpoint))
    translator = find_trained_translator(checkpoint)
    if translator is not None:
        return describe_translator(translator, checkpoint)
    loaded, encoder = _load(checkpoint)
    sizes = {name: parameter.numel() for name, parameter in encoder.named_parameters()}
    groups = encoder.parameter_groups().items()
    parameters = {f"encoder.{group}": sum(sizes[name] for name in names) for group, names in groups}
    parameters.update(_count_by_part(loaded.head or {}))
    return {
        "kind": loaded.source,
        "parameters": {**parameters, "total": sum(parameters.values())},
        "fingerprint": fingerprint(encoder.state_dict()),
        "head_fingerprint": fingerprint(loaded.head) if loaded.head else None,
        "config": loaded.config,
        "head": loaded.head_config,
        "left_over": loaded.left_over,
    }


def export(checkpoint: str, directory: Path, part: str | None = None) -> None:
    """Write a checkpoint as a Hugging Face directory.

    Args:
        checkpoint: file, directory, or whisper-base.
        directory: what is made.
        part: ``encoder`` or ``decoder`` of a speech translation model; None for all that there is.

    Raises:
        CheckpointError: when it cannot be read or written, or has no such part.
    """
    from fairseq_samu.checkpoints.huggingface_export import export_huggingface
    from fairseq_samu.checkpoints.trained_translator import find_trained_translator
    from fairseq_samu.cli.convert_translator import export_translator

    translator = find_trained_translator(checkpoint)
    if translator is not None:
        export_translator(translator, checkpoint, directory, part)
    elif part == "decoder":
        mend = "Leave --part out."
        raise CheckpointError(explain(checkpoint, "decoder", "in a speech translation checkpoint", "not there", mend))
    else:
        loaded, encoder = _load(checkpoint)
        export_huggingface(directory, encoder.config(), encoder.state_dict(), loaded.head_config, loaded.head)
    print(f"wrote {directory}", file=sys.stderr)


def _load(checkpoint: str) -> tuple[Any, Any]:
    """Read a checkpoint and build its encoder, so that what does not fit is found."""
    from fairseq_samu.checkpoints import load_strict, read_speech_encoder
    from fairseq_samu.models.speech_encoders import build_speech_encoder

    loaded = read_speech_encoder(checkpoint)
    encoder = build_speech_encoder(loaded.config)
    load_strict(encoder, loaded.state, where=checkpoint, left_over=loaded.left_over)
    return loaded, encoder


def _count_by_part(head: Mapping[str, Any]) -> dict[str, int]:
    """Count the values of the head's parts, which begin their names."""
    counts: dict[str, int] = {}
    for name, tensor in head.items():
        part = "head." + name.split(".")[0]
        counts[part] = counts.get(part, 0) + tensor.numel()
    return counts
