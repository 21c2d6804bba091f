"""The host's other entry, fairseq-hydra-train, drives the same training."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fairseq_samu.data.sentencepiece_training import SentencePieceOptions, train_sentencepiece
from tests.e2e.training import ENCODER, PROMPTS, ROOT, Corpus, environment, read_checkpoint

pytest.importorskip("fairseq", reason="training needs the host")

DECODER = {"dim": 24, "ffn_dim": 40, "num_layers": 2, "num_heads": 4, "max_positions": 200}


def train_by_hydra(folder: Path, sections: str, *overrides: str) -> dict[str, Any]:
    """Two updates as a configuration file and overrides say; what the last checkpoint holds."""
    (folder / "tiny.yaml").write_text(
        f"""# @package _group_
common: {{user_dir: {ROOT / "fairseq_samu"}, cpu: true, seed: 7, log_format: json}}
{sections}
optimizer: {{_name: adam}}
lr_scheduler: {{_name: fixed}}
dataset: {{batch_size: 4, num_workers: 0}}
optimization: {{lr: [0.001], max_update: 2}}
checkpoint: {{save_dir: {folder / "save"}}}
"""
    )
    code = "import sys\nfrom fairseq_cli.hydra_train import cli_main\nsys.exit(cli_main())"
    options = ["--config-dir", str(folder), "--config-name", "tiny", *overrides, f"hydra.run.dir={folder / 'hydra'}"]
    command = [sys.executable, "-c", code, *options]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    state = read_checkpoint(folder / "save" / "checkpoint_last.pt")
    assert state["optimizer_history"][-1]["num_updates"] == 2
    return state


def test_two_updates(corpus: Corpus, tmp_path: Path) -> None:
    data = f"data: {corpus.folder}, audio_root: {PROMPTS}, teacher_table: {corpus.folder / 'teacher'}"
    sections = f"""task: {{_name: samu_distill, {data}}}
model: {{_name: samu_xlsr, encoder_config: '{json.dumps(ENCODER)}'}}
criterion: {{_name: cosine_kd}}"""
    state = train_by_hydra(tmp_path, sections, "+model.num_pooling_heads=2", "+criterion.kd_scale=10")
    assert state["cfg"]["criterion"]["kd_scale"] == 10


def test_two_updates_of_a_decoder(corpus: Corpus, tmp_path: Path) -> None:
    texts = [row.src_text or "" for row in corpus.rows["train"]]
    pieces = tmp_path / "pieces.model"
    pieces.write_bytes(train_sentencepiece(texts, SentencePieceOptions(size=40, model_type="char")))
    data = f"data: {corpus.folder}, audio_root: {PROMPTS}, sentencepiece_model: {pieces}"
    sections = f"""task: {{_name: multitask_st, tasks: asr, {data}}}
model: {{_name: samu_xlsr_mbart, encoder_config: '{json.dumps(ENCODER)}', decoder_config: '{json.dumps(DECODER)}'}}
criterion: {{_name: ctc_ce}}"""
    state = train_by_hydra(tmp_path, sections, "+model.adapter_dim=8", "+criterion.label_smoothing=0.3")
    assert state["cfg"]["criterion"]["label_smoothing"] == 0.3
    assert "encoder.encoder.layers.0.ffn_adapter.up.bias" in state["model"]
    assert "vocabulary" in state["task_state"]
