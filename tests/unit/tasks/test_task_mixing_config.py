"""Options about several tasks and corpora: what they say, and all that is wrong with them in one report."""

from types import SimpleNamespace

import pytest

pytest.importorskip("fairseq", reason="the options are the host's kind")

from fairseq_samu.errors import ConfigError
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, parse_tasks, validate
from fairseq_samu.tasks._task_mixing_config import (
    manifests_of_task,
    parse_extra_manifests,
    parse_task_ratios,
    reads_speech,
)


@pytest.fixture
def make(tmp_path):
    (tmp_path / "extra.tsv").touch()

    def build(**options):
        defaults = MultitaskStConfig()
        return SimpleNamespace(**{**vars(defaults), "data": str(tmp_path), **options})

    return build


def faults_of(cfg):
    with pytest.raises(ConfigError) as caught:
        validate(cfg)
    return str(caught.value).splitlines()


def test_tasks_and_what_they_read():
    assert parse_tasks("st, asr,mt") == ["st", "asr", "mt"]
    assert [reads_speech(task) for task in ("st", "asr", "mt")] == [True, True, False]


def test_pairs_are_read():
    assert parse_extra_manifests("asr=a/b.tsv, mt=c=d.tsv,asr=e.tsv") == [
        ("asr", "a/b.tsv"),
        ("mt", "c=d.tsv"),
        ("asr", "e.tsv"),
    ]
    assert parse_task_ratios("asr=0.5,mt=2") == {"asr": 0.5, "mt": 2.0}
    assert parse_extra_manifests("") == []
    assert parse_task_ratios("") == {}


@pytest.mark.parametrize("text", ["asr", "asr=", "asr=x", "asr=0", "asr=-1", "asr=inf", "asr=nan", "asr=1,asr=2"])
def test_a_ratio_is_a_positive_number_for_one_task(text):
    with pytest.raises(ConfigError, match="`task_ratios` must be"):
        parse_task_ratios(text)


def test_manifests_of_a_task_begin_with_that_of_the_split(make, tmp_path):
    cfg = make(extra_manifests="asr=x/train.tsv,mt=y.tsv,asr=/z.tsv")
    names = [str(path) for path in manifests_of_task(cfg, "asr", "train_clean")]
    assert names == [str(tmp_path / "train_clean.tsv"), str(tmp_path / "x/train.tsv"), "/z.tsv"]
    assert manifests_of_task(cfg, "asr", "valid") == [tmp_path / "valid.tsv"]
    assert manifests_of_task(cfg, "st", "train") == [tmp_path / "train.tsv"]


def test_what_works_is_let_through(make):
    validate(make())
    validate(make(tasks="mt", source_noise_prob=0.1))
    options = {"extra_manifests": "mt=extra.tsv", "task_ratios": "asr=0.5", "corpus_temperature": 5.0}
    validate(make(tasks="st,asr,mt", joint_tasks=True, source_noise_prob=0.1, feature_cache="cache", **options))


def test_all_faults_come_in_one_report(make):
    wrong = {"source_noise_prob": 1.5, "source_noise_share": -0.1, "corpus_temperature": 0.0, "max_text_tokens": 0}
    cfg = make(tasks="st,asr", extra_manifests="mt=extra.tsv,asr=none.tsv", task_ratios="st=1,mt=1", **wrong)
    faults = faults_of(cfg)
    expected = [
        "`extra_manifests` must be for tasks of --tasks, st, asr, but is 'mt'",
        "`extra_manifests` must be manifests, but is 'none.tsv'",
        "`task_ratios` must be for other tasks than the main one: asr, but is 'st'",
        "`task_ratios` must be for other tasks than the main one: asr, but is 'mt'",
        "`task_ratios` must be used with joint_tasks",
        "`source_noise_prob` must be 0 without the task mt",
        "`source_noise_prob` must be a probability",
        "`source_noise_share` must be between 0 and 1",
        "`corpus_temperature` must be positive",
        "`max_text_tokens` must be positive",
    ]
    assert len(faults) == len(expected)
    for start, fault in zip(expected, faults, strict=True):
        assert fault.startswith(f"multitask_st: {start}")


def test_lists_that_cannot_be_read_are_in_the_same_report(make):
    faults = faults_of(make(tasks="st", added_languages="be", extra_manifests="mt", task_ratios="mt"))
    assert [fault.split("`")[1] for fault in faults] == ["added_languages", "extra_manifests", "task_ratios"]
    assert [fault.split("`")[1] for fault in faults_of(make(tasks="st,st", added_languages="be"))] == [
        "added_languages",
        "tasks",
    ]


def test_speech_comes_first_in_joint_batches_and_is_what_a_cache_holds(make):
    (fault,) = faults_of(make(tasks="mt,st", joint_tasks=True))
    assert "`joint_tasks` must be used with a main task that reads speech, but is 'mt, st'" in fault
    (fault,) = faults_of(make(tasks="mt", feature_cache="cache"))
    assert "`feature_cache` must be left out where no speech is read" in fault


def test_recognition_shares_the_speech_of_translation_alone(make):
    validate(make(tasks="st,asr", joint_tasks=True, shared_asr=True))
    options = {"extra_manifests": "st=extra.tsv,mt=extra.tsv", "task_ratios": "mt=2", "joint_tasks": True}
    validate(make(tasks="st,mt,asr", shared_asr=True, **options))


@pytest.mark.parametrize(
    ("tasks", "joint", "told"),
    [
        ("st,asr", False, "st, asr, not joint"),
        ("asr,mt", True, "asr, mt, joint"),
        ("asr,st", True, "asr, st, joint"),
        ("st,mt", True, "st, mt, joint"),
    ],
)
def test_speech_that_recognition_cannot_share_is_refused(make, tasks, joint, told):
    (fault,) = faults_of(make(tasks=tasks, joint_tasks=joint, shared_asr=True))
    expected = f"`shared_asr` must be used in joint batches of st with asr beside it, but is '{told}' instead"
    assert expected in fault


def test_rows_that_sharing_would_pass_over_are_refused(make):
    options = {"extra_manifests": "asr=extra.tsv", "task_ratios": "mt=2,asr=0.5"}
    faults = faults_of(make(tasks="st,asr,mt", joint_tasks=True, shared_asr=True, **options))
    rule = "must be without asr where it has no rows but those of st, but is"
    assert [fault.split(" instead")[0] for fault in faults] == [
        f"multitask_st: `extra_manifests` {rule} 'asr=extra.tsv'",
        f"multitask_st: `task_ratios` {rule} 'mt=2,asr=0.5'",
    ]
