"""The Asterisk telephone prompts: the same sentences spoken by professional voices in five languages."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.corpora.copyrights import credits_of, licence_texts, parse_copyright
from fairseq_samu.data.corpora.g722 import decode_g722, has_ffmpeg
from fairseq_samu.data.corpora.ogg import encode_opus
from fairseq_samu.data.corpora.packages import fetch_packages, read_document, unpack_packages
from fairseq_samu.data.corpora.prompt_texts import parse_prompts
from fairseq_samu.data.corpora.recordings import (
    Limits,
    Recording,
    Texts,
    within_limits,
    without_leaks,
    write_recordings,
)
from fairseq_samu.data.corpora.splits import group_by_text, split_by_hash
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError, ConfigError, explain

DESCRIPTION = "Asterisk telephone prompts, parallel in English, Spanish, French, Italian and Russian (Debian packages)"
LANGUAGES = ("en", "es", "fr", "it", "ru")
_WORD = re.compile(r"[^\W\d_]{2,}")  # single letters, as in names that are spelt, are no words
_CREDITED_AS = {"en": "*", "es": "*", "fr": "fr-*", "it": "it-*", "ru": "ru-*"}
_LICENCES = {"CC-BY-SA-3.0": "en es fr", "CC-BY-3.0": "it ru"}
_NOTES = """
# Asterisk prompts: the same sentences in English, Spanish, French, Italian and Russian

Telephone prompts from the Debian packages `asterisk-core-sounds-{{en,es,fr,it,ru}}` (texts) with `-{kind}` (voices),
one professional voice a language; English and Spanish are the same person. Ogg Opus, 16 kHz, mono.

- A prompt's Asterisk id is its `parallel_id`: rows that share it say the same thing.
- Held out are prompts that all five languages have, with at least {words} words of two letters or more in English, and
  that share no text with another prompt in any language. In the order of the SHA-256 of `prompts/ID`, the first {test}
  are the test split and the next {valid} the validation split, in every language. The other prompts are for training,
  also those that lack a language.
- No text of a held-out split stands in training, in any language; case, punctuation and accents do not count.
- Left out, each named in `dropped.tsv`: silences and sounds, stage directions, prompts without voice, text or English
  text, recordings longer than {seconds:g} s, and those that are too short for their text.
- Texts are as published, without stage directions in brackets and without dots at open ends; accents that the Italian
  list has lost to question marks are put back. Much of the Spanish is written without accents.
