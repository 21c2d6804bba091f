"""The README of a prepared corpus: what it holds, how it was made, and how to tell that it is whole."""

import shlex
from collections.abc import Mapping

from fairseq_samu.data.corpora.summary import Summary

_FILES = """\
## Files

| file | what |
|---|---|
| {manifests} | manifests{unit} |
| `texts.tsv` | every text of every item, also in languages without speech: `parallel_id lang text split` |
| `dropped.tsv` | every row of the source that is not used, and why |
| `audio.zip` | the recordings, stored without compression and read as `audio.zip:offset:length` |
| `prepared.json` | options, counts and SHA-256 of the files |
"""


def describe(summary: Summary, notes: str, settings: Mapping[str, object], files: Mapping[str, str]) -> str:
    """Word the README.

    Args:
        summary: counts.
        notes: what the corpus says of itself (Markdown, with its title).
        settings: options it was made with.
        files: SHA-256 of each file, in hexadecimal digits.

    Returns:
        Markdown.
    """
    command = " \\\n  ".join([f"fairseq-samu prepare {summary.corpus} --output DIRECTORY", *_options(settings)])
    digests = "\n".join(f"{digest}  {name}" for name, digest in sorted(files.items()))
    table = _FILES.rstrip().split("\n")
    table = [line for line in table if not line.startswith("| `") or line.split("`")[1] in (*files, "prepared.json")]
    manifests = ", ".join(f"`{split}.tsv`" for split in summary.splits() if f"{split}.tsv" in files)
    unit = "; `n_frames` counts samples at 16 kHz" if any(summary.samples.values()) else ""
    parts = [
        notes or f"# {summary.corpus}",
        "\n".join(table).format(manifests=manifests, unit=unit),
        f"## Contents\n\n```\n{summary.table()}\n```",
        f"## Made with\n\n```\n{command}\n```",
        f"SHA-256 (`sha256sum --check` reads these lines):\n\n```\n{digests}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _options(settings: Mapping[str, object]) -> list[str]:
    """Options as they stand on a command line; flags that are down and empty texts are left out."""
    given = {
        "--" + name.replace("_", "-"): value for name, value in settings.items() if value is not False and value != ""
    }
    return [flag if value is True else f"{flag} {shlex.quote(str(value))}" for flag, value in given.items()]
