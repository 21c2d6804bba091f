"""Entry of `fairseq-samu`: finds the verb, imports its module only, and turns what goes wrong into an exit code."""

import argparse
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence

from fairseq_samu import __version__
from fairseq_samu.errors import SamuError

PROGRAM = "fairseq-samu"
ASK_DOCTOR = f"`{PROGRAM} doctor` says how to install it."

DONE = 0
INPUT_AT_FAULT = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Each verb is the module `fairseq_samu.cli.VERB`, which has `add_parser(subparsers)`. Their one line of help stands
# here, so that the list of verbs costs no import of torch.
VERBS = {
    "doctor": "say what is installed, what is missing or broken, and how to mend it",
    "check": "lint manifests: every fault at once, as file:line",
    "prepare": "turn a corpus as it was published into manifests and audio",
    "embed": "write the table of a teacher's sentence embeddings",
    "convert": "read checkpoints of other programs, export ours, or describe either",
    "retrieve": "find texts and recordings by recordings, and measure the recall",
    "score": "score understanding, translation or recognition from plain text files",
    "report": "turn results into a page with plots and playable recordings",
    "adapters": "keep tuned parameters and named adapters apart from their base, and put them back",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the arguments after the program's name; those of the process when None.

    Returns:
        0 done, 1 the input is at fault (one message on standard error), 130 interrupted.

    Raises:
        SystemExit: with 2 where the arguments are wrong, with 0 after `--help` and `--version`.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # The host greets with advice about a package that no verb uses.
    logging.getLogger("fairseq.tasks.text_to_speech").setLevel(logging.WARNING)
    chosen = _outer_parser().parse_args(argv)
    try:
        arguments = parse_verb(chosen.verb, chosen.arguments)
        return int(arguments.func(arguments) or DONE)
    except KeyboardInterrupt:
        return _complain(f"{chosen.verb} was interrupted.", INTERRUPTED)
    except BrokenPipeError:
        return _leave_closed_pipe()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == __package__.partition(".")[0]:
            raise
        return _complain(f"{chosen.verb} needs the module `{error.name}`, which is not installed. {ASK_DOCTOR}")
    except SamuError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(_word_os_error(error))


def available_verbs() -> dict[str, str]:
    """List the verbs that this version has, without importing them.

    Returns:
        Verb to its line of help, in the order of the table.
    """
    return {verb: line for verb, line in VERBS.items() if importlib.util.find_spec(f"{__package__}.{verb}") is not None}


def parse_verb(verb: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of one verb by its own parser.

    Args:
        verb: one of `available_verbs`.
        arguments: what follows it on the command line.

    Returns:
        The parsed arguments; ``func`` runs them.

    Raises:
        SystemExit: with 2 where they are wrong.
    """
    module = importlib.import_module(f"{__package__}.{verb}")
    parser = argparse.ArgumentParser(prog=PROGRAM)
    module.add_parser(parser.add_subparsers(dest="verb", required=True, metavar="VERB"))
    return parser.parse_args([verb, *arguments])


def _outer_parser() -> argparse.ArgumentParser:
    verbs = available_verbs()
    listed = "\n".join(f"  {verb:10}{line}" for verb, line in verbs.items())
    closing = f"`{PROGRAM} VERB --help` describes a verb. Exit codes: 0 done, 1 the input is at fault, 2 usage."
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Prepare, check, convert and measure what `fairseq-train` trains with this package.",
        epilog=f"verbs:\n{listed}\n\n{closing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument("verb", choices=list(verbs), metavar="VERB", help="what to do: " + ", ".join(verbs))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments of the verb")
    return parser


def _complain(message: str, code: int = INPUT_AT_FAULT) -> int:
    print(message, file=sys.stderr)
    return code


def _word_os_error(error: OSError) -> str:
    if error.filename is None:
        return f"{PROGRAM}: {error.strerror or error}"
    return f"{error.filename}: {error.strerror}."


def _leave_closed_pipe() -> int:
    """The reader of our output has gone (`| head`): say nothing, also not when the interpreter flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return INPUT_AT_FAULT
