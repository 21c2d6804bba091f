"""Every option is described, read, free of collisions, and every registered name is where its name says."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from fairseq.dataclass import FairseqDataclass
from omegaconf import II

from tests.contract.options import (
    Registered,
    check_annotations,
    check_collisions,
    check_fields,
    check_names,
    find_reads,
    find_registered,
    host_options,
    own_fields,
)
from tests.contract.source_tree import Source, package_sources

REGISTERED = find_registered()
EACH = pytest.mark.parametrize("registered", REGISTERED, ids=lambda one: f"{one.kind}-{one.name}")


def test_something_is_registered_of_every_kind():
    assert {one.kind for one in REGISTERED} >= {"task", "model", "criterion"}


@EACH
def test_names_agree(registered):
    assert list(check_names(registered)) == []


@EACH
def test_options_are_described_and_false_by_default(registered):
    assert list(check_fields(registered.name, registered.options)) == []


@EACH
def test_every_option_is_read(registered):
    reads = find_reads(package_sources())
    assert [option.name for option in own_fields(registered.options) if option.name not in reads] == []


def test_no_option_has_the_name_of_another():
    assert list(check_collisions(REGISTERED, host_options())) == []


@pytest.mark.parametrize("source", package_sources(), ids=lambda source: source.path)
def test_the_host_understands_the_annotations(source):
    assert list(check_annotations(source)) == []


@dataclass
class PlantedConfig(FairseqDataclass):
    """Options that break each rule once."""

    described: int = field(default=1, metadata={"help": "an option"})
    silent: int = 0
    inverted: bool = field(default=True, metadata={"help": "a flag"})
    seed: int = II("common.seed")


# Classes of the tests count as the package's own here.
PlantedConfig.__module__ = "fairseq_samu.planted"


def test_planted_options_are_found():
    assert list(check_fields("planted", PlantedConfig)) == [
        "planted: the option `silent` has no help",
        "planted: the option `inverted` is a bool and must be False by default",
    ]


def register_planted(kind: str, name: str, **fields: Any) -> Registered:
    options = dataclass(type("Planted", (), {"__annotations__": dict.fromkeys(fields, int), **fields}))
    options.__module__ = "fairseq_samu.planted"
    return Registered(kind, name, SimpleNamespace, options)


def test_planted_collisions_are_found():
    task, model = register_planted("task", "a", same=1, own=2), register_planted("model", "b", same=3)
    assert list(check_collisions([task, model], set())) == ["`same` is an option of task a and of model b"]
    assert list(check_collisions([task], {"own"})) == ["`own` of task a is an option of the host's"]
    alternatives = [task, register_planted("task", "c", same=5), register_planted("model", "d", same="${task.same}")]
    assert list(check_collisions(alternatives, set())) == []


def test_planted_names_are_found():
    class Wrong:
        __module__ = "fairseq_samu.tasks.elsewhere"

    faults = list(check_names(Registered("task", "do_it", Wrong, PlantedConfig)))
    assert len(faults) == 3
    assert "must stand in do_it.py" in faults[0]
    assert "must be the class DoItTask" in faults[1]
    assert "must have its options in DoItConfig" in faults[2]


def test_reads_are_what_code_acts_on():
    text = """
def validate(cfg):
    return cfg.validated_only
def build(cfg, model):
    cfg.written = 1
    return cfg.read, self.cfg.read_too, getattr(cfg, "by_name"), model.unrelated
"""
    assert find_reads([Source("fairseq_samu/a.py", text)]) == {"read", "read_too", "by_name"}


@pytest.mark.parametrize(
    "text",
    [
        "from __future__ import annotations\nclass A(FairseqDataclass):\n    x: int = 1",
        "class A(FairseqDataclass):\n    x: int | None = None",
    ],
)
def test_planted_annotations_are_found(text):
    assert len(list(check_annotations(Source("fairseq_samu/a.py", text)))) == 1
