"""A manifest with one row for each recording of another that has a row for each of its translations.

python recordings.py --manifest test.tsv --output recordings.tsv
"""

import argparse
from pathlib import Path

from fairseq_samu.data.manifest import read_manifest, write_manifest

COLUMNS = ("id", "audio", "n_frames", "src_text", "src_lang")


def main() -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, help="with src_text and src_lang")
    parser.add_argument("--output", type=Path, required=True, help="manifest to write")
    arguments = parser.parse_args()
    rows = list({row.audio: row for row in reversed(read_manifest(arguments.manifest))}.values())[::-1]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(arguments.output, ({name: getattr(row, name) for name in COLUMNS} for row in rows), COLUMNS)


if __name__ == "__main__":
    main()
