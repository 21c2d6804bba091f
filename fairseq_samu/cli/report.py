"""`fairseq-samu report`: turn results into one HTML file with plots and playable recordings."""

import importlib
from typing import Any

# Each kind is a module of this room with `DESCRIPTION`, `add_options(parser)` and `run(arguments)`.
KINDS = {
    "compression": "report_compression",
    "consistency": "report_consistency",
    "forgetting": "report_forgetting",
    "retrieval": "report_retrieval",
    "slu": "report_slu",
}


def add_parser(subparsers: Any) -> None:
    """Register the verb and one sub-command for each kind of page."""
    parser = subparsers.add_parser("report", help="turn results into a page", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, module_name in KINDS.items():
        module = importlib.import_module(f"{__package__}.{module_name}")
        kind = kinds.add_parser(name, help=module.DESCRIPTION, description=module.__doc__)
        module.add_options(kind)
        kind.set_defaults(func=module.run)
