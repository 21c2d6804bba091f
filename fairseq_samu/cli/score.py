"""`fairseq-samu score`: measure what was decoded, from plain text or from the output of `fairseq-generate`."""

import importlib
from typing import Any

# Each kind is a module of this room with `DESCRIPTION`, `EPILOG`, `add_options(parser)` and `run(arguments)`.
KINDS = {"asr": "score_asr", "slu": "score_slu", "st": "score_translation"}


def add_parser(subparsers: Any) -> None:
    """Register the verb and one sub-command for each kind of output."""
    parser = subparsers.add_parser("score", help="measure what was decoded", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, module_name in KINDS.items():
        module = importlib.import_module(f"{__package__}.{module_name}")
        kind = kinds.add_parser(name, help=module.DESCRIPTION, description=module.__doc__, epilog=module.EPILOG)
        module.add_options(kind)
        kind.set_defaults(func=module.run)
