"""Miniatures of published layouts: a few tones each, written where a test wants them."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile


class Tones:
    """Writes recordings of a given length, each of another pitch."""

    def __init__(self):
        self.count = 0

    def wave(self, seconds, rate=16000):
        self.count += 1
        time = np.arange(round(seconds * rate)) / rate
        return (0.3 * np.sin(2 * math.pi * (200 + 7 * self.count) * time)).astype(np.float32)

    def write(self, path, seconds=1.0, rate=16000, **kind):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, self.wave(seconds, rate), rate, **kind)
        return path


@pytest.fixture(scope="session")
def tones():
    return Tones()


def write_text(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(name="write_text", scope="session")
def _write_text():
    return write_text


@pytest.fixture
def run(capsys):
    """Run the command line; gives exit code, standard output and standard error."""
    from fairseq_samu.cli.main import main

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def rows():
    """Rows of a manifest by id."""
    from fairseq_samu.data.manifest import read_manifest

    def read(path):
        return {row.id: row for row in read_manifest(path)}

    return read


@pytest.fixture
def dropped():
    """(item, reason) of every row that a preparation left out."""

    def read(folder):
        path = Path(folder) / "dropped.tsv"
        if not path.exists():
            return set()
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        return {tuple(line.split("\t")[1:3]) for line in lines}

    return read


@pytest.fixture
def learnable(run):
    """Prove that a prepared corpus can be trained on: `check` passes, labels are made, the teacher reads no tags."""
    from fairseq_samu.data.concept_targets import ConceptTargets, require_plain
    from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
    from fairseq_samu.data.manifest import read_manifest

    def prove(output, *options):
        manifests = [output / f"{split}.tsv" for split in ("train", "valid", "test")]
        for command in (
            ("check", *manifests),
            ("prepare", "concept-labels", "--manifest", *manifests, "--output", output / "labels.txt", *options),
        ):
            code, _, err = run(*command)
            assert code == 0, err
        vocabulary = ConceptVocabulary.from_file(output / "labels.txt")
        if not options:
            for path in manifests:
                ConceptTargets(read_manifest(path), vocabulary).require_valid()
                require_plain(read_manifest(path), "src_text")
        return vocabulary.concepts

    return prove
