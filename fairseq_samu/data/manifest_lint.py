"""What the values of manifests mean: recordings, lengths, languages, texts and ids that cannot be right.

``manifest_scan`` finds the faults of form; here every row that has none is looked at, and its recording with it.
"""

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from fairseq_samu.data.audio import SAMPLE_RATE, audio_samples
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import REQUIRED_COLUMNS, TEXT_PAIR_COLUMNS, Manifest, Row
from fairseq_samu.data.manifest_scan import Fault, scan, scan_header, visible
from fairseq_samu.errors import AudioError, ConfigError, ManifestError, explain

AUDIO_CHECKS = ("decode", "header", "none")
TEXT_TABLE_COLUMNS = ("parallel_id", "lang", "text")
"""A table of texts, such as the ``texts.tsv`` of a prepared corpus, has these instead of audio."""

FASTEST_SPEECH = 100.0
"""Characters a second: the fastest speakers stay under a third of it."""

_WINDOW = 1024  # rows whose recordings are looked at together
# C0 and C1 controls, line and paragraph separators, a byte order mark inside a text, the mark of failed decoding and
# non-characters. Joiners and direction marks are part of some scripts.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffd\ufffe\uffff]")
# What one unit is worth in samples, and by how many units a rounded or windowed count may be off.
_UNITS = (("milliseconds", 16, 2), ("10 ms frames", 160, 3), ("20 ms frames", 320, 3), ("seconds", SAMPLE_RATE, 1))
_RATES = (8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000)


@dataclass(frozen=True)
class LintOptions:
    """How closely to look.

    Args:
        audio: ``decode`` reads every recording to its end, ``header`` believes its header, ``none`` leaves it alone.
        audio_root: folder that relative paths start from; None for the folder of each manifest.
        languages: codes to accept beside those of ``language_codes``.
        tolerance_seconds: by how much ``n_frames`` may differ from the recording. Decoders count the ends of MP3 files
            differently; half a frame of an encoder, the default, changes nothing in training.
        jobs: threads that read recordings.
    """

    audio: str = "decode"
    audio_root: Optional[Path] = None
    languages: frozenset[str] = frozenset()
    tolerance_seconds: float = 0.01
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.audio not in AUDIO_CHECKS:
            raise ConfigError(explain("", "audio", f"one of {', '.join(AUDIO_CHECKS)}", self.audio, "Change it."))


@dataclass
class ManifestCount:
    """What one manifest holds, faulty rows of sound form included.

    Args:
        path: the file.
        rows: number of rows.
        samples: sum of ``n_frames``.
        languages: rows of each language of speech, or of text where there is no speech.
        faults: number of faults.
    """

    path: str
    rows: int = 0
    samples: int = 0
    languages: Counter = field(default_factory=Counter)
    faults: int = 0


def lint_manifests(
    paths: Sequence[str],
    options: LintOptions,
    on_fault: Callable[[str], None],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ManifestCount]:
    """Check manifests, each for itself and their ids together.

    Args:
        paths: TSV files.
        options: how closely.
        on_fault: called with each fault, worded as ``file:line:column: ...``; a file that cannot be read at all has no
            line.
        on_progress: called with the number of rows that are done and of all rows, now and then.

    Returns:
        What each file holds and how many faults it has.
    """
    counts = [ManifestCount(path) for path in paths]
    manifests = [_scan(count, on_fault) for count in counts]
    total = sum(count.rows for count in counts)
    done, ids = 0, _Ids()
    for count, manifest in zip(counts, manifests, strict=True):
        if manifest is None:
            continue
        linter = _Linter(manifest, options)
        for faults in linter.run(ids):
            done += 1
            count.faults += len(faults)
            for fault in faults:
                on_fault(str(fault))
            if done % _WINDOW == 0 or done == total:
                on_progress(done, total)
        count.languages = linter.languages
    by_path = {count.path: count for count in counts}
    for fault in ids.duplicates([manifest for manifest in manifests if manifest is not None]):
        by_path[fault.path].faults += 1
        on_fault(str(fault))
    return counts


def _scan(count: ManifestCount, on_fault: Callable[[str], None]) -> Optional[Manifest]:
    """Faults of form; gives the rows that have none."""

    def note(fault: Fault) -> None:
        count.faults += 1
        on_fault(str(fault))

    try:
        index = scan(count.path, _required(count.path), note)
    except ManifestError as error:
        count.faults += 1
        on_fault(str(error))
        return None
    if index is None:
        return None
    count.rows, count.samples = len(index.offsets), sum(index.n_frames)
    return Manifest(count.path, index)


def _required(path: str) -> tuple[str, ...]:
    """Columns to ask for: those of speech, unless the header is plainly that of texts alone."""
    columns = set(scan_header(path))
    if columns.isdisjoint(REQUIRED_COLUMNS[1:]):
        for wanted in (TEXT_TABLE_COLUMNS, TEXT_PAIR_COLUMNS):
            if set(wanted) <= columns:
                return wanted
    return REQUIRED_COLUMNS


