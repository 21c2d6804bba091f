"""What the criterion of several tasks refuses: options that cannot work, and batches that lack what a task needs."""

import pytest

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.errors import ConfigError, ManifestError
from tests.unit.criterions.spelling_model import SpellingModel, joint, make_criterion, silence, speech, text

ST = {"heard": [silence(2)], "written": [[6]]}


def st_batch():
    return speech("st", said=[[4]], **ST)


def test_texts_that_are_missing_are_named():
    for task, options in (("st", {}), ("asr", {})):
        bare = speech(task, [silence(2)], [[4]], None)
        with pytest.raises(ManifestError, match="transcript"):
            make_criterion(task, **options)(SpellingModel(), joint(**{task: bare}))
    untranslated = st_batch() | {"target": None}
    with pytest.raises(ManifestError, match="target of st"):
        make_criterion("st")(SpellingModel(), joint(st=untranslated))


@pytest.mark.parametrize("tasks", ["st,mt", "st,asr,mt", "st,asr", "mt,st"])
def test_several_tasks_need_joint_batches(tasks):
    with pytest.raises(ConfigError, match=r"`joint_tasks` must be set where there are several.*Add --joint-tasks"):
        make_criterion(tasks, joint_tasks=False)


@pytest.mark.parametrize(("task", "options"), [("st", {}), ("asr", {}), ("asr", {"auxiliary_share": 0.0})])
def test_what_learns_from_transcripts_needs_batches_that_have_them(task, options):
    with pytest.raises(ConfigError, match=rf"`joint_tasks` must be set where {task} learns.*Add --joint-tasks"):
        make_criterion(task, joint_tasks=False, **options)


def test_one_task_without_transcripts_needs_no_joint_batches():
    bare = speech("st", said=None, **ST)
    given = {"alignment_weight": 0.0, "auxiliary_share": 0.0}
    alone = make_criterion("st", joint_tasks=False, **given)(SpellingModel(), bare)
    joined = make_criterion("st", **given)(SpellingModel(), joint(st=st_batch()))
    assert alone[0].item() == joined[0].item() > 0
    make_criterion("mt", joint_tasks=False)(SpellingModel(), text([[5]], [[6]]))


def test_a_manifest_without_transcripts_is_named_with_its_mends():
    bare = speech("st", [silence(2)], [[4]], None)
    with pytest.raises(ManifestError, match=r"column src_text, with --joint-tasks; or set --auxiliary-share 0"):
        make_criterion("st")(SpellingModel(), joint(st=bare))


def test_transcripts_are_not_decoded_from_rows_of_st():
    with pytest.raises(ConfigError, match=r"`asr_ce_weight` must be 0 with shared_asr.*0\.5"):
        make_criterion(shared_asr=True, asr_ce_weight=0.5)
    make_criterion(asr_ce_weight=0.5)


def test_options_that_cannot_work_are_named_together():
    with pytest.raises(ConfigError, match=r"(?s)`weight_interval`.*`label_smoothing`.*`alignment_temperature`"):
        make_criterion(weight_interval=0, label_smoothing=1.0, alignment_temperature=0.0)
