"""Utterances composed of the embedded telephone prompts: human speech with exact concepts, for understanding."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.corpora.clips import map_threads
from fairseq_samu.data.corpora.composed_sampling import HELD_OUT_SHARE, Composition, Words, compose
from fairseq_samu.data.corpora.composed_templates import LANGUAGES, TEMPLATES, parse_template
from fairseq_samu.data.corpora.composed_voices import (
    GAIN_DB,
    GAP_SECONDS,
    PAUSE_SECONDS,
    SNR_DB,
    SPEED,
    Part,
    speak,
    trim_silence,
)
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
_MISSPELT = {"октрября": "октября"}
_LATIN_LOOKALIKES = str.maketrans("aeopcxy", "аеорсху")
_NOTES = """
# Composed prompts: human speech, composed utterances, with concepts

Telephone prompts were recorded to be put together. Here recorded words of the embedded prompts (`manifests/prompts`)
make utterances such as `vm-youhave` + `digits/5` + `vm-INBOX` + `vm-messages`. Every word is spoken by a person, one
professional voice a language (English and Spanish are the same person); no person ever said a whole utterance, and
melody and grammar are those of the parts ("cinq nouveau messages"). Results on it are results on composed utterances.

- `src_text` is the transcript, in lower case and without punctuation; `tgt_text` the same words with their concepts, as
  in `vous avez <count> cinq > <folder> nouveau > messages`. Both are exact. {concepts} concepts in {templates}
  templates; one number may be a count, an hour, a position, a date or a key: the words around it say which.
- A composition is the same in every language and has the same `parallel_id` and split there.
- `parts.tsv` names the prompts of each row; `prompts.tsv` names each prompt that is a part, and its split in
  `manifests/prompts`. **Some parts are held out there**: an encoder that is to be tested on `manifests/prompts` must
  not learn from rows with such parts.
- Held out are combinations. A unit is a carrier prompt or one value (a number, a digit of a string of digits, a word).
  A pair is two neighbouring units of which at least one is a value, by its words in a language. No pair of the test or
  validation split stands in training, and no whole text does, in any language: for each unit and each list of values
  beside it, {share:.0%} of the values, by the order of a SHA-256, are held out, and test and validation have such pairs
  only. Test and validation share pairs, not texts. {known}
- Each voice says a word in one recording. Therefore every utterance is varied, by draws that depend on its `id` alone:
  silence at the ends of each part cut; gaps of {gap[0]:g} to {gap[1]:g} s between parts ({pause[0]:g} to {pause[1]:g} s
  between a question and its answer); speed {speed[0]:g} to {speed[1]:g}, tempo and pitch together; noise (white, pink
  or brown) {snr[0]:g} to {snr[1]:g} dB below the speech; gain {gain[0]:g} to {gain[1]:g} dB. Ogg Vorbis, 16 kHz, mono.
- `LICENSE.txt` and `CREDITS.txt` are those of the prompts and go with every recording: CC-BY-SA-3.0 (en es fr) and
  CC-BY-3.0 (it ru).

## Concepts in each split, a language

```
{table}
```
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare composed-prompts``."""

    utterances: int = field(default=2000, metadata={"help": "utterances a language, all splits together"})
    languages: str = field(default="", metadata={"help": "languages to speak, by commas; empty: all five"})
    vorbis_compression: float = field(default=0.8, metadata={"help": "libsndfile's level, 0 (large) to 1 (small)"})
    workers: int = field(default=2, metadata={"help": "threads that compose and encode", "affects_result": False})


def identify(source: Path | None, options: Options) -> dict[str, object]:
    """Digests of the prompts' files, by which another edition of them is told apart."""
    try:
        record = json.loads(((source or _EMBEDDED) / "prepared.json").read_text(encoding="utf-8"))
        return {"prompts": record["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # what is wrong with the folder is said when it is read


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
    writer.add_notes(_describe(compositions))


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
    needed = {
        (part, lang)
        for template in TEMPLATES.values()
        for slot in parse_template(template)
        for unit in slot.choices
        for lang in LANGUAGES
        for part in unit.parts(lang)
    }
    mend = "Name the folder that `fairseq-samu prepare prompts` made, such as manifests/prompts, with --source."
    faults = [
        explain(str(folder), "prompt", "there", f"no {part} in {lang}", mend)
        for part, lang in sorted(needed - rows.keys())
    ]
    if faults:
        raise ConfigError(report_all(faults))
    return rows, splits


def plain_words(text: str, lang: str) -> str:
    """Reduce the text of a prompt to its words.

    Args:
        text: as published.
        lang: its language.

    Returns:
        Lower case; without punctuation but apostrophes and hyphens inside words; abbreviations without dots; Latin
        letters inside Russian words replaced by the Russian ones that look the same.
    """
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=\b\w)\.(?=\w\b)", "", text)  # a.m.
    found = re.findall(r"[^\W_]+(?:['\-][^\W_]+)*'?", text)
    words = [word if re.search(r"[^\W_]'$", word) and lang in ("fr", "it") else word.rstrip("'") for word in found]
    if lang == "ru":
        words = [word.translate(_LATIN_LOOKALIKES) if re.search("[а-я]", word) else word for word in words]
    return " ".join(_MISSPELT.get(word, word) for word in words)


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
        row = {
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


def _describe(compositions: Mapping[str, Sequence[Composition]]) -> str:
    counts = {split: _count_concepts(listed) for split, listed in compositions.items()}
    names = sorted(set().union(*counts.values()))
    width = max(map(len, names))
    lines = [f"{'concept':{width}}  " + "  ".join(f"{split:>6}" for split in SPLITS)]
    lines += [f"{name:{width}}  " + "  ".join(f"{counts[split][name]:6}" for split in SPLITS) for name in names]
    trained = {unit.name for composition in compositions["train"] for unit in composition.units}
    tested = {unit.name for split in ("valid", "test") for c in compositions[split] for unit in c.units}
    unknown = sorted(tested - trained)
    known = "Every unit of the held-out splits also stands in training, beside others."
    if unknown:
        known = f"Units that training has nowhere: {', '.join(unknown)}."
    return _NOTES.format(
        concepts=len(names),
        templates=len({c.template for listed in compositions.values() for c in listed}),
        share=HELD_OUT_SHARE,
        known=known,
        gap=GAP_SECONDS,
        pause=PAUSE_SECONDS,
        speed=SPEED,
        snr=SNR_DB,
        gain=GAIN_DB,
        table="\n".join(lines),
    )


def _count_concepts(compositions: Iterable[Composition]) -> Counter[str]:
    return Counter(slot.concept for composition in compositions for slot in composition.slots if slot.starts)