- `LICENSE.txt` and `CREDITS.txt` belong to the recordings and texts and must go with them.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare prompts``."""

    prompt_audio: str = field(
        default="auto",
        metadata={
            "help": "packages to take the voices from: g722 (16 kHz, needs ffmpeg), wav (8 kHz), "
            "auto (g722 where ffmpeg is installed, else wav)",
            "choices": ("auto", "g722", "wav"),
        },
    )
    test_items: int = field(default=86, metadata={"help": "prompts held out for testing, in every language"})
    valid_items: int = field(default=40, metadata={"help": "prompts held out for validation, in every language"})
    min_held_out_words: int = field(default=3, metadata={"help": "fewest English words of a held-out text"})
    max_seconds: float = field(default=30.0, metadata={"help": "longest recording that is used"})
    max_chars_per_second: float = field(
        default=23.0, metadata={"help": "fastest recording that is used; above it voice and text do not agree"}
    )
    opus_compression: float = field(default=0.95, metadata={"help": "libsndfile's level, 0 (large) to 1 (small)"})


def prepare(source: Path | None, cache: Path, writer: CorpusWriter, options: Options) -> None:
    """Prepare the prompts.

    Args:
        source: folder of the Debian packages or of their contents; None downloads them.
        cache: folder for downloads.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where packages or ffmpeg are missing.
    """
    kind = _choose_audio(source, options.prompt_audio)
    packages = [f"asterisk-core-sounds-{lang}{part}" for lang in LANGUAGES for part in ("", f"-{kind}")]
    tree = unpack_packages(source or fetch_packages(packages, cache), packages, writer.scratch / "unpacked")
    spoken, texts = _collect(tree, kind, writer)
    recordings = within_limits(writer, spoken, Limits(0.1, options.max_seconds, options.max_chars_per_second))
    recordings = [recording for recording in recordings if _has_english(writer, recording, texts)]
    splits = split_prompts(recordings, texts, options)
    recordings, texts = without_leaks(writer, recordings, texts, splits)
    contents = _encode(recordings, kind, options.opus_compression)
    write_recordings(writer, recordings, contents, texts, splits, ".ogg")
    _add_papers(writer, tree)
    words, test, valid = options.min_held_out_words, options.test_items, options.valid_items
    writer.add_notes(_NOTES.format(kind=kind, words=words, test=test, valid=valid, seconds=options.max_seconds))


def split_prompts(recordings: Sequence[Recording], texts: Texts, options: Options) -> dict[str, str]:
    """Choose the held-out prompts: spoken in all languages, of some words, sharing no text with another prompt.

    Args:
        recordings: those that are used.
        texts: texts of all prompts; a text that two ids share keeps both in training.
        options: numbers of items and words.

    Returns:
        Split of each id, the same for every language.
    """
    ordered = sorted(texts.items())
    group = group_by_text((item, text) for (item, _), text in ordered)
    members: dict[str, int] = {}
    for head in group.values():
        members[head] = members.get(head, 0) + 1
    spoken_in: dict[str, set[str]] = {}
    for recording in recordings:
        spoken_in.setdefault(recording.item, set()).add(recording.lang)
    eligible = {
        item: 1
        for item, languages in spoken_in.items()
        if len(languages) == len(LANGUAGES)
        and members[group[item]] == 1
        and len(_WORD.findall(texts[item, "en"])) >= options.min_held_out_words
    }
    splits = dict.fromkeys((item for item, _ in texts), "train")
    splits.update(split_by_hash(eligible, options.test_items, options.valid_items, "prompts"))
    return splits


def _choose_audio(source: Path | None, wanted: str) -> str:
    if wanted == "auto":
        has_wav = source is None or any(source.glob("**/*-wav_*.deb")) or any(source.glob("**/sounds/*/*.wav"))
        wanted = "wav" if has_wav and not has_ffmpeg() else "g722"
    if wanted == "g722" and not has_ffmpeg():
        mend = "Install it (apt-get install ffmpeg), or take the 8 kHz voices: packages *-wav and --prompt-audio wav."
        raise ConfigError(explain("", "ffmpeg", "installed to decode G.722", "missing", mend))
    return wanted


def _collect(tree: Path, kind: str, writer: CorpusWriter) -> tuple[list[Recording], Texts]:
    recordings: list[Recording] = []
    texts: Texts = {}
    for lang in LANGUAGES:
        content = read_document(tree, f"asterisk-core-sounds-{lang}", f"core-sounds-{lang}.txt")
        voices = _voices(tree, lang, kind)
        if content is None or not voices:
            missing = f"asterisk-core-sounds-{lang}" + (f"-{kind}" if content is not None else "")
            raise ConfigError(
                explain("--source", "package", "there", f"no {missing}", "Leave --source out to download it.")
            )
        found, spoken = _pair(lang, content, voices, writer)
        recordings += spoken
        texts.update(found)
    return recordings, texts


def _voices(tree: Path, lang: str, kind: str) -> dict[str, tuple[str, Path]]:
    """Map each recorded id of a language to its voice and file."""
    voices = {}
    for folder in sorted(tree.glob(f"**/sounds/{lang}_*")):
        speaker = folder.name.rsplit("_", 1)[-1].lower()  # en_US_f_Allison; one voice speaks English and Spanish
        for path in sorted(folder.rglob(f"*.{kind}")):
            voices[path.relative_to(folder).with_suffix("").as_posix()] = (speaker, path)
    return voices


def _pair(
    lang: str, content: str, voices: Mapping[str, tuple[str, Path]], writer: CorpusWriter
) -> tuple[Texts, list[Recording]]:
    texts: Texts = {}
    recordings, named = [], set()
    for prompt in parse_prompts(content, lang, voices.keys()):
        named.add(prompt.item)
        if prompt.fault:
            writer.drop(lang, prompt.item, prompt.fault)
            continue
        texts[prompt.item, lang] = prompt.text
        if prompt.item in voices:
            recordings.append(Recording(prompt.item, lang, prompt.text, *voices[prompt.item]))
        else:
            writer.drop(lang, prompt.item, "no recording", prompt.text)
    for item in sorted(voices.keys() - named):
        writer.drop(lang, item, "no text")
    return texts, sorted(recordings, key=lambda recording: recording.item)


def _has_english(writer: CorpusWriter, recording: Recording, texts: Collection[tuple[str, str]]) -> bool:
    if (recording.item, "en") in texts:
        return True
    writer.drop(recording.lang, recording.item, "no English text", recording.text)
    return False


def _encode(recordings: Sequence[Recording], kind: str, compression: float) -> Iterator[bytes | AudioError]:
    paths = [recording.path for recording in recordings]
    waves = decode_g722(paths) if kind == "g722" else map(_read_wave, paths)
    for wave in waves:
        try:
            yield wave if isinstance(wave, AudioError) else encode_opus(wave, compression)
        except AudioError as error:
            yield error


def _read_wave(path: Path) -> np.ndarray | AudioError:
    try:
        return read_audio(str(path))
    except AudioError as error:
        return error


def _add_papers(writer: CorpusWriter, tree: Path) -> None:
    """Write licences, credits and a description, as far as the packages carry them."""
    text = read_document(tree, "asterisk-core-sounds-en", "copyright") or ""
    paragraphs = parse_copyright(text)
    which = "\n".join(f"{name}: the prompts in {languages}" for name, languages in _LICENCES.items())
    writer.add_document("LICENSE.txt", f"{which}\n\n\n{licence_texts(paragraphs, list(_LICENCES))}")
    people = [f"{lang}\n--\n{credits_of(paragraphs, files)}\n" for lang, files in _CREDITED_AS.items()]
    changes = "Changes: voices encoded as Ogg Opus at 16 kHz, put into one archive; texts without stage directions.\n"
    origin = "Asterisk core sounds 1.6.1, http://downloads.asterisk.org/pub/telephony/asterisk/\n"
    writer.add_document("CREDITS.txt", "\n".join([origin, *people, changes]))
