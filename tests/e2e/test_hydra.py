"""The host's other entry, fairseq-hydra-train, drives the same training."""

import json
import subprocess
import sys

import pytest

from tests.e2e.training import ENCODER, PROMPTS, ROOT, environment, read_checkpoint

pytest.importorskip("fairseq", reason="training needs the host")


def test_two_updates(corpus, tmp_path):
    (tmp_path / "tiny.yaml").write_text(
        f"""# @package _group_
common: {{user_dir: {ROOT / "fairseq_samu"}, cpu: true, seed: 7, log_format: json}}
task: {{_name: samu_distill, data: {corpus.folder}, audio_root: {PROMPTS}, teacher_table: {corpus.folder / "teacher"}}}
model: {{_name: samu_xlsr, encoder_config: '{json.dumps(ENCODER)}'}}
criterion: {{_name: cosine_kd}}
optimizer: {{_name: adam}}
lr_scheduler: {{_name: fixed}}
dataset: {{batch_size: 4, num_workers: 0}}
optimization: {{lr: [0.001], max_update: 2}}
checkpoint: {{save_dir: {tmp_path / "save"}}}
"""
    )
    code = "import sys\nfrom fairseq_cli.hydra_train import cli_main\nsys.exit(cli_main())"
    overrides = ["+model.num_pooling_heads=2", "+criterion.kd_scale=10", f"hydra.run.dir={tmp_path / 'hydra'}"]
    command = [sys.executable, "-c", code, "--config-dir", str(tmp_path), "--config-name", "tiny", *overrides]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    state = read_checkpoint(tmp_path / "save" / "checkpoint_last.pt")
    assert state["optimizer_history"][-1]["num_updates"] == 2
    assert state["cfg"]["criterion"]["kd_scale"] == 10
