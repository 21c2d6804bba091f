"""Recognition by decoder, head for CTC and language model, by the real command line: joint training, joint decoding."""

import json
from pathlib import Path

import pytest

from fairseq_samu.cli.main import main
from tests.e2e.joint_training import joint_command
from tests.e2e.training import logged, run
from tests.e2e.translation import TranslationCorpus, generate, make_translation_corpus, translation_command

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

JOINT = {
    "tasks": "asr",
    "criterion": "ctc_ce",
    "ctc_weight": 0.5,
    "max_update": 30,
    "lr": 0.005,
    "save_interval_updates": 30,
}
LANGUAGE_MODEL = {
    "task": "language_modeling",
    "arch": "transformer_lm",
    "decoder_layers": 1,
    "decoder_embed_dim": 32,
    "decoder_ffn_embed_dim": 64,
    "decoder_attention_heads": 2,
    "sample_break_mode": "complete",
    "tokens_per_sample": 60,
    "required_batch_size_multiple": 1,
    "optimizer": "adam",
    "lr": 0.01,
    "batch_size": 13,
    "max_update": 40,
    "no_epoch_checkpoints": True,
    "num_workers": 0,
    "cpu": True,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """26 rows to train on, 6 to validate, 13 to test, in five languages."""
    return make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"train": 26, "valid": 6, "test": 13})


@pytest.fixture(scope="module")
def recogniser(corpus: TranslationCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of samu_xlsr_mbart, trained by both losses."""
    folder = tmp_path_factory.mktemp("recogniser")
    tuned = "encoder,encoder_adapters,ctc_head,decoder"
    output = run(translation_command(corpus, folder, ctc_head=True, tuned_groups=tuned, **JOINT))
    for name in ("nll_loss", "ctc_loss"):
        losses = logged(output, name)
        assert losses[-1] < losses[0], name
    return folder / "checkpoint_last.pt"


def decode(corpus: TranslationCorpus, checkpoint: Path, **options: object) -> str:
    """What fairseq-generate prints for the test set."""
    return generate(corpus.folder, checkpoint, tasks="asr", **{"max_len_b": 20, **options})


def read_hypotheses(output: str) -> dict[int, tuple[float, str]]:
    """Score and pieces of every row; rows in = rows out."""
    lines = [line.split("\t") for line in output.splitlines() if line.startswith("H-")]
    found = {int(name[2:]): (float(score), text) for name, score, text in lines}
    assert sorted(found) == list(range(13))
    assert len(lines) == 13
    return found


def texts(output: str) -> dict[int, str]:
    """Pieces of every row."""
    return {row: text for row, (_, text) in read_hypotheses(output).items()}


def test_ctc_takes_part_in_a_greedy_search(corpus: TranslationCorpus, recogniser: Path) -> None:
    joint = decode(corpus, recogniser, beam=1, batch_size=5, ctc_decoding_weight=0.4)
    assert texts(joint) != texts(decode(corpus, recogniser, beam=1, batch_size=5))


def test_a_row_does_not_depend_on_the_others_of_its_batch(corpus: TranslationCorpus, recogniser: Path) -> None:
    together, alone = (
        read_hypotheses(decode(corpus, recogniser, beam=5, batch_size=size, ctc_decoding_weight=0.4)) for size in (5, 1)
    )
    for row, (score, text) in together.items():
        assert text == alone[row][1]
        assert score == pytest.approx(alone[row][0], abs=2e-4)


@pytest.fixture(scope="module")
def joint(corpus: TranslationCorpus, recogniser: Path) -> str:
    """What a joint search of two hypotheses prints."""
    return decode(corpus, recogniser, beam=2, ctc_decoding_weight=0.3)


def test_a_language_model_of_the_decoders_tokens(
    corpus: TranslationCorpus, recogniser: Path, joint: str, tmp_path: Path
) -> None:
    """Its texts are prepared from manifests and checkpoint, the host trains it, and its weight decides."""
    data = tmp_path / "lm"
    words = ["prepare", "lm-texts", "--checkpoint", recogniser, "--output", data, "--data", corpus.folder]
    words += ["--train", corpus.folder / "train.tsv", "--valid", corpus.folder / "valid.tsv"]
    assert main([str(word) for word in words]) == 0
    command = [str(data), "--save-dir", str(tmp_path / "save")]
    for name, value in LANGUAGE_MODEL.items():
        command += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    run(command)
    path = tmp_path / "save" / "checkpoint_last.pt"
    silent, loud = (
        decode(corpus, recogniser, beam=2, ctc_decoding_weight=0.3, lm_path=path, lm_weight=weight) for weight in (0, 2)
    )
    assert read_hypotheses(silent) == read_hypotheses(joint)
    assert texts(loud) != texts(joint)


def test_the_multitask_model_is_trained_and_decoded_so_too(corpus: TranslationCorpus, tmp_path: Path) -> None:
    """Its head for CTC stands in front of a compressor, and is the embedding of the decoder."""
    others = ("joint_tasks", "alignment_weight", "measure_interval", "weight_interval", "drop_below")
    options = {**JOINT, **dict.fromkeys(others), "max_update": 6, "save_interval_updates": 6}
    output = run(joint_command(corpus, tmp_path, **options))
    assert logged(output, "ctc_loss") and logged(output, "nll_loss")
    checkpoint = tmp_path / "checkpoint_last.pt"
    joint = decode(corpus, checkpoint, beam=3, batch_size=5, ctc_decoding_weight=0.5)
    assert texts(joint) != texts(decode(corpus, checkpoint, beam=3, batch_size=5))


def test_joint_hypotheses_are_scored(corpus: TranslationCorpus, joint: str, tmp_path: Path) -> None:
    (tmp_path / "generate.txt").write_text(joint, "utf-8")
    words = ["score", "asr", "--generate", tmp_path / "generate.txt", "--manifest", corpus.folder / "test.tsv"]
    assert main([str(word) for word in [*words, "--json", tmp_path / "scores.json"]]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text("utf-8"))
    assert scores["wer"] > 0 and scores["cer"] > 0 and scores["signature"]
