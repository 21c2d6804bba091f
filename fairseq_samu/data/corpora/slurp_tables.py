"""The lists of SLURP: prompts with their entities, and who recorded them.

As the corpus's README describes them and SpeechBrain's ``recipes/SLURP/prepare.py`` reads them: ``train.jsonl``,
``train_synthetic.jsonl``, ``devel.jsonl``, ``test.jsonl`` with a prompt a line (``sentence``; ``sentence_annotation``
with its entities as ``[type : words]``; ``scenario``; ``action``; ``recordings`` with a ``file`` each), and
``metadata.json`` (by prompt, ``recordings`` by file, ``usrid``).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairseq_samu.concepts import CLOSE, escape
from fairseq_samu.data.corpora.splits import normalise_for_leaks
from fairseq_samu.errors import ManifestError, explain

_ENTITY = re.compile(r"\[\s*([^\[\]:\s]+)\s*:\s*([^\[\]]*?)\s*\]")
_FIELDS = ("sentence", "sentence_annotation", "scenario", "action", "recordings")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line of a list.

    Args:
        place: ``devel.jsonl:17``.
        sentence: what is said.
        text: the same with its entities as concepts.
        intent: scenario and action, ``alarm_set``.
        files: names of its recordings.
        fault: why it cannot be used; empty where it can.
        detail: what was found instead.
    """

    place: str
    sentence: str = ""
    text: str = ""
    intent: str = ""
    files: tuple[str, ...] = ()
    fault: str = ""
    detail: str = ""


def read_prompts(path: Path) -> Iterator[Prompt]:
    """Read a list of prompts.

    Args:
        path: one of the ``.jsonl``.

    Yields:
        Each prompt, those that cannot be used included, with their fault.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _prompt(f"{path.name}:{number}", line)


def read_speakers(path: Path) -> dict[str, str]:
    """Read who recorded what.

    Args:
        path: ``metadata.json``; one that is not there names nobody.

    Returns:
        Speaker of each recording.

    Raises:
        ManifestError: where it is of another form.
    """
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_bytes())
        return {
            name: str(recording["usrid"])
            for entry in entries.values()
            for name, recording in entry["recordings"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        rule, mend = "JSON with the recordings of each prompt and their usrid", "Download it again."
        raise ManifestError(explain(str(path), "metadata", rule, repr(error), mend)) from error


def annotate(annotation: str) -> str:
    """Write an annotated sentence with concepts: ``wake me up at [time : eight]`` as ``wake me up at <time> eight >``.

    Args:
        annotation: as SLURP has it.

    Returns:
        Annotated text with single spaces.

    Raises:
        ValueError: where a bracket is left over.
    """
    parts, end = [], 0
    for entity in _ENTITY.finditer(annotation):
        parts += [_plain(annotation[end : entity.start()]), f"<{entity[1]}>", _plain(entity[2]), CLOSE]
        end = entity.end()
    return " ".join(" ".join([*parts, _plain(annotation[end:])]).split())


def _plain(text: str) -> str:
    if "[" in text or "]" in text:
        raise ValueError("bracket that belongs to no entity")
    return escape(text.strip())


def _prompt(place: str, line: bytes) -> Prompt:
    try:
        values: Any = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Prompt(place, fault="not UTF-8")
    except ValueError as error:
        return Prompt(place, fault="no JSON", detail=str(error))
    missing = [name for name in _FIELDS if name not in values] if isinstance(values, dict) else list(_FIELDS)
    if missing:
        return Prompt(place, fault="missing field", detail=", ".join(missing))
    # ESPnet's recipe writes out the one symbol of the host's that sentences hold.
    texts = [str(values[name]).replace("<unk>", "unknown") for name in ("sentence", "sentence_annotation")]
    sentence, files = " ".join(texts[0].split()), _files(values["recordings"])
    if files is None:
        return Prompt(place, sentence, fault="recordings without a file", detail=sentence)
    if not files:
        return Prompt(place, sentence, fault="no recordings", detail=sentence)
    try:
        text = annotate(texts[1])
    except ValueError as error:
        return Prompt(place, sentence, fault="faulty annotation", detail=f"{error}: {texts[1]}")
    if normalise_for_leaks(_ENTITY.sub(r" \2 ", texts[1])) != normalise_for_leaks(sentence):
        return Prompt(place, sentence, fault="annotation of other words", detail=f"{sentence} | {texts[1]}")
    return Prompt(place, sentence, text, f"{values['scenario']}_{values['action']}", files)


def _files(recordings: object) -> tuple[str, ...] | None:
    """Names of the recordings; None where one has none, or one that leads out of the folder."""
    if not isinstance(recordings, list):
        return None
    names = [str(each.get("file", "")) if isinstance(each, dict) else "" for each in recordings]
    return None if any(not name or Path(name).name != name for name in names) else tuple(names)
