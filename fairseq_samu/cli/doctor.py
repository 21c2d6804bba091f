"""`fairseq-samu doctor`: what is installed, what is missing or broken, and how to mend it."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from fairseq_samu.cli.machine_facts import gather_facts
from fairseq_samu.cli.machine_findings import Finding, Status, judge


def add_parser(subparsers: Any) -> None:
    """Add the verb `doctor` to a parser's sub-commands."""
    parser = subparsers.add_parser(
        "doctor",
        description="Say what is installed, what is missing or broken. One line an item: ok, info, warn or broken, and "
        "below it how to mend it. "
        "Exit code 0 when the package can be used, 1 when something that it needs is broken.",
    )
    parser.add_argument("--device", default="", help="a device that must be there: cpu, cuda, cuda:1 or mps")
    parser.add_argument(
        "--json", metavar="FILE", help="also write the findings as JSON; - writes only JSON, to the output"
    )
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at this machine and print the findings.

    Args:
        arguments: ``device``, ``json``.

    Returns:
        0 usable, 1 broken.
    """
    findings = judge(gather_facts(), arguments.device)
    if arguments.json == "-":
        json.dump(as_json(findings), sys.stdout, indent=2)
        print()
    else:
        print(as_text(findings))
        if arguments.json:
            Path(arguments.json).write_text(json.dumps(as_json(findings), indent=2) + "\n", encoding="utf-8")
    return 0 if is_usable(findings) else 1


def is_usable(findings: list[Finding]) -> bool:
    """Tell whether nothing that the package needs is broken."""
    return all(finding.status != Status.BROKEN for finding in findings)


def as_text(findings: list[Finding]) -> str:
    """Lay the findings out in columns, and close with what they amount to."""
    width = max(len(finding.item) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:6}  {finding.item:{width}}  {finding.says}")
        if finding.mend:
            lines.append(f"{'':6}  {'':{width}}  -> {finding.mend}")
    broken = [finding.item for finding in findings if finding.status == Status.BROKEN]
    lines.append(f"\nNot usable: {', '.join(broken)}." if broken else "\nEverything that is needed works.")
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Arrange the findings for other programs: ``usable``, and ``findings`` with item, status, says and mend."""
    return {"usable": is_usable(findings), "findings": [dataclasses.asdict(finding) for finding in findings]}
