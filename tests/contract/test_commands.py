"""Every command that a recipe runs or a document shows is understood by the program that it names."""

import pytest

from tests.contract.commands import (
    check_command,
    documented_commands,
    documents,
    dry_run,
    one_of_each,
    recipe_scripts,
)
from tests.contract.source_tree import ROOT

SYSTEM = ["--task", "samu_distill", "--arch", "samu_xlsr", "--criterion", "cosine_kd"]
TRAIN = ["fairseq-train", "data", *SYSTEM, "--max-tokens", "1000000"]
CONFIG = """# @package _global_
task: {_name: samu_distill, data: data}
model: {_name: samu_xlsr}
criterion: {_name: cosine_kd, kd_scale: 10}
optimizer: {_name: adam}
lr_scheduler: {_name: fixed}
"""


@pytest.mark.parametrize("script", recipe_scripts())
def test_commands_of_recipes_are_understood(script, monkeypatch, capsys):
    commands = dry_run(script)
    assert commands, "under SAMU_DRY_RUN=1 it prints no command; it must run them through samu_run"
    faults = [fault for fault in map(check_command, one_of_each(commands)) if fault]
    assert faults == [], capsys.readouterr().err


@pytest.mark.parametrize("document", documents())
def test_commands_of_documents_are_understood(document, capsys):
    commands = documented_commands((ROOT / document).read_text("utf-8"))
    faults = [fault for fault in map(check_command, commands) if fault]
    assert faults == [], capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        TRAIN,
        [*TRAIN, "--user-dir", "fairseq_samu", "--kd-scale", "20", "--lr", "0.001", "--optimizer", "adam"],
        ["fairseq-samu", "doctor", "--json", "-"],
        ["fairseq-samu", "--version"],
        ["tests/run.sh", "-k", "manifest"],
        ["bash", "tests/run.sh"],
        ["pip", "install", "-e", ".[dev,quickstart]"],
        ["make", "test"],
        ["ls", "--not-ours"],
        ["fairseq-train", "..."],
    ],
    ids=" ".join,
)
def test_right_commands_pass(words):
    assert check_command(words) == ""


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([*TRAIN, "--no-such-option", "1"], "does not parse"),
        ([*TRAIN, "--kd-scal", "20"], "does not parse"),
        ([*TRAIN, "--kd-scale", "much"], "does not parse"),
        (["fairseq-train", "data", "--task", "no_such_task"], "does not parse"),
        (["fairseq-generate", "data", "--no-such-option"], "does not parse"),
        (["fairseq-samu", "levitate"], "no verb levitate"),
        (["fairseq-samu", "doctor", "--no-such-option"], "does not parse"),
        (["examples/absent/run.sh"], "no script"),
        (["./setup.py"], "no script"),
        (["bash", "examples/absent/run.sh"], "no script"),
        (["pip", "install", ".[dev,absent]"], "no extra absent"),
        (["make", "test", "coffee"], "no target coffee"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_commands_are_found(words, fault):
    assert fault in check_command(words)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("optimization.max_update=5", ""),
        ("criterion.kd_scale=5", ""),
        ("+task.min_audio_seconds=1", ""),
        ("optimization.no_such_option=5", "does not parse"),
        ("task=no_such_task", "does not parse"),
    ],
)
def test_hydra_commands_are_composed(tmp_path, override, fault):
    (tmp_path / "planted.yaml").write_text(CONFIG)
    words = ["fairseq-hydra-train", "--config-dir", str(tmp_path), "--config-name", "planted", override]
    assert fault in check_command(words)
    assert bool(check_command(words)) == bool(fault)


def test_commands_are_found_in_documents():
    text = """Say `not a block`.
```python
not = "shell"
```
```bash
# a comment
A=1 fairseq-train data \\
    --lr 1  # slow
cd x && make test
```
```console
$ fairseq-samu check a.tsv
a.tsv: 3 rows
```
"""
    assert documented_commands(text) == [
        ["fairseq-train", "data", "--lr", "1"],
        ["cd", "x"],
        ["make", "test"],
        ["fairseq-samu", "check", "a.tsv"],
    ]


def test_a_recipe_prints_its_commands_instead_of_running_them(tmp_path):
    script = tmp_path / "run.sh"
    script.write_text(
        f'source "{ROOT}/examples/environment.sh"\nsamu_environment quickstart\nsamu_say hello\n'
        f'samu_run touch "{tmp_path}/a file"\nsamu_run fairseq-train "it\'s" --flag\n'
    )
    assert dry_run(script) == [["touch", f"{tmp_path}/a file"], ["fairseq-train", "it's", "--flag"]]
    assert not (tmp_path / "a file").exists()
