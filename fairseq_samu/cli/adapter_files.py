"""`fairseq-samu adapters list, export, add, average, compose`: named adapters as small files."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairseq_samu.cli.retrieve import write_json
from fairseq_samu.errors import ConfigError, explain


def add_actions(actions: Any) -> None:
    """Register the actions.

    Args:
        actions: sub-parsers of the verb.
    """
    listing = actions.add_parser("list", help="say which named adapters files, folders and checkpoints hold")
    listing.add_argument("paths", type=Path, nargs="+", metavar="FILE|DIR|CHECKPOINT", help="what is looked into")
    listing.add_argument("--json", metavar="FILE", help="write it there as JSON too; - for standard output")
    listing.set_defaults(func=run_list)

    export = actions.add_parser("export", help="write the named adapters of a checkpoint, a file each")
    export.add_argument("checkpoint", type=Path, help="checkpoint of fairseq-train --task multitask_st")
    export.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for NAME.safetensors")
    export.add_argument(
        "--names", type=_split, default=[], help="which, comma-separated [all]; of one without: its name"
    )
    export.add_argument("--language", default="", help="code of the language that they serve [the name, if it is one]")
    export.set_defaults(func=run_export)

    add = actions.add_parser("add", help="put adapters of files into a checkpoint")
    add.add_argument("checkpoint", type=Path, help="checkpoint with named adapters, or with none")
    add.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files of `adapters export`")
    add.add_argument("--replace", action="store_true", help="in the place of the checkpoint's own of the same name")
    add.add_argument("--output", type=Path, required=True, metavar="CHECKPOINT", help="checkpoint to write (.pt)")
    add.set_defaults(func=run_add)

    average = actions.add_parser("average", help="write the mean of adapters of one base and size")
    average.add_argument("--weights", type=_read_weights, help="of each file, comma-separated, sum 1 [equal]")
    average.set_defaults(func=run_average)
    compose = actions.add_parser("compose", help="put adapters side by side, so that what each adds is summed")
    compose.set_defaults(func=run_compose)
    for action in (average, compose):
        action.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files of `adapters export`")
        action.add_argument("--name", required=True, help="name of the adapter that is made")
        action.add_argument("--output", type=Path, required=True, metavar="FILE", help="file to write (.safetensors)")


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _read_weights(text: str) -> list[float]:
    return [float(item) for item in text.split(",")]


def run_list(args: argparse.Namespace) -> int:
    """Print a table of adapters.

    Args:
        args: as the parser of :func:`add_actions` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.reports.text_table import TextTable

    told = [line for path in args.paths for line in _describe_path(path)]
    header = ["adapter", "language", "part", "placement", "width", "parameters", "base", "file"]
    rows = [
        [
            line["name"] or "(without a name)",
            line["language"],
            part,
            line["placement"],
            str(own["bottleneck"]),
            f"{own['parameters']:,}",
            (own.get("base_fingerprint") or "")[:8],
            line["file"],
        ]
        for line in told
        for part, own in line["parts"].items()
    ]
    if args.json:
        write_json(Path(args.json), {"adapters": told})
    text = TextTable(f"{len(told)} adapters", header, rows).as_text()
    print(text, file=sys.stderr if args.json == "-" else sys.stdout)
    return 0


def _describe_path(path: Path) -> Iterable[dict[str, Any]]:
    """Describe the adapters of a file, of a folder or of a checkpoint."""
    from fairseq_samu.checkpoints.adapter_files import list_adapter_files

    if path.is_dir() or path.suffix == ".safetensors" or not path.exists():
        return [describe_file(file) for file in list_adapter_files([path])]
    return describe_checkpoint(path)


def describe_file(path: Path) -> dict[str, Any]:
    """Describe a file of one adapter.

    Args:
        path: the file.

    Returns:
        Plain JSON: ``file``, ``kind``, ``name``, ``language``, ``placement``, ``trained_with``, ``bytes``,
        ``fingerprint`` of the parameters, and by part ``bottleneck``, ``parameters``, ``base_fingerprint``,
        ``base_dtype`` and ``verified``, whether the outputs are known that a load verifies.

    Raises:
        CheckpointError: when it cannot be read.
    """
    from fairseq_samu.checkpoints.adapter_files import ADAPTED, read_adapter

    adapter = read_adapter(path)
    return {
        "file": str(path),
        "kind": "named adapter",
        "name": adapter.name,
        "language": adapter.language,
        "placement": adapter.placement,
        "trained_with": adapter.trained_with,
        "bytes": path.stat().st_size,
        "fingerprint": adapter.fingerprint,
        "parts": {
            part: {
                "bottleneck": own.bottleneck,
                "parameters": own.num_parameters,
                "base_fingerprint": own.base_fingerprint,
                "base_dtype": own.base_dtype,
                "verified": ADAPTED in own.probe,
            }
            for part, own in adapter.parts.items()
        },
    }


