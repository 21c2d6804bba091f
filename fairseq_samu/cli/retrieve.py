"""`fairseq-samu retrieve`: recordings search texts and recordings, within and across languages."""

import argparse
import hashlib
import importlib.metadata
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.manifest import Manifest, Row, read_manifest
from fairseq_samu.errors import ConfigError, ManifestError, explain

logger = logging.getLogger(__name__)
TABLE_LANGUAGES = 16


def add_parser(subparsers: Any) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("retrieve", help="find texts and recordings by recordings, and measure the recall")
    parser.add_argument("--manifest", required=True, type=Path, help="recordings: needs src_lang and parallel_id")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=Path, help="trained checkpoint or exported directory")
    source.add_argument("--embeddings", type=Path, help="precomputed .npy (rows of the manifest, E) instead")
    parser.add_argument("--teacher-table", required=True, type=Path, help="embeddings of the texts, by embed")
    parser.add_argument("--texts", type=Path, help="texts.tsv of the corpus; without it the manifest's own texts")
    parser.add_argument("--split", help="split of texts.tsv that is searched (default: the manifest's name)")
    parser.add_argument("--text-languages", help="languages of the texts, comma-separated (default: all)")
    parser.add_argument("--audio-root", type=Path, help="folder that audio paths start from (default: the manifest's)")
    parser.add_argument("--device", default="cpu", help="where the model runs, such as cuda")
    parser.add_argument("--json", type=Path, help="write the scores there; - for standard output")
    parser.add_argument("--heat-map", type=Path, help="write recall at 1 of all pairs there as SVG")
    parser.add_argument("--neighbours", type=Path, help="write what each recording found there, for report")
    parser.add_argument("--save-embeddings", type=Path, help="write the recordings' embeddings there as .npy")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Embed, search, and write what was found."""
    from fairseq_samu.scoring.retrieval_pairs import score_pairs, summarise
    from fairseq_samu.teachers.table import EmbeddingTable

    manifest = read_manifest(arguments.manifest, required=("id", "audio", "n_frames", "src_lang", "parallel_id"))
    rows = list(manifest)
    table = EmbeddingTable.open(arguments.teacher_table)
    texts = embed_texts(arguments, rows, table)
    vectors, fingerprint = embed_speech(arguments, manifest, rows)
    if vectors.shape[1] != texts.vectors.shape[1]:
        mend = "Use the table that the checkpoint was trained with."
        rule = f"of the recordings' size {vectors.shape[1]}"
        raise ConfigError(explain("", "teacher_table", rule, texts.vectors.shape[1], mend))
    speech = speech_side(vectors, rows)
    pairs, found = score_pairs(speech, texts), score_pairs(speech, speech)
    # as another object: in the topline a text may find itself, as its recording may
    topline = score_pairs(texts, replace(texts))
    result = {
        "pairs": pairs,
        "mean": summarise(pairs),
        "teacher_topline": {**summarise(topline), "pairs": topline},
        "speech_to_speech": {"pairs": found, "mean": summarise(found)},
        "signature": sign(arguments, fingerprint, table.fingerprint),
    }
    if arguments.save_embeddings:
        arguments.save_embeddings.parent.mkdir(parents=True, exist_ok=True)
        np.save(arguments.save_embeddings, vectors)
    if arguments.neighbours:
        write_neighbours(arguments.neighbours, speech, texts, rows)
    if arguments.heat_map:
        from fairseq_samu.reports.heat_map import heat_map_svg

        write_whole(arguments.heat_map, heat_map_svg(pairs, "r1"))
    if arguments.json is not None:
        write_json(arguments.json, result)
    print(format_table(result), file=sys.stderr if str(arguments.json) == "-" else sys.stdout)
    return 0


def write_neighbours(path: Path, speech: Any, texts: Any, rows: list[Row]) -> None:
    """Write the nearest texts of every recording in every language, for the report."""
    from fairseq_samu.scoring.retrieval_pairs import list_neighbours

    recordings = [
        {
            "id": row.id,
            "lang": row.src_lang,
            "text": row.src_text,
            "audio": row.audio,
            "parallel_id": row.parallel_id,
            "found": items,
        }
        for row, items in zip(rows, list_neighbours(speech, texts), strict=True)
    ]
    write_json(path, {"recordings": recordings})


def embed_speech(arguments: argparse.Namespace, manifest: Manifest, rows: list[Row]) -> tuple[NDArray[np.float32], str]:
    """Embeddings (R, E) of the manifest's recordings, and the fingerprint of what made them."""
    if arguments.embeddings:
        vectors = np.load(arguments.embeddings, allow_pickle=False)
        if vectors.ndim != 2 or len(vectors) != len(rows):
            rule = f"an array of {len(rows)} rows, one a row of {manifest.path}"
            raise ConfigError(explain("", "embeddings", rule, vectors.shape, "Save them again in its order."))
        return vectors.astype(np.float32), hashlib.sha256(vectors.tobytes()).hexdigest()
    from fairseq_samu.inference.speech_embedder import SpeechEmbedder

    embedder = SpeechEmbedder.load(
        arguments.checkpoint, device=arguments.device, root=arguments.audio_root or arguments.manifest.parent
    )
    logger.info(f"embedding {len(rows)} recordings")
    return embedder.encode([row.audio for row in rows]), embedder.fingerprint