class _Ids:
    """Ids of all rows of all manifests as 64-bit hashes, so that a million take 8 MB."""

    def __init__(self) -> None:
        self.hashes = array("Q")

    def add(self, key: str) -> None:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self.hashes.append(int.from_bytes(digest, "little"))

    def duplicates(self, manifests: Sequence[Manifest]) -> Iterator[Fault]:
        """A fault for every row but the first that has an id; equal hashes are compared as texts."""
        import numpy as np

        values = np.frombuffer(self.hashes, dtype=np.uint64) if self.hashes else np.zeros(0, dtype=np.uint64)
        order = np.argsort(values, kind="stable")
        same = values[order][1:] == values[order][:-1]
        ends = np.cumsum([0] + [len(manifest) for manifest in manifests])
        first: dict[str, str] = {}
        for position in np.unique(np.concatenate([order[:-1][same], order[1:][same]])):
            number = int(np.searchsorted(ends, position, side="right")) - 1
            manifest = manifests[number]
            row = manifest[int(position - ends[number])]
            key = _key(row)
            if key not in first:
                first[key] = f"{manifest.path}:{row.line}"
                continue
            column, shown = _id_column(manifest), visible(key.replace("\t", " in "))
            mend = f"It stands in {first[key]} too; rename one or remove it."
            yield Fault(manifest.path, row.line, column, explain("", "id", "unique", shown, mend))


def _key(row: Row) -> str:
    """What no two rows may share: the id, or item and language in a table of texts."""
    return row.id or f"{row.parallel_id}\t{row.extra.get('lang')}"


def _id_column(manifest: Manifest) -> int:
    return manifest.columns.index("id" if "id" in manifest.columns else "parallel_id") + 1


class _Linter:
    """Checks of the rows of one manifest."""

    def __init__(self, manifest: Manifest, options: LintOptions) -> None:
        self.manifest = manifest
        self.options = options
        self.root = options.audio_root if options.audio_root is not None else Path(manifest.path).parent
        self.column = {name: number for number, name in enumerate(manifest.columns, 1)}
        self.has_audio = "audio" in self.column and "n_frames" in self.column
        self.languages: Counter = Counter()

    def run(self, ids: _Ids) -> Iterator[list[Fault]]:
        """Faults of each row, in the order of the file; recordings are read by several threads."""
        many = self.has_audio and self.options.audio != "none" and self.options.jobs > 1
        with ThreadPoolExecutor(self.options.jobs) if many else nullcontext() as pool:
            for start in range(0, len(self.manifest), _WINDOW):
                rows = [self.manifest[at] for at in range(start, min(start + _WINDOW, len(self.manifest)))]
                for row, audio_faults in zip(rows, (pool.map if pool else map)(self._audio, rows), strict=True):
                    ids.add(_key(row))
                    self.languages[row.src_lang or row.extra.get("lang") or "?"] += 1
                    yield sorted([*self._values(row), *audio_faults], key=lambda fault: fault.column)

    def _fault(self, row: Row, name: str, rule: str, value: str, mend: str) -> Fault:
        return Fault(self.manifest.path, row.line, self.column[name], explain("", name, rule, visible(value), mend))

    def _values(self, row: Row) -> Iterator[Fault]:
        """Controls, blank texts, languages: what the row shows by itself."""
        for name in self.manifest.columns:
            value = row.extra[name] if name in row.extra else str(getattr(row, name))
            found = _CONTROL.search(value)
            if found:
                rule = f"text without control characters (U+{ord(found[0]):04X} at {found.start() + 1})"
                yield self._fault(row, name, rule, value, "Replace the character by a space.")
            if name in ("src_text", "tgt_text", "text") and not value.strip():
                yield self._fault(row, name, "a text", value, "Fill it or remove the row.")
            if name in ("id", "audio", "adapter") and value != value.strip():
                yield self._fault(row, name, "free of white space at its ends", f"{value}|", "Remove the white space.")
            if name in ("src_lang", "tgt_lang", "lang") and not self._known(value):
                mend = "Use a code of ISO 639 or mBART-50 such as `fr` or `fr_XX`, or accept it with --language."
                yield self._fault(row, name, "a known language code", value, mend)

    def _known(self, code: str) -> bool:
        return code in self.options.languages or canonical_language(code) is not None

    def _audio(self, row: Row) -> list[Fault]:
        """What the recording shows, or, where it is left alone, what the length of the text does."""
        if not self.has_audio:
            return []
        if self.options.audio == "none":
            return self._implausible(row)
        try:
            samples = audio_samples(row.audio, self.root, decode=self.options.audio == "decode")
        except AudioError as error:
            return [Fault(self.manifest.path, row.line, self.column["audio"], str(error))]
        if abs(samples - row.n_frames) <= self.options.tolerance_seconds * SAMPLE_RATE:
            return []
        unit = guess_unit(row.n_frames, samples)
        mend = f"It looks like {unit}; multiply or re-run `prepare`." if unit else "Count the samples again."
        rule = f"the samples of the recording at 16 kHz, {samples}"
        return [self._fault(row, "n_frames", rule, str(row.n_frames), mend)]

    def _implausible(self, row: Row) -> list[Fault]:
        speed = len(row.src_text or "") * SAMPLE_RATE / row.n_frames
        if speed <= FASTEST_SPEECH:
            return []
        rule = f"samples at 16 kHz, for at most {FASTEST_SPEECH:g} characters a second"
        mend = f"It gives {speed:.0f} characters a second; it may count milliseconds or frames."
        return [self._fault(row, "n_frames", rule, str(row.n_frames), mend)]


def guess_unit(number: int, samples: int) -> str:
    """Name the unit in which a length was counted.

    Args:
        number: what a manifest says.
        samples: the recording's real length at 16 kHz.

    Returns:
        Such as ``"milliseconds"`` or ``"samples at 44100 Hz"``; the empty string where none fits.
    """
    for name, worth, slack in _UNITS:
        if abs(number * worth - samples) <= slack * worth and number < samples / 2:
            return name
    for rate in _RATES:
        if abs(number * SAMPLE_RATE / rate - samples) <= max(2, samples // 1000):
            return f"samples at {rate} Hz"
    return ""
