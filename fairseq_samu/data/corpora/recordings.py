"""One spoken item of a corpus, the limits it must keep, and its way into the output."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.splits import normalise_for_leaks, text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

Texts = dict[tuple[str, str], str]
"""Text of each (item, language)."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An utterance as a corpus holds it.

    Args:
        item: what is said, the same name in every language (``parallel_id`` of the manifest).
        lang: language of the speech, ISO 639-1.
        text: what is said, in that language.
        speaker: who says it.
        path: the recording as the corpus holds it.
    """

    item: str
    lang: str
    text: str
    speaker: str
    path: Path


@dataclass(frozen=True)
class Limits:
    """What a recording must keep to be used; text and voice of those outside hardly ever agree.

    Args:
        min_seconds: shortest.
        max_seconds: longest.
        max_chars_per_second: fastest, in letters and digits of the text.
        min_chars_per_second: slowest, likewise.
    """

    min_seconds: float
    max_seconds: float
    max_chars_per_second: float
    min_chars_per_second: float = 0.0

    def fault(self, text: str, seconds: float) -> str:
        """Name the limit that a recording breaks; empty where it keeps all."""
        rate = len(normalise_for_leaks(text)) / max(seconds, 1e-9)
        if seconds < self.min_seconds:
            return f"shorter than {self.min_seconds:g} s"
        if seconds > self.max_seconds:
            return f"longer than {self.max_seconds:g} s"
        if rate > self.max_chars_per_second:
            return f"more than {self.max_chars_per_second:g} characters a second"
        if rate < self.min_chars_per_second:
            return f"fewer than {self.min_chars_per_second:g} characters a second"
        return ""


def measure_seconds(path: Path) -> float:
    """Measure a recording undecoded: raw G.722 holds two samples at 16 kHz in a byte, the rest has a header."""
    if path.suffix == ".g722":
        return path.stat().st_size * 2 / 16000
    return float(soundfile.info(str(path)).duration)


def within_limits(writer: CorpusWriter, recordings: Iterable[Recording], limits: Limits) -> list[Recording]:
    """Keep the recordings that have words, can be opened and keep the limits; the others are recorded as left out."""
    kept = []
    for recording in recordings:
        detail = recording.text
        try:
            seconds = measure_seconds(recording.path)
            detail = f"{seconds:.1f} s: {recording.text}"
            reason = limits.fault(recording.text, seconds) if normalise_for_leaks(recording.text) else "no words"
        except (soundfile.LibsndfileError, OSError) as error:
            reason, detail = "unreadable recording", str(error).replace(str(recording.path), recording.path.name)
        if reason:
            writer.drop(recording.lang, recording.item, reason, detail)
        else:
            kept.append(recording)
    return kept


def without_leaks(
    writer: CorpusWriter, recordings: Sequence[Recording], texts: Texts, splits: Mapping[str, str]
) -> tuple[list[Recording], Texts]:
    """Take out of training (and validation) what stands in the test split (or validation) word for word.

    Args:
        writer: takes down what is left out.
        recordings: of all splits.
        texts: of all items, those of the recordings and translations included.
        splits: split of each item.

    Returns:
        Recordings and texts that remain. A recording goes where its own text or its English text goes.
    """
    rank = {"train": 0, "valid": 1, "test": 2}
    owner: dict[bytes, int] = {}
    for (item, _), text in texts.items():
        key = text_key(text)
        owner[key] = max(owner.get(key, 0), rank[splits[item]])

    def leaks(item: str, text: str) -> bool:
        key = text_key(text)
        return key != b"" and owner[key] > rank[splits[item]]

    clean = {(item, lang): text for (item, lang), text in texts.items() if not leaks(item, text)}
    for item, lang in sorted(texts.keys() - clean.keys()):
        writer.drop_text(lang, item, "its words are held out", texts[item, lang])
    kept = []
    for recording in recordings:
        needed = {(recording.item, recording.lang), (recording.item, "en")} & texts.keys()
        if needed <= clean.keys():
            kept.append(recording)
        else:
            writer.drop(recording.lang, recording.item, "its words are held out", recording.text)
    return kept, clean


def write_recordings(
    writer: CorpusWriter,
    recordings: Sequence[Recording],
    contents: Iterable[bytes | AudioError],
    texts: Texts,
    splits: Mapping[str, str],
    suffix: str,
    targets: Sequence[str] = ("en",),
) -> None:
    """Put recordings into the archive and their rows into the manifests, then all texts of the items.

    Args:
        writer: takes everything.
        recordings: in the order of the manifests.
        contents: encoded recording of each, or why there is none.
        texts: of all items; those in the target languages become ``tgt_text``.
        splits: split of each item.
        suffix: of the files inside the archive, such as ``.ogg``.
        targets: languages of ``tgt_text``. With several a recording has a row for each one that it has a text in, with
            ``>LANG`` at the end of its id; its own language is then none of them.
    """
    pairs = zip(recordings, contents, strict=True)
    for recording, content in show_progress(pairs, len(recordings), "recordings"):
        name = f"{recording.lang}/{recording.item}"
        try:
            if isinstance(content, AudioError):
                raise content
            spec, samples = writer.store(f"{name}{suffix}", content)
        except AudioError as error:
            writer.drop(recording.lang, recording.item, "unreadable recording", str(error))
            continue
        for target, text in _translations(writer, recording, texts, targets):
            row_id = name if len(targets) == 1 else f"{name}>{target}"
            row = _row(row_id, recording, spec, samples)
            writer.add_row(splits[recording.item], {**row, "tgt_text": text, "tgt_lang": target})
    for (item, lang), text in sorted(texts.items()):
        writer.add_text(splits[item], item, lang, text)


def _translations(
    writer: CorpusWriter, recording: Recording, texts: Texts, targets: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Target languages of a recording and their texts; a language without a text is recorded as left out."""
    for target in targets:
        text = texts.get((recording.item, target), "")
        if text and (target != recording.lang or len(targets) == 1):
            yield target, text
        elif not text:
            writer.drop(recording.lang, recording.item, f"no text in {target}", recording.text)


def _row(row_id: str, recording: Recording, spec: str, samples: int) -> dict[str, str | int]:
    return {
        "id": row_id,
        "audio": spec,
        "n_frames": samples,
        "src_text": recording.text,
        "src_lang": recording.lang,
        "speaker": recording.speaker,
        "parallel_id": recording.item,
    }


def read_files(recordings: Iterable[Recording]) -> Iterator[bytes | AudioError]:
    """Read recordings that are stored as they were published."""
    for recording in recordings:
        try:
            yield recording.path.read_bytes()
        except OSError as error:
            yield AudioError(f"{recording.path.name}: {error.strerror}")
