"""What fairseq-train leaves is used from Python without anything else of the training run."""

import math
import re
from pathlib import Path

import pytest

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.manifest import Row, read_manifest
from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.speech_translator import SpeechTranslator
from tests.e2e.training import PROMPTS, run
from tests.e2e.translation import (
    LANGUAGES,
    MAX_TOKENS,
    generate,
    make_translation_corpus,
    move_to_another_machine,
    translation_command,
)

pytest.importorskip("transformers", reason="the initial files are saved by it")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a few updates, with a trimmed vocabulary, beside the manifest `test.tsv` and nothing else."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "corpus").mkdir()
    corpus = make_translation_corpus(folder / "corpus", {"train": 12, "valid": 3, "test": 6})
    # The whole decoder is tuned, so that a few updates teach the model to write something.
    options = {"max_update": 40, "lr": 0.003, "tuned_groups": "encoder_adapters,decoder", "decoder_dropout": 0.0}
    run(translation_command(corpus, folder / "save", **options, trim_vocabulary="train.tsv,valid.tsv"))
    return move_to_another_machine(corpus, folder / "save" / "checkpoint_last.pt", folder / "elsewhere")


@pytest.fixture(scope="module")
def rows(checkpoint: Path) -> list[Row]:
    return list(read_manifest(checkpoint.parent / "test.tsv"))


def test_files_are_translated_as_fairseq_generate_does(checkpoint: Path, rows: list[Row]):
    printed = generate(checkpoint.parent, checkpoint, nbest=5)
    expected: dict[int, list[tuple[float, str]]] = {index: [] for index in range(len(rows))}
    for row, score, text in re.findall(r"^D-(\d+)\t(\S+)\t(.*)$", printed, re.MULTILINE):
        expected[int(row)].append((float(score), text))
    translator = SpeechTranslator.load(checkpoint, root=PROMPTS, max_tokens=MAX_TOKENS)
    languages = [row.tgt_lang or "" for row in rows]
    assert set(languages) == set(LANGUAGES)
    found = translator.translate_segments([row.audio for row in rows], languages, nbest=5)
    for index, [segment] in enumerate(found):
        assert [one.text for one in segment.hypotheses] == [text for _, text in expected[index]]
        scores = [one.score / math.log(2) for one in segment.hypotheses]
        assert scores == pytest.approx([score for score, _ in expected[index]], rel=1e-3)
    assert len({one.text for [segment] in found for one in segment.hypotheses}) > 5
    best = [segment.text for [segment] in found]
    assert translator.translate([row.audio for row in rows], languages) == best


def test_files_and_waves_give_the_same_text(checkpoint: Path, rows: list[Row]):
    translator = SpeechTranslator.load(checkpoint, root=PROMPTS, max_tokens=MAX_TOKENS)
    specs = [row.audio for row in rows]
    texts = translator.translate(specs, "fr")
    assert translator.translate([read_audio(spec, PROMPTS) for spec in specs], "fr_XX") == texts
    with pytest.raises(ConfigError, match="de"):
        translator.translate(specs, "de")
