"""Utterances composed of the embedded telephone prompts: human speech with exact concepts, for understanding."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.corpora.clips import map_threads
from fairseq_samu.data.corpora.composed_notes import describe_composed
from fairseq_samu.data.corpora.composed_sampling import compose
from fairseq_samu.data.corpora.composed_templates import LANGUAGES, TEMPLATES, VALUES, needed_prompts
from fairseq_samu.data.corpora.composed_texts import Composition, Words, plain_words
from fairseq_samu.data.corpora.composed_voices import Part, speak, trim_silence
from fairseq_samu.data.corpora.names import choose_languages
from fairseq_samu.data.corpora.ogg import encode_vorbis
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.splits import SPLITS
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.data.manifest import Row, read_manifest
from fairseq_samu.errors import ConfigError, explain, report_all

DESCRIPTION = (
    "utterances with concepts, composed of the embedded prompts, in English, Spanish, French, Italian, Russian"
)
WITHOUT_SOURCE = "manifests/prompts of the repository"
_EMBEDDED = Path(__file__).parents[3] / "manifests" / "prompts"


@dataclass(frozen=True)
class Options:
    """Options of ``prepare composed-prompts``."""

    utterances: int = field(default=2000, metadata={"help": "utterances a language, all splits together"})
    languages: str = field(default="", metadata={"help": "languages to speak, by commas; empty: all five"})
    vorbis_compression: float = field(default=0.8, metadata={"help": "libsndfile's level, 0 (large) to 1 (small)"})
    workers: int = field(default=2, metadata={"help": "threads that compose and encode", "affects_result": False})


def identify(source: Path | None, options: Options) -> dict[str, object]:
    """Digests of the prompts' files and of the templates, by which another edition of them is told apart."""
    spoken = json.dumps([TEMPLATES, {name: [unit.name for unit in units] for name, units in VALUES.items()}])
    templates = {"templates": hashlib.sha256(spoken.encode()).hexdigest()}
    try:
        record = json.loads(((source or _EMBEDDED) / "prepared.json").read_text(encoding="utf-8"))
        return {**templates, "prompts": record["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {**templates}  # what is wrong with the folder is said when it is read


def prepare(source: Path | None, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Compose the utterances.

    Args:
        source: folder of the prompts; None takes those of the repository.
        cache: not needed.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where prompts are missing, or there are not as many compositions.
    """
    folder = source or _EMBEDDED
    prompts, splits = read_prompts(folder)
    words = Words({key: plain_words(row.src_text or "", key[1]) for key, row in prompts.items()})
    languages = sorted(choose_languages(options.languages, LANGUAGES, "--languages"))
    compositions = compose(words, options.utterances)
    _write_rows(
        writer, _Voices(folder, prompts, options.vorbis_compression), words, compositions, languages, options.workers
    )
    _add_part_tables(writer, compositions, languages, splits)
    for name in ("LICENSE.txt", "CREDITS.txt"):
        path = folder / name
        if path.exists():
            changes = "Composed: prompts cut, joined, changed in speed and level, with noise.\n"
            text = path.read_text(encoding="utf-8")
            writer.add_document(name, text + changes if name == "CREDITS.txt" else text)
    writer.add_notes(describe_composed(compositions))


def read_prompts(folder: Path) -> tuple[dict[tuple[str, str], Row], dict[str, str]]:
    """Read the manifests of the prompts.

    Args:
        folder: as ``prepare prompts`` makes it.

    Returns:
        The row of each (prompt, language), and the split of each prompt.

    Raises:
        ConfigError: where a prompt that templates need is missing; all of them are named.
    """
    rows, splits = {}, {}
    for split in SPLITS:
        if (folder / f"{split}.tsv").exists():
            for row in read_manifest(folder / f"{split}.tsv"):
                rows[row.parallel_id or "", row.src_lang or ""] = row
                splits[row.parallel_id or ""] = split
    mend = "Name the folder that `fairseq-samu prepare prompts` made, such as manifests/prompts, with --source."
    if not rows:
        raise ConfigError(explain("--source", "folder", "that of the prompts", folder, mend))
    faults = [
        explain(str(folder), "prompt", "there", f"no {part} in {lang}", mend)
        for part, lang in sorted(needed_prompts() - rows.keys())
    ]
    if faults:
        raise ConfigError(report_all(faults))
    return rows, splits


class _Voices:
    """Speaks compositions with the recordings of a folder, each of which is decoded once."""

    def __init__(self, folder: Path, prompts: Mapping[tuple[str, str], Row], compression: float) -> None:
        self.prompts = prompts
        self._compression = compression
        self._part = cache(lambda item, lang: trim_silence(read_audio(prompts[item, lang].audio, folder)))

    def encode(self, row: tuple[str, str, Composition]) -> bytes:
        """Speak a composition in a language; gives the Ogg Vorbis file."""
        _, lang, composition = row
        parts = [
            Part(self._part(part, lang), slot.pause and at == 0)
            for slot, unit in zip(composition.slots, composition.units, strict=True)
            for at, part in enumerate(unit.parts(lang))
        ]
        return encode_vorbis(speak(parts, f"{lang}/{composition.item}"), self._compression)


def _write_rows(
    writer: CorpusWriter,
    voices: _Voices,
    words: Words,
    compositions: Mapping[str, Sequence[Composition]],
    languages: Sequence[str],
    workers: int,
) -> None:
    wanted = list(_in_order(compositions, languages))
    spoken = map_threads(voices.encode, iter(wanted), workers, 64)
    for (split, lang, composition), content in show_progress(spoken, len(wanted), "compose utterances"):
        name = f"{lang}/{composition.item}"
        spec, samples = writer.store(f"{name}.ogg", content)
        row: dict[str, str | int] = {
            "id": name,
            "audio": spec,
            "n_frames": samples,
            "src_text": words.plain(composition, lang),
            "src_lang": lang,
            "speaker": voices.prompts[composition.parts(lang)[0], lang].speaker or lang,
            "parallel_id": composition.item,
            "tgt_text": words.annotated(composition, lang),
            "tgt_lang": lang,
        }
        writer.add_row(split, row)
    for split, listed in compositions.items():
        for composition in listed:
            for lang in LANGUAGES:
                writer.add_text(split, composition.item, lang, words.plain(composition, lang))


def _in_order(
    compositions: Mapping[str, Sequence[Composition]], languages: Sequence[str]
) -> Iterator[tuple[str, str, Composition]]:
    for split, listed in compositions.items():
        for lang in languages:
            for composition in listed:
                yield split, lang, composition


def _add_part_tables(
    writer: CorpusWriter,
    compositions: Mapping[str, Sequence[Composition]],
    languages: Sequence[str],
    splits: Mapping[str, str],
) -> None:
    """Name the prompts of each row, and the split of each prompt in the folder of the prompts."""
    lines = ["id\tsplit\tparts"]
    uses: Counter[str] = Counter()
    for split, lang, composition in _in_order(compositions, languages):
        parts = composition.parts(lang)
        uses.update(set(parts))
        lines.append(f"{lang}/{composition.item}\t{split}\t{' '.join(parts)}")
    writer.add_document("parts.tsv", "\n".join(lines) + "\n")
    table = [f"{part}\t{splits[part]}\t{rows}" for part, rows in sorted(uses.items())]
    writer.add_document("prompts.tsv", "\n".join(["prompt\tprompt_split\trows", *table]) + "\n")
