"""The README of a prepared corpus: what it holds, how it was made, and how to tell that it is whole."""

from collections.abc import Mapping

from fairseq_samu.data.corpora.summary import Summary

_FILES = """\
## Files

| file | what |
|---|---|
| `train.tsv`, `valid.tsv`, `test.tsv` | manifests; `n_frames` counts samples at 16 kHz |
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
    options = [f"--{name.replace('_', '-')} {value}" for name, value in settings.items() if value is not False]
    command = " \\\n  ".join([f"fairseq-samu prepare {summary.corpus} --output DIRECTORY", *options])
    digests = "\n".join(f"{digest}  {name}" for name, digest in sorted(files.items()))
    parts = [
        notes or f"# {summary.corpus}",
        _FILES.rstrip()
        if "audio.zip" in files
        else "\n".join(s for s in _FILES.rstrip().split("\n") if ".zip" not in s),
        f"## Contents\n\n```\n{summary.table()}\n```",
        f"## Made with\n\n```\n{command}\n```",
        f"SHA-256 (`sha256sum --check` reads these lines):\n\n```\n{digests}\n```",
    ]
    return "\n\n".join(parts) + "\n"
