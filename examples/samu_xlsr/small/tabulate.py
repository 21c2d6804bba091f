"""Table of recall per language with 95 % intervals, bootstrapped over the rows of the test set.

    python tabulate.py --manifest test.tsv --teacher-table teacher cosine-1.npy ...

Each .npy holds the embeddings of the recordings, as `fairseq-samu retrieve --save-embeddings` writes them. They search
the different texts of the column tgt_text. The last lines are the teacher's embeddings of the transcripts
(src_text) in the place of recordings.
"""

import argparse
from pathlib import Path

import numpy as np

from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.scoring.retrieval import bootstrap_interval, rank_matches
from fairseq_samu.scoring.retrieval_pairs import collapse_texts
from fairseq_samu.teachers.table import EmbeddingTable
from fairseq_samu.teachers.texts import normalise_text


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--teacher-table", type=Path, required=True)
    parser.add_argument("embeddings", type=Path, nargs="+")
    arguments = parser.parse_args()
    rows = list(read_manifest(arguments.manifest))
    table = EmbeddingTable.open(arguments.teacher_table)
    arms = {path.stem: np.load(path, allow_pickle=False) for path in arguments.embeddings}
    arms["transcripts"] = table.lookup([row.src_text for row in rows])
    print("| arm | speech | recordings | texts | recall at 1 | recall at 10 |\n|---|---|---|---|---|---|")
    for name, vectors in arms.items():
        for language in sorted({row.src_lang for row in rows}):
            print(line(name, language, rows, vectors, table))


def line(name: str, language: str, rows: list, vectors: np.ndarray, table: EmbeddingTable) -> str:
    """One line of the table: the recordings of a language search the translations of the same recordings."""
    chosen = [index for index, row in enumerate(rows) if row.src_lang == language]
    texts = [rows[index].tgt_text for index in chosen]
    keys = [rows[index].parallel_id for index in chosen]
    pool = collapse_texts(table.lookup(texts), ["en"] * len(texts), keys, [normalise_text(text) for text in texts])
    right = [[place for place, members in enumerate(pool.keys) if key in members] for key in keys]
    ranks = rank_matches(vectors[chosen], pool.vectors, right)
    cells = []
    for depth in (1, 10):
        hits = 100.0 * (ranks <= depth)
        low, high = bootstrap_interval(hits)
        cells.append(f"{hits.mean():.1f} [{low:.1f}, {high:.1f}]")
    return f"| {name} | {language} | {len(chosen)} | {len(pool.keys)} | {cells[0]} | {cells[1]} |"


if __name__ == "__main__":
    main()
