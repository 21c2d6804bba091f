"""Tuned parameters, sent alone and merged with the pre-trained files on the other side, decode as the whole did."""

from pathlib import Path

import pytest

from fairseq_samu.cli.main import main
from tests.e2e.training import run
from tests.e2e.translation import generate, make_translation_corpus, translation_command

pytest.importorskip("transformers", reason="writes the initial files")


def hypotheses(output: str) -> list[str]:
    """Lines of the host's output with scores and texts."""
    lines = [line for line in output.splitlines() if line.startswith(("D-", "H-"))]
    assert lines
    return lines


@pytest.mark.slow
def test_merged_with_the_pretrained_files(tmp_path: Path) -> None:
    corpus = make_translation_corpus(tmp_path, {"train": 12, "valid": 4, "test": 5})
    options = {"max_update": 6, "lr": 0.01, "trim_vocabulary": "train.tsv,valid.tsv", "added_languages": "be=ru"}
    groups = "encoder_adapters,cross_attention,layer_norms,added_tags"
    run(translation_command(corpus, tmp_path / "run", tuned_groups=groups, **options))
    checkpoint = tmp_path / "run" / "checkpoint_last.pt"
    tuned, merged = tmp_path / "tuned.safetensors", tmp_path / "merged.pt"
    assert main(["adapters", "extract", str(checkpoint), "--output", str(tuned)]) == 0
    base = ["--base-encoder", str(corpus.encoder), "--base-decoder", str(corpus.decoder)]
    assert main(["adapters", "merge", str(tuned), *base, "--output", str(merged)]) == 0
    assert hypotheses(generate(tmp_path, merged)) == hypotheses(generate(tmp_path, checkpoint))
    assert tuned.stat().st_size < merged.stat().st_size < checkpoint.stat().st_size