def describe_checkpoint(path: Path) -> list[dict[str, Any]]:
    """Describe the adapters of a checkpoint.

    Args:
        path: the checkpoint.

    Returns:
        For each adapter ``file``, ``kind``, ``name`` (empty where it has none), ``language``, ``placement``, and by
        part ``bottleneck`` and ``parameters``.

    Raises:
        CheckpointError: when it cannot be read.
    """
    from fairseq_samu.checkpoints.adapter_tensors import measure_part, placement_of, split_adapters
    from fairseq_samu.checkpoints.trained_translator import read_trained_translator
    from fairseq_samu.data.language_codes import canonical_language

    return [
        {
            "file": str(path),
            "kind": "adapter in a checkpoint",
            "name": name,
            "language": canonical_language(name) or "",
            "placement": placement_of(next(iter(parts.values()))),
            "parts": {
                part: {"bottleneck": measure_part(own)[1], "parameters": sum(tensor.numel() for tensor in own.values())}
                for part, own in parts.items()
            },
        }
        for name, parts in split_adapters(read_trained_translator(path).state).items()
    ]


def run_export(args: argparse.Namespace) -> int:
    """Write adapters of a checkpoint, a file each.

    Args:
        args: as the parser of :func:`add_actions` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.checkpoints.adapter_files import SUFFIX, write_adapter
    from fairseq_samu.checkpoints.adapter_tensors import require_name
    from fairseq_samu.checkpoints.trained_translator import read_trained_translator
    from fairseq_samu.inference.adapter_merging import export_adapters

    for name in args.names:
        require_name(name, "--names")
    loaded = read_trained_translator(args.checkpoint)
    adapters = export_adapters(loaded, args.names, args.language, str(args.checkpoint))
    if not adapters:
        mend = "Train with --adapter-dim or --decoder-adapter-dim."
        raise ConfigError(explain(str(args.checkpoint), "model", "one with adapters", "one without", mend))
    args.output.mkdir(parents=True, exist_ok=True)
    for adapter in adapters:
        path = args.output / f"{adapter.name}{SUFFIX}"
        write_adapter(path, adapter)
        print(f"wrote {path}", file=sys.stderr)
    if adapters[0].trained_with:
        listed = ", ".join(adapters[0].trained_with)
        print(
            f"{listed}: tuned in the same training, and not in these files; `adapters extract` keeps all that is tuned",
            file=sys.stderr,
        )
    return 0


def run_add(args: argparse.Namespace) -> int:
    """Put adapters of files into a checkpoint.

    Args:
        args: as the parser of :func:`add_actions` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.checkpoints.adapter_files import read_adapters
    from fairseq_samu.checkpoints.saving import save_whole
    from fairseq_samu.checkpoints.trained_translator import as_host_checkpoint, read_trained_translator
    from fairseq_samu.inference.adapter_merging import insert_adapters

    adapters = read_adapters(args.files)
    loaded = read_trained_translator(args.checkpoint)
    whole = insert_adapters(loaded, adapters, str(args.checkpoint), args.replace)
    save_whole(as_host_checkpoint(whole), str(args.output))
    print(f"wrote {args.output}: adapters {whole.settings['adapter_names']}", file=sys.stderr)
    return 0


def run_average(args: argparse.Namespace) -> int:
    """Write the mean of adapters.

    Args:
        args: as the parser of :func:`add_actions` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.checkpoints.adapter_arithmetic import average_adapters

    return _write_made(args, lambda adapters: average_adapters(adapters, args.name, args.weights))


def run_compose(args: argparse.Namespace) -> int:
    """Write adapters side by side as one.

    Args:
        args: as the parser of :func:`add_actions` gives them.

    Returns:
        0; faults are raised.
    """
    from fairseq_samu.checkpoints.adapter_arithmetic import compose_adapters

    return _write_made(args, lambda adapters: compose_adapters(adapters, args.name))


def _write_made(args: argparse.Namespace, make: Any) -> int:
    from fairseq_samu.checkpoints.adapter_files import read_adapter, write_adapter
    from fairseq_samu.checkpoints.adapter_tensors import require_name

    require_name(args.name, "--name")
    adapter = make([read_adapter(path) for path in args.files])
    write_adapter(args.output, adapter)
    sizes = ", ".join(f"{part} {own.bottleneck}" for part, own in adapter.parts.items())
    print(f"wrote {args.output}: {sizes}", file=sys.stderr)
    return 0
