"""What pretraining.sh, arms.sh and measure.sh have written of the study's runs: transcripts, sizes, seconds."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.scoring.generate_output import order_rows, read_generate_output
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.recognition import METRICS, RecognitionPlan, RecognitionScores, score_recognition, select_rows
from fairseq_samu.scoring.text_normalisers import combine_text_normalisers

JOINT, DECODER, CTC, SEEN = "joint.out", "new.out", "ctc.out", "seen.out"
SUBSETS = {JOINT: "test_new", DECODER: "test_new", CTC: "test_new", SEEN: "test_seen"}
"""What measure.sh writes of a run, and the manifest of its rows."""
SEARCHES = {JOINT: "decoder and CTC", DECODER: "the decoder", CTC: "CTC"}
"""By what the transcripts of the new languages are found."""
PLAN = RecognitionPlan(combine_text_normalisers(["basic"]))
BASE = "base"
_ARM = re.compile(r"(?P<arm>[a-z]+\d*)-(?P<seed>\d+)")
Scores = dict[str, dict[str, Figure]]
"""Figures by language and metric."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        base: what it began from.
        arm: how it was trained, see arms.sh; ``base`` for the base itself.
        seed: of the training; 0 for the base.
        folder: its checkpoint and what was measured.
    """

    base: str
    arm: str
    seed: int
    folder: Path

    def seconds(self) -> int:
        """Of the whole training."""
        return int((self.folder / "seconds").read_text())

    def tuned(self) -> int:
        """Parameters that it tuned, of all languages."""
        return json.loads((self.folder / "info.json").read_text())["tuned_parameters"]["total"]


def find_runs(output: Path) -> Iterator[Run]:
    """List the trainings that are done: bases, then arms by name."""
    for file in sorted(output.glob("base-*/seconds")):
        yield Run(file.parent.name.partition("-")[2], BASE, 0, file.parent)
    for file in sorted(output.glob("arms/*/*/seconds")):
        if match := _ARM.fullmatch(file.parent.name):
            yield Run(file.parent.parent.name, match["arm"], int(match["seed"]), file.parent)


@dataclass
class TestRows:
    """Rows of a test manifest, and their places by language.

    Attributes:
        manifest: of the test set.
    """

    manifest: Path

    @cached_property
    def references(self) -> list[str]:
        """Transcripts of all rows."""
        return [row.src_text or "" for row in read_manifest(self.manifest)]

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Places of a language's rows."""
        found: dict[str, list[int]] = {}
        for place, row in enumerate(read_manifest(self.manifest)):
            found.setdefault(row.src_lang or "", []).append(place)
        return found

    def recognise(self, file: Path) -> RecognitionScores:
        """Scores of all rows of what fairseq-generate has written."""
        texts = order_rows(read_generate_output([file]).hypotheses, len(self.references), str(file))
        return score_recognition(texts, self.references, PLAN)

    def score(self, file: Path) -> Scores:
        """Word and character error rate by language."""
        scores = self.recognise(file)
        chosen = {language: select_rows(scores, places, PLAN) for language, places in self.places.items()}
        return {
            language: {metric: figure for metric in METRICS if (figure := part.figures[metric]) is not None}
            for language, part in chosen.items()
        }
