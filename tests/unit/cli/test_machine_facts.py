"""Looking at the machine: real installations in a temporary folder, and this machine itself."""

import hashlib
import sys

from fairseq_samu.cli import machine_facts
from fairseq_samu.cli.machine_facts import find_damaged_files, find_import_faults, find_unmet, gather_facts


def install_fake(folder, name: str, version: str, files: dict[str, bytes]) -> None:
    """Lay a distribution out as an installer does."""
    records = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    records.mkdir()
    (records / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for inside, contents in files.items():
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)


def test_import_faults_hold_the_error_of_what_raises(tmp_path, monkeypatch):
    (tmp_path / "samu_broken_probe.py").write_text("raise ValueError('mutable default\\nsecond line')")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_import_faults(["json", "samu_broken_probe", "samu_absent_probe"]) == {
        "samu_broken_probe": "ValueError: mutable default",
        "samu_absent_probe": "ModuleNotFoundError: No module named 'samu_absent_probe'",
    }


def test_names_of_distributions_are_compared_as_the_registry_does(tmp_path, monkeypatch):
    install_fake(tmp_path, "Samu_Probe.Dist", "1.5", {})
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert machine_facts.installed_versions() == {"samu-probe-dist": "1.5"}


def test_weights_are_compared_by_hash_and_absent_packages_passed_over(tmp_path, monkeypatch):
    install_fake(tmp_path, "samu-probe", "1.0", {"samu_probe/good.bin": b"weights", "samu_probe/bad.bin": b"others"})
    monkeypatch.syspath_prepend(tmp_path)
    digest = hashlib.sha256(b"weights").hexdigest()
    whole = {"samu_probe/good.bin": digest}
    assert find_damaged_files({"samu-probe": whole, "samu-absent": {"x": digest}}) == {}
    for inside in ("samu_probe/bad.bin", "samu_probe/missing.bin"):
        assert find_damaged_files({"samu-probe": {**whole, inside: digest}}) == {"samu-probe": inside}


def test_unmet_requirements_are_those_that_apply_here(monkeypatch):
    asked = ["numpy>=1.26", "torch>=2.4", "tqdm>=4", "absent>=1", "ve-fairseq==1 ; sys_platform == 'nowhere'"]
    monkeypatch.setattr(machine_facts.metadata, "requires", lambda name: asked)
    versions = {"numpy": "1.20", "torch": "2.13.0+cpu", "tqdm": "3.0rc1", "ve-fairseq": "2"}
    assert find_unmet(versions) == {"numpy": ">=1.26", "tqdm": ">=4"}


def test_this_machine_can_be_looked_at():
    facts = gather_facts()
    assert facts.python == sys.version_info[:3]
    assert not {"torch", "fairseq", *machine_facts.REQUIRED} & set(facts.import_faults)
    assert facts.register_fault == ""
    assert "samu_distill" in facts.registered["task"]
    assert facts.num_cores >= 1
    assert facts.disk_bytes > 0
