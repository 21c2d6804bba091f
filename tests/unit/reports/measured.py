"""Made-up measurements of gradients, for tests of what is read and drawn of them."""

import json
from pathlib import Path
from typing import Any

from fairseq_samu.reports.consistency_log import Measurement


def measured(update: int, **fields: Any) -> Measurement:
    """A measurement of ASR on the acoustic encoder, mean over layers, where nothing else is said."""
    return Measurement(**{**line(update), **fields})


def line(update: int, **fields: Any) -> dict[str, Any]:
    """The same as a log holds it."""
    return {
        "update": update,
        "task": "asr",
        "module": "acoustic_encoder",
        "layer": None,
        "cosine": 0.5,
        "norm": 0.2,
        "main_norm": 0.1,
        "weight": 1.0,
        "seconds": 0.25 * update,
        **fields,
    }


def write_log(path: Path, *lines: dict[str, Any]) -> Path:
    """Write a log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path
