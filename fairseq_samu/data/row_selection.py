"""Which rows of a manifest are used; every other one is named or counted with its reason."""

import logging
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.dataset_options import DatasetOptions, hash_to_integers
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.errors import ManifestError, explain

logger = logging.getLogger(__name__)
IDS_SHOWN = 10
SHARE_STREAM = 14


def select_rows(
    manifest: Manifest, options: DatasetOptions, rows: NDArray[np.int64], by_duration: bool = True
) -> NDArray[np.int64]:
    """Choose rows by language, and those of a training set by duration, share and minutes.

    Args:
        manifest: rows.
        options: languages, limits on duration, share, minutes.
        rows: (R,) int64 to choose from.
        by_duration: False where no speech is read.

    Returns:
        (R',) int64, in their order.

    Raises:
        ManifestError: none is left, or the manifest names no languages.
    """
    of_languages = rows_of_languages(manifest, options.languages)
    if len(of_languages) < len(manifest):
        logger.info(
            f"{manifest.path}: {len(of_languages)} of {len(manifest)} rows are in {', '.join(options.languages)}"
        )
        rows = rows[np.isin(rows, of_languages)]
    if not options.training:
        return rows
    rows = _of_duration(manifest, rows, options) if by_duration else rows
    return _minutes_of(manifest, _share_of(manifest, rows, options), options)


def rows_of_languages(manifest: Manifest, languages: Collection[str]) -> NDArray[np.int64]:
    """Find the rows whose speech is in one of several languages.

    Args:
        manifest: rows.
        languages: canonical codes; empty for all rows.

    Returns:
        (R,) int64.

    Raises:
        ManifestError: there is none, or the manifest names no languages.
    """
    if not languages:
        return np.arange(len(manifest))
    ids = np.asarray(manifest.language_ids, dtype=np.int64)
    wanted = [
        index
        for index, name in enumerate(manifest.languages)
        if name in languages or canonical_language(name) in languages
    ]
    rows = np.flatnonzero(np.isin(ids, wanted))
    if not len(rows):
        mend = f"The manifest has {', '.join(manifest.languages) or 'no src_lang'}: change --languages."
        raise ManifestError(explain(manifest.path, "languages", "of rows in it", ", ".join(languages), mend))
    return rows


def leave_out(manifest: Manifest, rows: NDArray[np.int64], left: NDArray[np.bool_], reason: str) -> NDArray[np.int64]:
    """Take rows out, with a warning that counts and names them.

    Args:
        manifest: of the rows.
        rows: (R,) int64.
        left: (R,) bool, True = taken out.
        reason: follows "rows are left out of training, ".

    Returns:
        (R',) int64, the others.
    """
    if left.any():
        names = name_rows(manifest, rows[left])
        logger.warning(f"{manifest.path}: {left.sum()} of {len(rows)} rows are left out of training, {reason}; {names}")
    return rows[~left]


def name_rows(manifest: Manifest, rows: NDArray[np.int64]) -> str:
    """The ids of rows, the first of them where they are many."""
    return "the first: " + ", ".join(manifest[int(row)].id for row in rows[:IDS_SHOWN])


def _of_duration(manifest: Manifest, rows: NDArray[np.int64], options: DatasetOptions) -> NDArray[np.int64]:
    samples = np.asarray(manifest.n_frames, dtype=np.int64)[rows]
    low, high = options.min_audio_seconds * SAMPLE_RATE, options.max_audio_seconds * SAMPLE_RATE
    limits = f"{options.min_audio_seconds:g} s or longer than {options.max_audio_seconds:g} s"
    reason = f"being shorter than {limits} (min_audio_seconds, max_audio_seconds)"
    kept = leave_out(manifest, rows, (samples < low) | (samples > high), reason)
    if not len(kept):
        mend = "Mend its column n_frames (samples at 16 kHz) or widen the limits."
        where = str(manifest.path)
        raise ManifestError(explain(where, "rows within the limits on duration", "at least one", 0, mend))
    return kept


def _share_of(manifest: Manifest, rows: NDArray[np.int64], options: DatasetOptions) -> NDArray[np.int64]:
    """Draw a share of each language's rows, at least one of each; a smaller share is part of every greater one."""
    if options.train_share >= 1.0:
        return rows
    kept = []
    for places in _draw_by_language(manifest, rows, options).values():
        kept.append(places[: max(1, round(options.train_share * len(places)))])
    chosen = rows[np.sort(np.concatenate(kept))]
    logger.info(f"{manifest.path}: {len(chosen)} of {len(rows)} rows are used (train_share {options.train_share:g})")
    return chosen


def _minutes_of(manifest: Manifest, rows: NDArray[np.int64], options: DatasetOptions) -> NDArray[np.int64]:
    """Draw whole rows of each language up to so many minutes, at least one; fewer are part of more.

    A manifest of texts alone has no minutes, and is used whole.
    """
    if not options.train_minutes or not len(manifest.n_frames):
        return rows
    samples = np.asarray(manifest.n_frames, dtype=np.int64)[rows]
    budget = options.train_minutes * 60 * SAMPLE_RATE
    kept, said, lacking = [], [], []
    for language, places in _draw_by_language(manifest, rows, options).items():
        count = max(1, int(np.searchsorted(np.cumsum(samples[places]), budget, side="right")))
        kept.append(places[:count])
        used = samples[kept[-1]].sum()
        share = f"{count} of {len(places)}" if count < len(places) else f"all {count}"
        said.append(f"{language} {used / SAMPLE_RATE / 60:.2f} min in {share} rows".strip())
        if count == len(places) and used < budget:
            lacking.append(f"{language or 'it'} has {used / SAMPLE_RATE / 60:.2f}")
    chosen = rows[np.sort(np.concatenate(kept))]
    logger.info(f"{manifest.path}: {', '.join(said)} are used (train_minutes {options.train_minutes:g})")
    if lacking:
        logger.warning(f"{manifest.path}: not {options.train_minutes:g} minutes: {', '.join(lacking)}")
    return chosen


def _draw_by_language(
    manifest: Manifest, rows: NDArray[np.int64], options: DatasetOptions
) -> dict[str, NDArray[np.int64]]:
    """Places in ``rows`` of each language's rows, in the order in which they are drawn: that of a hash of the row."""
    order = hash_to_integers(rows, (options.seed, SHARE_STREAM))
    ids = np.asarray(manifest.language_ids, dtype=np.int64)
    languages = ids[rows] if len(ids) else np.zeros(len(rows), dtype=np.int64)
    drawn = {}
    for language in np.unique(languages):
        places = np.flatnonzero(languages == language)
        name = manifest.languages[language] if len(ids) else ""
        drawn[name] = places[np.argsort(order[places], kind="stable")]
    return drawn
