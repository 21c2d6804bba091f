"""The doctor's command line: text, JSON and exit code."""

import json

import pytest

from fairseq_samu.cli import doctor
from fairseq_samu.cli.machine_findings import Finding, Status
from fairseq_samu.cli.main import main

FINE = Finding("Python", Status.OK, "3.11.7")
BROKEN = Finding("torch", Status.BROKEN, "not installed", "`pip install torch`")


@pytest.fixture
def findings(monkeypatch):
    """Findings that the doctor will come to, whatever machine this is."""
    listed = [FINE]
    monkeypatch.setattr(doctor, "gather_facts", lambda: None)
    monkeypatch.setattr(doctor, "judge", lambda facts, wanted_device: listed)
    return listed


def test_text_shows_the_mend_below_what_is_broken(findings, capsys):
    findings.append(BROKEN)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok      Python  3.11.7",
        "broken  torch   not installed",
        "                -> `pip install torch`",
        "",
        "Not usable: torch.",
    ]


def test_usable_exits_with_zero(findings, capsys):
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("\nEverything that is needed works.\n")


def test_json_to_the_output_is_all_that_is_written_there(findings, capsys):
    findings.append(BROKEN)
    assert main(["doctor", "--json", "-"]) == 1
    written = json.loads(capsys.readouterr().out)
    assert written["usable"] is False
    assert written["findings"][1] == {
        "item": "torch",
        "status": "broken",
        "says": "not installed",
        "mend": "`pip install torch`",
    }


def test_json_to_a_file_leaves_the_text(findings, capsys, tmp_path):
    assert main(["doctor", "--json", str(tmp_path / "doctor.json")]) == 0
    assert json.loads((tmp_path / "doctor.json").read_text())["usable"] is True
    assert "Python" in capsys.readouterr().out


def test_an_unwritable_json_file_is_the_inputs_fault(findings, capsys, tmp_path):
    assert main(["doctor", "--json", str(tmp_path / "absent" / "doctor.json")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
