"""From a published layout to scores: prepare a corpus and its pieces, train, decode, score."""

import json
import math

import numpy as np
import pytest
import soundfile

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import read_manifest
from tests.e2e.training import Corpus, run, train_command
from tests.e2e.translation import generate

SPOKEN = ("fr", "ca", "cy")  # mBART-50 has no tag for the last two; who translates out of them needs none
DECODER = {"dim": 24, "ffn_dim": 40, "num_layers": 2, "num_heads": 4, "max_positions": 60}


@pytest.fixture
def source(tmp_path):
    """12 clips a language: tones of half a second, 4 of them for testing and 2 for validation."""
    folder = tmp_path / "published"
    for at, lang in enumerate(SPOKEN):
        (folder / lang / "clips").mkdir(parents=True)
        clips, table = ["client_id\tpath\tsentence"], ["path\ttranslation\tsplit"]
        for number in range(12):
            wave = 0.3 * np.sin(2 * math.pi * (150 + 40 * number + 500 * at) * np.arange(8000) / 16000)
            soundfile.write(folder / lang / f"clips/{number}.mp3", wave.astype(np.float32), 16000)
            clips.append(f"s{number}\t{number}.mp3\tfrase {lang} {number}")
            split = "test" if number < 4 else "dev" if number < 6 else "train"
            table.append(f"{number}.mp3\tSentence {number} of {lang}\t{split}")
        (folder / lang / "validated.tsv").write_text("\n".join(clips) + "\n")
        (folder / f"covost_v2.{lang}_en.tsv").write_text("\n".join(table) + "\n")
    return folder


@pytest.mark.slow
def test_a_prepared_corpus_is_trained_decoded_and_scored(tmp_path, source):
    data, model = tmp_path / "data", tmp_path / "model"
    prepare = ["prepare", "covost2", "--source", str(source), "--output", str(data), "--train-languages", "fr,ca"]
    assert main(prepare) == 0
    pieces = ["prepare", "sentencepiece", str(data / "train.tsv"), "--output", str(data), "--model-type", "bpe"]
    assert main([*pieces, "--size", "40"]) == 0
    options = {
        **{"task": "multitask_st", "arch": "samu_xlsr_mbart", "criterion": "ctc_ce", "teacher_table": None},
        **{"audio_root": None, "decoder_config": json.dumps(DECODER), "tuned_groups": "all", "max_update": 2},
    }
    run(train_command(Corpus(data), model, **options))
    output = generate(data, model / "checkpoint_last.pt", audio_root=data, results_path=tmp_path / "test", max_len_b=8)
    assert "Translated 12 sentences" in output
    hypotheses = tmp_path / "test/generate-test.txt"
    rows = {int(line[2:].split("\t")[0]) for line in hypotheses.read_text("utf-8").splitlines() if line[:2] == "D-"}
    assert rows == set(range(len(read_manifest(data / "test.tsv"))))
    score = ["score", "st", "--generate", str(hypotheses), "--manifest", str(data / "test.tsv"), "--resamples", "0"]
    assert main([*score, "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert {pair: values["rows"] for pair, values in scores["pairs"].items()} == {"fr-en": 4, "ca-en": 4, "cy-en": 4}
