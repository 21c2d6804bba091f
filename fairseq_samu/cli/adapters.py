"""`fairseq-samu adapters`: keep only what training changed of a model, whole or adapter by adapter, and put it back."""

import argparse
import sys
from pathlib import Path
from typing import Any

from fairseq_samu.cli.adapter_files import add_actions, describe_file
from fairseq_samu.cli.retrieve import write_json

DESCRIPTION = (
    "A model that is tuned in part (adapters, cross-attention, norms) is kept as the tuned parameters alone, a tenth "
    "of the whole. The file knows by fingerprints which base it belongs to and what the whole model computes. So do "
    "files of single named adapters, of which a model can have many."
)


def add_parser(subparsers: Any) -> None:
    """Register the verb."""
    parser = subparsers.add_parser("adapters", help="tuned parameters apart from their base", description=DESCRIPTION)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    extract = actions.add_parser("extract", help="write the tuned parameters of a checkpoint")
    extract.add_argument("checkpoint", type=Path, help="checkpoint of fairseq-train --task multitask_st")
    extract.add_argument("--output", type=Path, required=True, metavar="FILE", help="file to write (.safetensors)")
    extract.set_defaults(func=run_extract)

    merge = actions.add_parser("merge", help="make a whole checkpoint of tuned parameters and their base")
    merge.add_argument("file", type=Path, help="file of `adapters extract`")
    merge.add_argument("--base", type=Path, metavar="CHECKPOINT", help="a checkpoint with the same frozen parts")
    merge.add_argument("--base-encoder", metavar="FILE", help="instead of --base: the pre-trained speech encoder")
    merge.add_argument("--base-decoder", type=Path, metavar="DIR", help="and the pre-trained decoder's folder")
    merge.add_argument("--output", type=Path, required=True, metavar="FILE", help="checkpoint to write (.pt)")
    merge.set_defaults(func=run_merge, parser=merge)

    info = actions.add_parser("info", help="describe a file of tuned parameters, or of one adapter, as JSON")
    info.add_argument("file", type=Path, help="file of `adapters extract` or `adapters export`")
    info.add_argument("--json", metavar="FILE", default="-", help="where it is written [standard output]")
    info.set_defaults(func=run_info)
    add_actions(actions)


def run_extract(args: argparse.Namespace) -> int:
    """Write the tuned parameters of a checkpoint.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.checkpoints.trained_translator import read_trained_translator
    from fairseq_samu.checkpoints.tuned_parameters import split_tuned, write_tuned
    from fairseq_samu.inference.translator_building import build_translator, build_vocabulary, probe_translator

    loaded = read_trained_translator(args.checkpoint)
    model = build_translator(loaded, build_vocabulary(loaded.vocabulary), str(args.checkpoint))
    # what is no parameter, as a number of updates, comes from training too
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    groups = {name: model.group_of(name) for name in loaded.state if name not in frozen}
    tuned = split_tuned(loaded, groups, probe_translator(model))
    write_tuned(args.output, tuned)
    count = sum(tuned.groups.values())
    share = 100 * count / (count + tuned.base_parameters)
    print(f"wrote {args.output}: {count:,} tuned parameters, {share:.1f} % of the model", file=sys.stderr)
    return 0


def run_merge(args: argparse.Namespace) -> int:
    """Put tuned parameters back into their base.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.checkpoints.saving import save_whole
    from fairseq_samu.checkpoints.trained_translator import as_host_checkpoint, read_trained_translator
    from fairseq_samu.checkpoints.tuned_parameters import merge_tuned, read_tuned, require_same_outputs
    from fairseq_samu.inference import translator_building as building
    from fairseq_samu.inference.pretrained_base import read_pretrained_base

    pretrained = args.base_encoder is not None or args.base_decoder is not None
    if (args.base is not None) == pretrained:
        args.parser.error("give either --base, or --base-encoder and --base-decoder")
    tuned = read_tuned(args.file)
    vocabulary = building.build_vocabulary(tuned.vocabulary)
    if pretrained:
        base = read_pretrained_base(tuned.config, vocabulary, args.base_encoder, args.base_decoder)
    else:
        base = read_trained_translator(args.base).state
    loaded = merge_tuned(tuned, base)
    merged = building.build_translator(loaded, vocabulary, str(args.file))
    require_same_outputs(tuned.probe, building.probe_translator(merged))
    save_whole(as_host_checkpoint(loaded), str(args.output))
    print(f"wrote {args.output}", file=sys.stderr)
    return 0


def run_info(args: argparse.Namespace) -> int:
    """Describe a file of tuned parameters.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0; faults are raised.
    """
    write_json(Path(args.json), describe(args.file))
    return 0


def describe(path: Path) -> dict[str, Any]:
    """Describe a file of tuned parameters, or of one adapter (see ``describe_file``).

    Args:
        path: the file.

    Returns:
        Plain JSON: ``kind``, tuned ``parameters`` by group with their ``total``, ``base_parameters``, ``share`` of the
        whole model in percent, ``base_fingerprint`` and ``fingerprint`` of the tuned ones, ``languages`` and size of
        the vocabulary, and the model's ``config``.

    Raises:
        CheckpointError: when it cannot be read.
    """
    from fairseq_samu.checkpoints import fingerprint
    from fairseq_samu.checkpoints.adapter_files import holds_adapter
    from fairseq_samu.checkpoints.tuned_parameters import read_tuned
    from fairseq_samu.inference.translator_building import build_vocabulary

    if holds_adapter(path):
        return describe_file(path)
    tuned = read_tuned(path)
    vocabulary = build_vocabulary(tuned.vocabulary)
    total = sum(tuned.groups.values())
    return {
        "kind": "tuned parameters",
        "parameters": {**tuned.groups, "total": total},
        "base_parameters": tuned.base_parameters,
        "share": round(100 * total / (total + tuned.base_parameters), 2),
        "base_fingerprint": tuned.base_fingerprint,
        "fingerprint": fingerprint(tuned.tuned),
        "vocabulary_size": len(vocabulary),
        "languages": vocabulary.languages,
        "config": tuned.config["model"],
    }
