"""Join the manifests of several prepared corpora into one folder; recordings stay where they are.

python examples/samu_slu/paper/join_manifests.py --output JOINED media portmedia taric
"""

import argparse
import os
from pathlib import Path

from fairseq_samu.data.manifest import Manifest, Row, read_manifest, write_manifest

SPLITS = ("train", "valid", "test")


def cells_of(row: Row, columns: tuple[str, ...], corpus: Path, output: Path) -> dict[str, object]:
    """A row's cells, with a path that starts from the folder of the joined manifest and an id of its corpus.

    Args:
        row: of a corpus.
        columns: of the joined manifest.
        corpus: folder that the row's relative path starts from.
        output: folder of the joined manifest.
    """
    cells = {name: getattr(row, name) if hasattr(row, name) else row.extra.get(name) for name in columns}
    if not Path(row.audio).is_absolute():
        cells["audio"] = os.path.relpath(corpus / row.audio, output)
    return {**cells, "id": f"{corpus.name}-{row.id}"}


def join(corpora: list[Path], output: Path) -> dict[str, int]:
    """Write the manifest of each split, the corpora one after the other; the rows of each split."""
    output.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split in SPLITS:
        manifests: list[Manifest] = [read_manifest(corpus / f"{split}.tsv") for corpus in corpora]
        columns = tuple(dict.fromkeys(name for manifest in manifests for name in manifest.columns))
        pairs = zip(corpora, manifests, strict=True)
        rows = [cells_of(row, columns, corpus, output) for corpus, manifest in pairs for row in manifest]
        write_manifest(output / f"{split}.tsv", rows, columns)
        counts[split] = len(rows)
    return counts


def main() -> None:
    """Parse, join, and say how many rows there are."""
    parser = argparse.ArgumentParser(description="Join the manifests of prepared corpora.")
    parser.add_argument("corpora", nargs="+", type=Path, help="folders of train.tsv, valid.tsv, test.tsv")
    parser.add_argument("--output", required=True, type=Path, help="folder of the joined manifests")
    options = parser.parse_args()
    for split, count in join([path.resolve() for path in options.corpora], options.output.resolve()).items():
        print(f"{options.output / split}.tsv: {count} rows")


if __name__ == "__main__":
    main()
