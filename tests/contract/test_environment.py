"""The scripts that make the environment: what they install, when they do nothing, how they recover. No network is used.

A stand-in for Python notes what it is asked to do, so that an installation takes no time here; `tests/run.sh` itself is
the test of the real one.
"""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

from tests.contract.source_tree import ROOT

FAKE_PYTHON = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$SAMU_TEST_NOTES"
case "$*" in
    *'-m venv'*) mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python" && : >"${!#}/bin/activate" ;;
    *'pip install'*) exit "${SAMU_TEST_PIP:-0}" ;;
    *'import torchaudio'*) exit "${SAMU_TEST_TORCHAUDIO:-0}" ;;
    *version_info*) exit "${SAMU_TEST_UNFIT:-0}" ;;
    --version) echo Python 3.11.0 ;;
esac
"""


class Clone:
    """A copy of what the scripts read, with a stand-in for Python in front of the path."""

    def __init__(self, folder: Path) -> None:
        self.root, self.notes = folder / "clone", folder / "notes"
        (self.root / "examples").mkdir(parents=True)
        (folder / "bin").mkdir()
        for name in ("setup.py", "constraints.txt", "examples/environment.sh"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("python3.11", "python3.12", "python3", "python"):
            path = folder / "bin" / name
            path.write_text(FAKE_PYTHON)
            path.chmod(0o755)
        self.environment = {"PATH": f"{folder}/bin:/usr/bin:/bin", "SAMU_TEST_NOTES": str(self.notes)}

    def run(self, extras: str = "dev", expect: int = 0, **environment: str) -> tuple[str, list[str]]:
        """Make the environment; give back what was said, and what Python was asked for beside questions."""
        self.notes.write_text("")
        script = f"set -euo pipefail; source examples/environment.sh; samu_environment {extras}"
        variables = {**self.environment, **environment}
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.root, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == expect, done.stderr
        asked = [line for line in self.notes.read_text().splitlines() if line.startswith("-m")]
        return done.stderr, asked


@pytest.fixture
def clone(tmp_path):
    """A clone in which no environment was made yet."""
    return Clone(tmp_path)


def test_the_first_run_makes_an_environment_and_installs_with_the_pins(clone):
    said, asked = clone.run()
    assert "Making the virtual environment .venv" in said
    assert asked[0] == f"-m venv --clear {clone.root}/.venv"
    assert asked[-1].startswith(f"-m pip install --constraint {clone.root}/constraints.txt")
    assert asked[-1].endswith(f"--editable {clone.root}[dev]")


def test_the_second_run_does_nothing(clone):
    clone.run()
    said, asked = clone.run()
    assert "Using the virtual environment .venv" in said
    assert asked == []


@pytest.mark.parametrize("name", ["setup.py", "constraints.txt"])
def test_changed_pins_are_installed_into_the_same_environment(clone, name):
    clone.run()
    with (clone.root / name).open("a") as changed:
        changed.write("# changed\n")
    _, asked = clone.run()
    assert [line.split()[1] for line in asked] == ["pip"]


def test_other_extras_are_installed_beside(clone):
    clone.run("dev")
    _, asked = clone.run("quickstart")
    assert [line.split()[-1] for line in asked] == [f"{clone.root}[quickstart]"]
    assert clone.run("dev")[1] == []


def test_a_failed_or_killed_installation_begins_anew(clone):
    said, _ = clone.run(expect=1, SAMU_TEST_PIP="1")
    assert "The installation failed" in said
    said, asked = clone.run()
    assert "incomplete" in said
    assert asked[0] == f"-m venv --clear {clone.root}/.venv"
    assert clone.run()[1] == []


def test_a_moved_clone_gets_a_new_environment(clone):
    clone.run()
    clone.root = clone.root.rename(clone.root.with_name("moved"))
    said, asked = clone.run()
    assert "was moved" in said
    assert asked[0] == f"-m venv --clear {clone.root}/.venv"


def test_an_active_environment_is_used_and_kept(clone, tmp_path):
    active = tmp_path / "active" / "bin"
    active.mkdir(parents=True)
    shutil.copy(tmp_path / "bin" / "python", active / "python")
    said, asked = clone.run(VIRTUAL_ENV=str(active.parent))
    assert f"Using the active virtual environment {active.parent}" in said
    assert [line.split()[1] for line in asked] == ["pip"]
    assert not (clone.root / ".venv").exists()
    assert clone.run(VIRTUAL_ENV=str(active.parent))[1] == []
    said, _ = clone.run(expect=1, VIRTUAL_ENV=str(active.parent), SAMU_TEST_UNFIT="1")
    assert "not 3.11 or 3.12" in said


def test_a_torchaudio_that_does_not_import_is_removed(clone):
    assert clone.run(SAMU_TEST_TORCHAUDIO="1")[1][-1] == "-m pip uninstall --quiet --yes torchaudio"


def test_without_a_fitting_python_it_says_what_to_install(clone):
    said, _ = clone.run(expect=1, SAMU_TEST_UNFIT="1")
    assert "No Python 3.11 or 3.12" in said
    said, _ = clone.run(expect=1, SAMU_TEST_UNFIT="1", PYTHON="python")
    assert "PYTHON=python is not a Python 3.11 or 3.12" in said


@pytest.mark.parametrize("script", ["examples/environment.sh", "tests/run.sh", ".ci/run"])
def test_scripts_are_well_formed(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_the_checks_are_linter_types_and_tests():
    done = subprocess.run(
        ["bash", ROOT / ".ci/run"],
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "SAMU_DRY_RUN": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    programs = [line.split()[1] for line in done.stdout.splitlines()]
    assert programs == ["ruff", "ruff", "mypy", "python"]


@pytest.mark.parametrize(
    ("machine", "fits"),
    [
        ({"sys_platform": "linux", "platform_machine": "x86_64", "implementation_name": "cpython"}, True),
        ({"sys_platform": "linux", "platform_machine": "aarch64", "implementation_name": "cpython"}, False),
        ({"sys_platform": "linux", "platform_machine": "x86_64", "implementation_name": "pypy"}, False),
        ({"sys_platform": "darwin", "platform_machine": "arm64", "implementation_name": "cpython"}, False),
    ],
)
def test_each_machine_gets_exactly_one_host(machine, fits):
    tree = ast.parse((ROOT / "setup.py").read_text())
    values = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    for name, expected in [("WHEELS_FIT", fits), ("WHEELS_DO_NOT_FIT", not fits)]:
        assert Marker(ast.literal_eval(values[name])).evaluate(machine) == expected


def test_every_pin_is_exact_and_every_requirement_pinned():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if "==" not in line or "+" in line.partition(";")[0]] == []
    pinned = {line.partition("==")[0].lower() for line in lines}
    setup = (ROOT / "setup.py").read_text()
    asked = {"torch", "numpy", "soundfile", "soxr", "sentencepiece", "sacrebleu", "editdistance", "safetensors", "tqdm"}
    asked |= {"langcodes"}
    assert asked | {"pyyaml", "ve-fairseq", "fairseq-fixed", "pytest", "hypothesis", "ruff", "mypy"} <= pinned
    assert all(f'"{name}' in setup for name in asked)