def embed_texts(arguments: argparse.Namespace, rows: list[Row], table: Any) -> Any:
    """The texts to search, with their embeddings from the teacher's table."""
    from fairseq_samu.scoring.retrieval_pairs import collapse_texts
    from fairseq_samu.teachers.texts import normalise_text

    listed = texts_of_file(arguments) if arguments.texts else texts_of_rows(rows)
    chosen = set(arguments.text_languages.split(",")) if arguments.text_languages else None
    listed = sorted({item for item in listed if chosen is None or item[0] in chosen})
    if not listed:
        mend = "Look at --texts, --split and --text-languages."
        raise ManifestError(explain(str(arguments.texts or arguments.manifest), "texts", "at least one", 0, mend))
    languages, keys, texts = ([item[place] for item in listed] for place in range(3))
    table.require(texts, where=str(arguments.texts or arguments.manifest))
    return collapse_texts(table.lookup(texts), languages, keys, [normalise_text(text) for text in texts])


def texts_of_rows(rows: list[Row]) -> list[tuple[str, str, str]]:
    """(language, key, text) of transcripts and translations that stand in a manifest."""
    pairs = [(row.src_lang, row.parallel_id, row.src_text) for row in rows]
    pairs += [(row.tgt_lang, row.parallel_id, row.tgt_text) for row in rows]
    return [(lang, key, text) for lang, key, text in pairs if lang and key and text]


def texts_of_file(arguments: argparse.Namespace) -> list[tuple[str, str, str]]:
    """(language, key, text) of one split of a texts.tsv."""
    table = read_manifest(arguments.texts, required=("parallel_id", "lang", "text", "split"))
    split = arguments.split or arguments.manifest.stem
    chosen = (row for row in table if row.extra["split"] == split)
    return [(row.extra["lang"], row.parallel_id or "", row.extra["text"]) for row in chosen]


def speech_side(vectors: NDArray[np.float32], rows: list[Row]) -> Any:
    """The recordings as a side of the search."""
    from fairseq_samu.scoring.retrieval_pairs import Side

    keys = [frozenset([row.parallel_id or row.id]) for row in rows]
    return Side(vectors, [row.src_lang or "" for row in rows], keys, [row.src_text or "" for row in rows])


def sign(arguments: argparse.Namespace, fingerprint: str, teacher: str) -> dict[str, Any]:
    """What a score depends on: versions, weights, teacher, data."""
    packages = {name: importlib.metadata.version(name) for name in ("fairseq-samu", "torch", "numpy")}
    data = {"manifest": arguments.manifest, "texts": arguments.texts or arguments.manifest}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in data.items()}
    return {**packages, "model": fingerprint[:16], "teacher": teacher, **hashes, "ties": "against the model"}


def write_json(path: Path, value: Any) -> None:
    """Write JSON to a file, or to standard output for ``-``."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if str(path) == "-":
        print(text)
    else:
        write_whole(path, text + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text so that the file is there whole or not at all: a script takes its presence for a finished stage."""
    from fairseq_samu.teachers.table_files import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_text(text, "utf-8")


def format_table(result: dict[str, Any]) -> str:
    """Recall at 1 by pair, and the means, as text."""
    pairs = result["pairs"]
    rows = sorted({pair.split("-")[0] for pair in pairs})
    columns = sorted({pair.split("-")[1] for pair in pairs})[:TABLE_LANGUAGES]
    lines = ["recall at 1 in %: speech (rows) to text (columns)", "      " + "".join(f"{name:>7}" for name in columns)]
    for row in rows:
        cells = [pairs.get(f"{row}-{column}") for column in columns]
        lines.append(f"{row:<6}" + "".join(f"{cell['r1']:7.1f}" if cell else "      -" for cell in cells))
    for name, scores in (
        ("speech to text", result["mean"]),
        ("speech to speech", result["speech_to_speech"]["mean"]),
        ("teacher, text to text", result["teacher_topline"]),
    ):
        if scores.get("r1") is not None:
            lines.append(
                f"mean {name:<22} R@1 {scores['r1']:5.1f}  R@5 {scores['r5']:5.1f}  R@10 {scores['r10']:5.1f}  "
                f"MRR {scores['mrr']:5.1f}  pool {scores['pool']:.0f}  chance R@1 {scores['chance_r1']:.1f}"
            )
    return "\n".join(lines)
