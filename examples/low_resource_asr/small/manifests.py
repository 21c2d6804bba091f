"""Manifests of the study: what the base hears and reads, speech of the new languages, their texts.

    python manifests.py --stamps STAMPS --fillets FILLETS --texts TEXTS --seen fr,es,ru --new ca,ro,be --output OUTPUT

STAMPS and FILLETS are folders of `fairseq-samu prepare`; TEXTS is what examples/multitask_st/small/text_pairs.py writes
with `--sources en`. Writes into OUTPUT, recordings named by their whole path:

    train_text, valid_text     English into every language: general texts, and stamps of the languages seen alone
    train_base, valid_base     speech of the languages seen and of the dialogues, with what it means in English
    train_es, ...              speech of each of the languages seen, stamps alone
    train_new, valid_new       speech of the new languages
    train_stamps, valid_stamps English texts of the training stamps into the new languages
    test_new, test_seen

and sizes.json. Splits are those of the stamps: what is said in the test is in no training text of any language.
"""

import argparse
import json
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from fairseq_samu.data.corpora.splits import normalise_for_leaks
from fairseq_samu.data.manifest import Row, read_manifest, write_manifest

SPEECH = ("id", "audio", "n_frames", "src_text", "src_lang", "tgt_text", "tgt_lang")
TEXT = ("id", "src_text", "src_lang", "tgt_text", "tgt_lang")
SAMPLES_A_MINUTE = 60 * 16_000
Rows = list[dict[str, str]]


def main() -> None:
    """Write the manifests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stamps", type=Path, required=True, help="folder of the prepared stamps")
    parser.add_argument("--fillets", type=Path, required=True, help="folder of the prepared dialogues")
    parser.add_argument("--texts", type=Path, required=True, help="folder of the text pairs")
    parser.add_argument("--seen", required=True, help="languages whose speech the base hears, by commas")
    parser.add_argument("--new", required=True, help="languages whose speech it does not hear, by commas")
    parser.add_argument("--max-words", type=int, default=8, help="leave longer general texts out [%(default)s]")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    seen, new = arguments.seen.split(","), arguments.new.split(",")
    spoken = {split: read_speech(arguments.stamps, split) for split in ("train", "valid", "test")}
    pairs = take_texts(arguments.texts / "train.tsv")
    general = [row for row in take_texts(arguments.texts / "games/train.tsv") if is_short(row, arguments.max_words)]
    dialogues = read_english(arguments.fillets, words_of(spoken["test"]))
    parts = {
        "train_text": [*general, *of_languages(pairs, "tgt_lang", seen)],
        "valid_text": [turn_around(row) for row in spoken["valid"]],
        "train_base": [*of_languages(spoken["train"], "src_lang", seen), *dialogues],
        "valid_base": of_languages(spoken["valid"], "src_lang", seen),
        "train_new": of_languages(spoken["train"], "src_lang", new),
        "train_stamps": of_languages(pairs, "tgt_lang", new),
        "valid_stamps": [turn_around(row) for row in of_languages(spoken["valid"], "src_lang", new)],
        **{f"train_{name}": of_languages(spoken["train"], "src_lang", [name]) for name in seen},
        "valid_new": of_languages(spoken["valid"], "src_lang", new),
        "test_new": of_languages(spoken["test"], "src_lang", new),
        "test_seen": of_languages(spoken["test"], "src_lang", seen),
    }
    require_apart(parts)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, rows_of_part in parts.items():
        columns = SPEECH if "audio" in rows_of_part[0] else TEXT
        write_manifest(arguments.output / f"{name}.tsv", rows_of_part, columns)
    sizes = {name: count(rows_of_part) for name, rows_of_part in parts.items()}
    (arguments.output / "sizes.json").write_text(json.dumps(sizes, indent=1) + "\n")
    print(json.dumps(sizes, indent=1))


def read_speech(folder: Path, split: str) -> Rows:
    """Rows of a prepared corpus."""
    return [_speech_row(row, folder) for row in read_manifest(folder / f"{split}.tsv")]


def _speech_row(row: Row, folder: Path) -> dict[str, str]:
    found = {name: str(getattr(row, name)) for name in SPEECH}
    return {**found, "audio": str(folder.resolve() / row.audio)}


def read_english(folder: Path, tested: Set[str]) -> Rows:
    """Training rows that are translated into English, a recording once, and that say nothing of what is tested."""
    rows = of_languages(read_speech(folder, "train"), "tgt_lang", ["en"])
    return [row for row in rows if tested.isdisjoint(words_of([row]))]


def words_of(rows: Rows) -> set[str]:
    """Texts of both sides, without letter case, punctuation and accents."""
    return {normalise_for_leaks(row[side]) for row in rows for side in ("src_text", "tgt_text")} - {""}


def take_texts(manifest: Path) -> Rows:
    """Rows of a manifest of text pairs."""
    return [{name: getattr(row, name) or "" for name in TEXT} for row in read_manifest(manifest, TEXT)]


def is_short(row: dict[str, str], max_words: int) -> bool:
    """Whether both sides have at most so many words."""
    return all(len(row[side].split()) <= max_words for side in ("src_text", "tgt_text"))


def of_languages(rows: Iterable[dict[str, str]], column: str, languages: Sequence[str]) -> Rows:
    """Rows whose column is one of the languages."""
    return [row for row in rows if row[column] in languages]


def turn_around(row: dict[str, str]) -> dict[str, str]:
    """The text pair of a row of speech, from its translation to its transcript."""
    sides = (row["tgt_text"], row["tgt_lang"], row["src_text"], row["src_lang"])
    return dict(zip(TEXT, (row["id"], *sides), strict=True))


def require_apart(parts: dict[str, Rows]) -> None:
    """Refuse training rows with a text of the test, in any language.

    Raises:
        SystemExit: there is one.
    """
    tested = words_of(parts["test_new"]) | words_of(parts["test_seen"])
    leaks = {name: sorted(words_of(rows) & tested) for name, rows in parts.items() if name.startswith("train")}
    found = {name: texts[:3] for name, texts in leaks.items() if texts}
    if found:
        raise SystemExit(f"texts of the test in training: {found}")


def count(rows: Rows) -> dict[str, dict[str, float]]:
    """Rows of each language, and minutes where they are speech."""
    spoken = "audio" in rows[0]
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        language = found.setdefault(row["src_lang" if spoken else "tgt_lang"], {"rows": 0, "minutes": 0.0})
        language["rows"] += 1
        language["minutes"] += int(row.get("n_frames", 0)) / SAMPLES_A_MINUTE
    return {name: {key: round(value, 2) for key, value in counts.items() if value} for name, counts in found.items()}


if __name__ == "__main__":
    main()
