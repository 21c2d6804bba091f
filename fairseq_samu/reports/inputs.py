"""Reads what a page is made of: JSON of `fairseq-samu retrieve` and the log of `fairseq-train --log-format json`."""

import json
import math
import re
from pathlib import Path
from typing import Any

from fairseq_samu.errors import SamuError, explain

# `--log-file` writes the bare object, standard error puts time, level and name before it.
_LOG_LINE = re.compile(r"^(?:.*\| INFO \| (?:train|valid) \| )?(\{\"epoch\": .*\"(train|valid)_num_updates\".*\})\s*$")
_MEND = "Write it again by `fairseq-samu retrieve`."


def read_scores(path: Path) -> dict[str, Any]:
    """Read the scores that `retrieve --json` wrote.

    Raises:
        SamuError: no JSON, or `mean` or `pairs` are missing or hold something else than figures in per cent.
    """
    scores = read_object(path, _MEND)
    for part in ("mean", "teacher_topline"):
        if part == "mean" or scores.get(part) is not None:
            _check_figures(path, part, scores.get(part))
    pairs = scores.get("pairs")
    if not isinstance(pairs, dict) or not pairs:
        raise SamuError(explain(str(path), "pairs", "an object with a member for each pair of languages", pairs, _MEND))
    for name, figures in pairs.items():
        _check_figures(path, f"pairs.{name}", figures)
    if not isinstance(scores.get("signature", {}), dict):
        raise SamuError(explain(str(path), "signature", "an object", scores["signature"], _MEND))
    return scores


def read_neighbours(path: Path) -> list[dict[str, Any]]:
    """Read the recordings, and what each one found, that `retrieve --neighbours` wrote.

    Raises:
        SamuError: no JSON, or a recording lacks what the page shows.
    """
    recordings = read_object(path, _MEND).get("recordings")
    if not isinstance(recordings, list):
        raise SamuError(explain(str(path), "recordings", "a list", recordings, _MEND))
    for i, recording in enumerate(recordings):
        where = f"{path}: recordings[{i}]"
        if not isinstance(recording, dict):
            raise SamuError(explain(where, "recording", "an object", recording, _MEND))
        for key in ("id", "lang", "text", "audio"):
            if not isinstance(recording.get(key), str):
                raise SamuError(explain(where, key, "a text", recording.get(key), _MEND))
        _check_found(where, recording.get("found"))
    return recordings


def read_train_log(path: Path) -> dict[str, list[dict[str, float]]]:
    """Read the lines of epochs; a repeated epoch, after training was resumed, counts as it was last.

    Returns:
        ``train`` and ``valid``: figures of each epoch in order; what is no finite number is left out.

    Raises:
        SamuError: there is no such line.
    """
    epochs: dict[str, dict[float, dict[str, float]]] = {"train": {}, "valid": {}}
    for line in path.read_text("utf-8", "replace").splitlines():
        match = _LOG_LINE.search(line)
        figures = _numbers(match[1]) if match else {}
        if match and "epoch" in figures:
            epochs[match[2]][figures["epoch"]] = figures
    if not any(epochs.values()):
        mend = "Train with `--log-format json --log-file FILE`."
        raise SamuError(explain("", str(path), "a log with JSON lines of epochs", "a file without any", mend))
    return {kind: [values[epoch] for epoch in sorted(values)] for kind, values in epochs.items()}


def read_object(path: Path, mend: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        path: UTF-8.
        mend: what the user can do where it does not.

    Raises:
        SamuError: it holds something else.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SamuError(explain("", str(path), "JSON in UTF-8", error, mend)) from error
    if not isinstance(value, dict):
        raise SamuError(explain("", str(path), "a JSON object", type(value).__name__, mend))
    return value


def _check_figures(path: Path, name: str, figures: Any) -> None:
    if not isinstance(figures, dict):
        raise SamuError(explain(str(path), name, "an object of figures", figures, _MEND))
    for key in ("r1", "r10"):
        value = figures.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
            raise SamuError(explain(str(path), f"{name}.{key}", "a figure from 0 to 100 (per cent)", value, _MEND))


def _check_found(where: str, found: Any) -> None:
    if not isinstance(found, dict):
        raise SamuError(explain(where, "found", "an object with a list for each language", found, _MEND))
    for code, items in found.items():
        for item in items if isinstance(items, list) else [None]:
            fits = isinstance(item, dict) and isinstance(item.get("text"), str) and isinstance(item.get("right"), bool)
            if item is None or not fits or not isinstance(item.get("score"), (int, float)):
                raise SamuError(explain(where, f"found.{code}", "a list of text, score and right", item, _MEND))


def _numbers(text: str) -> dict[str, float]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    numbers = {}
    for key, value in values.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            numbers[key] = number
    return numbers
