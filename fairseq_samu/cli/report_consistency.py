"""Make the page of consistency: how far the gradients of ASR and MT agree with that of ST, by logs of training."""

import argparse
from pathlib import Path

from fairseq_samu.cli.named_files import split_named_file
from fairseq_samu.cli.retrieve import write_whole
from fairseq_samu.errors import ConfigError, SamuError, explain, report_all
from fairseq_samu.reports.consistency_log import Measurement, read_consistency_log
from fairseq_samu.reports.consistency_page import build_page, draw_images, list_files
from fairseq_samu.reports.consistency_plots import MOST_ARMS, Arm
from fairseq_samu.reports.inputs import read_train_log

DESCRIPTION = "agreement of the tasks' gradients"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `report consistency`."""
    add = parser.add_argument
    logs = "JSON lines that --consistency-log named; several are put side by side"
    add("--log", type=Path, required=True, nargs="+", action="extend", metavar="FILE", help=logs)
    name = "name of each log, in their order [of its folder]"
    add("--name", nargs="+", action="extend", default=[], metavar="NAME", help=name)
    clock = "log of fairseq-train with --log-format json of the training NAME, for the share of time; repeatable"
    add("--train-log", action="append", default=[], metavar="NAME=FILE", help=clock)
    add("--note", default="", help="a line below the heading, such as what the data are")
    add("--svg-folder", type=Path, metavar="DIR", help="write every plot there too, as an SVG file of its own")
    add("--output", type=Path, required=True, metavar="HTML", help="the file to write")


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Args:
        args: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: logs are malformed, of which every line is named, or names do not fit them.
    """
    arms = list_arms(args)
    images = draw_images(arms)
    write_whole(args.output, build_page(arms, images, args.note))
    if args.svg_folder:
        for name, text in list_files(images).items():
            write_whole(args.svg_folder / name, text)
    count = sum(len(arm.log) for arm in arms)
    print(f"{args.output}: {count} measurements of {len(arms)} trainings, {sum(map(len, images.values()))} plots")
    return 0


def list_arms(args: argparse.Namespace) -> list[Arm]:
    """Read all logs, and put names and times to them.

    Args:
        args: of the command line.

    Raises:
        SamuError: see :func:`run`.
    """
    names = _names(args)
    clocks = dict(split_named_file("--train-log", text) for text in args.train_log)
    unknown = [name for name in clocks if name not in names]
    if unknown:
        rule = f"of one of the logs: {', '.join(names)}"
        raise ConfigError(explain("--train-log", "NAME", rule, ", ".join(unknown), "Name the logs with --name."))
    faults, logs = [], []
    for path in args.log:
        try:
            logs.append(read_consistency_log(path))
        except SamuError as error:
            faults += str(error).split("\n")
    if faults:
        raise SamuError(report_all(faults))
    return [_arm(name, log, clocks.get(name)) for name, log in zip(names, logs, strict=True)]


def _arm(name: str, log: list[Measurement], clock: Path | None) -> Arm:
    epochs = read_train_log(clock)["train"] if clock else []
    keys = ("train_num_updates", "train_wall")
    return Arm(name, log, [(row[keys[0]], row[keys[1]]) for row in epochs if all(key in row for key in keys)])


def _names(args: argparse.Namespace) -> list[str]:
    count, given = len(args.log), args.name
    if given and len(given) != count:
        raise ConfigError(explain("", "--name", f"given {count} times for {count} logs", len(given), "Name each log."))
    if count > MOST_ARMS:
        raise ConfigError(explain("", "--log", f"{MOST_ARMS} logs at most", count, "Make two pages."))
    names = given or [path.resolve().parent.name for path in args.log]
    if len(set(names)) < count:
        mend = "Give each log a name of its own with --name."
        raise ConfigError(explain("", "names of logs", "different", ", ".join(names), mend))
    return list(names)
