"""Losses of several tasks against literal values; what is not trained does not run; how a batch is cut is no matter."""

import math

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from tests.unit.criterions.spelling_model import (
    SpellingModel,
    joint,
    make_criterion,
    silence,
    speech,
    spelt,
    text,
)

E = math.e
CE = 3 * math.log(7 + E)  # [tag, piece, end] from silence: only the token before is any likelier
CE_TEXT = 3 * math.log(6 + 2 * E)  # from a text of one other piece, which is likelier too
CTC = math.log(64 / 3)  # one piece in two silent frames: 3 of 64 paths
ALIGNED = 2 * math.log(1 + 1 / E)  # two utterances, each right on its own text, at two levels


def st_batch(rows=1):
    return speech("st", [silence(2)] * rows, [[6]] * rows, [[4]] * rows)


def asr_batch(rows=1):
    return speech("asr", [silence(2)] * rows, [[4]] * rows, [[4]] * rows)


def mt_batch(rows=1):
    return text([[5]] * rows, [[6]] * rows)


def loss_of(criterion, sample, model=None, **given):
    loss, size, log = criterion(model or SpellingModel(), sample, **given)
    return loss if given else loss.item(), size, log


def test_translation_of_speech_is_cross_entropy_with_a_share_of_ctc():
    found, size, log = loss_of(make_criterion("st", alignment_weight=0.0), joint(st=st_batch()))
    assert found == pytest.approx(0.7 * CE + 0.3 * CTC, rel=1e-6)
    assert (size, log["sample_size"], log["num_target_tokens_st"]) == (3, 3, 3)
    assert log["ctc_loss"].item() == pytest.approx(CTC)
    assert log["nll_loss"].item() == pytest.approx(CE)
    plain, _, log = loss_of(make_criterion("st", auxiliary_share=0.0), joint(st=st_batch()))
    assert plain == pytest.approx(CE)
    assert log["ctc_loss"].item() == 0.0


def test_recognition_is_ctc_with_cross_entropy_where_it_is_asked_for():
    found, size, _ = loss_of(make_criterion("asr", alignment_weight=0.0), joint(asr=asr_batch()))
    assert (found, size) == (pytest.approx(CTC), 3)
    both, _, _ = loss_of(make_criterion("asr", alignment_weight=0.0, asr_ce_weight=0.5), joint(asr=asr_batch()))
    assert both == pytest.approx(CTC + 0.5 * CE)


def test_translation_of_text_is_cross_entropy():
    assert loss_of(make_criterion("mt"), joint(mt=mt_batch()))[:2] == (pytest.approx(CE_TEXT), 3)
    model = SpellingModel()
    loss_of(make_criterion("mt", label_smoothing=0.2), joint(mt=mt_batch()), model)
    assert model.calls == ["text and decode"]


def test_alignment_counts_each_token_of_the_transcript():
    batch = speech("asr", [spelt([4]), spelt([5, 5])], [[4], [5]], [[4], [5]])
    without, _, _ = loss_of(make_criterion("asr", alignment_weight=0.0), joint(asr=batch))
    found, _, log = loss_of(make_criterion("asr", alignment_weight=0.5), joint(asr=batch))
    assert found - without == pytest.approx(0.5 * 2 * ALIGNED, rel=1e-5)
    longer = speech("asr", [spelt([4, 0, 4]), spelt([5, 5])], [[4, 4], [5]], [[4, 4], [5]])
    longer["net_input"]["source"][0, 1] = 0.0  # still in the direction of its text
    _, _, log = loss_of(make_criterion("asr"), joint(asr=longer))
    assert log["alignment_loss"].item() == pytest.approx((2 + 1) * ALIGNED, rel=1e-5)
    assert log["num_transcript_tokens"] == 3


def test_tasks_are_summed_by_their_weights():
    criterion = make_criterion(asr_weight=0.5, mt_weight=0.25, alignment_weight=0.0)
    sample = joint(st=st_batch(), asr=asr_batch(2), mt=mt_batch(3))
    found, size, log = loss_of(criterion, sample)
    assert found == pytest.approx(0.7 * CE + 0.3 * CTC + 0.5 * 2 * CTC + 0.25 * 3 * CE_TEXT, rel=1e-6)
    assert size == 3  # of the main task
    assert [log[f"num_target_tokens_{task}"] for task in ("st", "asr", "mt")] == [3, 6, 9]
    assert log["loss_mt"].item() == pytest.approx(3 * CE_TEXT)  # before its weight
    rows = criterion(SpellingModel(), sample, reduce=False)[0]
    expected = [0.7 * CE + 0.3 * CTC, *[0.5 * CTC] * 2, *[0.25 * CE_TEXT] * 3]
    assert rows.tolist() == pytest.approx(expected, rel=1e-6)


def gradients(criterion, sample):
    model = SpellingModel(0.3, -0.4, 0.5)
    loss, _, _ = criterion(model, sample)
    loss.backward()
    found = [None if parameter.grad is None else parameter.grad.tolist() for parameter in model.parameters()]
    return loss.item(), found, model.calls


@pytest.mark.parametrize("left", ["asr", "mt"])
def test_weight_zero_removes_a_task_exactly(left):
    parts = {"st": st_batch(), "asr": asr_batch(2), "mt": mt_batch(3)}
    without = {task: batch for task, batch in parts.items() if task != left}
    found = gradients(make_criterion(**{f"{left}_weight": 0.0}), joint(**parts))
    assert found == gradients(make_criterion(), joint(**without))  # to the last bit, and without running it
    assert len(found[2]) == 2


def test_weight_zero_removes_a_term_exactly():
    sample = joint(st=st_batch(2))
    plain = gradients(make_criterion("st", auxiliary_share=0.0), sample)
    bare = speech("st", [silence(2)] * 2, [[6]] * 2, None)
    assert gradients(make_criterion("st", auxiliary_share=0.0, alignment_weight=9.0), joint(st=bare)) == plain
    heard = SpellingModel()
    loss_of(make_criterion("st", alignment_weight=0.0), sample, heard)
    assert heard.aligned == []


def test_a_dropped_task_is_not_computed():
    criterion = make_criterion(asr_last_update=5, mt_last_update=7, weight_mode="fixed")
    sample = joint(st=st_batch(), asr=asr_batch(), mt=mt_batch())
    for update, calls in ((5, 3), (6, 2), (7, 2), (8, 1)):
        criterion.begin_update(update)
        model = SpellingModel()
        found, _, log = loss_of(criterion, sample, model)
        assert len(model.calls) == calls
        assert (log["num_target_tokens_asr"] == 0) == (update > 5)
    alone, _, _ = loss_of(make_criterion("st"), joint(st=st_batch()))
    assert found == alone


def test_the_cross_entropy_of_st_waits_for_its_start():
    criterion = make_criterion(st_start_update=2, alignment_weight=0.0)
    for update, expected in ((1, 0.3 * CTC), (2, 0.3 * CTC), (3, 0.7 * CE + 0.3 * CTC)):
        criterion.begin_update(update)
        model = SpellingModel()
        found, size, log = loss_of(criterion, joint(st=st_batch()), model)
        assert found == pytest.approx(expected, rel=1e-6)
        assert model.calls == ["speech and decode" if update > 2 else "speech"]
        assert (size, log["num_decoded"]) == (3, 3 if update > 2 else 0)


def test_before_its_start_st_decides_about_no_weight():
    criterion = make_criterion(st_start_update=9, measure_interval=1, weight_interval=2, alignment_weight=0.0)
    for update in (1, 2):
        criterion.begin_update(update)
        loss_of(criterion, joint(st=st_batch(), asr=asr_batch(), mt=mt_batch()), SpellingModel(0.3, 0.4, 0.5))
        found = criterion.balance.finish_update()
        assert {one.main_norm for one in found} == {None}
        assert any(one.norm for one in found)
    assert [criterion.balance.weight(task) for task in ("asr", "mt")] == [1.0, 1.0]


ROWS = {
    "st": ([spelt([4, 5]), spelt([6, 4, 4]), spelt([7])], [[6, 7], [5], [4, 4, 4]], [[4, 5], [6], [7]]),
    "asr": ([spelt([5, 0, 5]), spelt([7, 6]), spelt([4])], [[5, 5], [7], [4]], [[5, 5], [7], [4]]),
}
TEXTS = ([[4, 6], [5], [7, 7, 4]], [[6], [7, 5], [4]])


def rows_of(part):
    spoken = {task: speech(task, *(column[part] for column in columns)) for task, columns in ROWS.items()}
    return joint(**spoken, mt=text(*(column[part] for column in TEXTS)))


def measured(samples):
    options = {"measure_interval": 3, "weight_mode": "task_norm", "weight_interval": 3, "drop_below": 0.0}
    criterion = make_criterion(alignment_weight=0.0, label_smoothing=0.1, **options)
    model = SpellingModel(0.3, -0.4, 0.5)
    total = size = 0
    for sample in samples:
        criterion.begin_update(3)
        loss, count, _ = criterion(model, sample)
        loss.backward()
        total, size = total + loss.item(), size + count
    found = {(one.task, one.module): (one.norm, one.main_norm, one.cosine) for one in criterion.balance.finish_update()}
    weights = [criterion.balance.weight(task) for task in ("asr", "mt")]
    gradients = [parameter.grad.tolist() for parameter in model.parameters() if parameter.requires_grad]
    return total, size, found, weights, gradients


def test_a_batch_cut_in_two_gives_the_same_numbers():
    total, size, found, weights, gradient = measured([rows_of(slice(None))])
    halves = measured([rows_of(slice(1)), rows_of(slice(1, None))])
    assert (halves[0], halves[1]) == (pytest.approx(total, rel=1e-6), size)
    for place, values in found.items():
        assert halves[2][place] == tuple(None if x is None else pytest.approx(x, rel=1e-4) for x in values)
    assert halves[3] == pytest.approx(weights, rel=1e-4)
    assert 0 < weights[0] < 1
    for one, other in zip(halves[4], gradient, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_what_is_measured_is_the_gradient_of_a_mean_before_weights():
    weighted = make_criterion(
        weight_mode="fixed", measure_interval=3, asr_weight=0.01, mt_weight=0.02, alignment_weight=0.0
    )
    weighted.begin_update(3)
    sample, model = rows_of(slice(None)), SpellingModel(0.3, -0.4, 0.5)
    weighted(model, sample)
    found = {(one.task, one.module): one for one in weighted.balance.finish_update() if one.layer is None}
    alone = {}
    for task, module, size in (("asr", "acoustic", 4), ("mt", "textual", 10), ("mt", "decoder", 10)):
        model = SpellingModel(0.3, -0.4, 0.5)
        loss, _, _ = make_criterion(task, alignment_weight=0.0)(model, joint(**{task: sample["tasks"][task]}))
        loss.backward()
        alone[task, module] = (getattr(model, module).grad / size).norm().item()
    names = {"acoustic": "acoustic_encoder", "textual": "textual_encoder", "decoder": "decoder"}
    for (task, module), norm in alone.items():
        assert found[task, names[module]].norm == pytest.approx(norm, rel=1e-5)
    assert found["asr", "decoder"].norm is None
    assert found["asr", "textual_encoder"].norm is None
    # ST is its cross-entropy alone
    model = SpellingModel(0.3, -0.4, 0.5)
    loss, size, _ = make_criterion("st", auxiliary_share=0.0)(model, joint(st=sample["tasks"]["st"]))
    loss.backward()
    main = found["mt", "decoder"].main_norm
    assert main == pytest.approx((model.decoder.grad / size).norm().item(), rel=1e-5)


def test_recognition_of_the_rows_of_st_reads_them_once():
    criterion, model = make_criterion(shared_asr=True, alignment_weight=0.0, asr_weight=0.5), SpellingModel()
    found, _, log = loss_of(criterion, joint(st=st_batch(2), mt=mt_batch()), model)
    assert found == pytest.approx(2 * (0.7 * CE + 0.3 * CTC) + 0.5 * 2 * CTC + CE_TEXT, rel=1e-6)
    assert model.calls == ["speech and decode", "text and decode"]
    assert log["num_transcript_tokens"] == 2


def test_validation_is_about_the_main_task():
    criterion = make_criterion(measure_interval=1, alignment_weight=0.0)
    criterion.eval()
    sample = joint(st=st_batch(), asr=asr_batch(), mt=mt_batch())
    found, size, log = loss_of(criterion, sample)
    assert (found, size) == (pytest.approx(0.7 * CE + 0.3 * CTC), 3)
    assert log["loss_mt"].item() == pytest.approx(CE_TEXT)
    assert criterion.balance.finish_update() == []
    other, size, log = loss_of(criterion, mt_batch())
    assert (other, size) == (0.0, 0)
    assert log["num_target_tokens_mt"] == 3


def test_validation_does_not_follow_the_schedules_of_training():
    heard = [[spelt([6, 6, 0, 7]), spelt([5])], [[6], [7]], [[4], [5]]]
    sample = joint(st=speech("st", *heard), asr=speech("asr", heard[0], heard[2], heard[2]))
    found = []
    for update, training in ((1, False), (19, False), (65, False), (1000, False), (65, True)):
        criterion = make_criterion("st,asr", st_start_update=20, alignment_gold=0.7, alignment_step=10)
        criterion.begin_update(update)
        criterion.train(training)
        model = SpellingModel()
        loss, size, log = loss_of(criterion, sample, model)
        found.append((loss, size, log["num_decoded"], log["nll_loss"].item(), log["loss_asr"].item(), model.aligned))
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0][1:3] == (6, 6)
    assert found[0][-1] == [[[4], [5]]] * 2  # the transcripts, not what CTC hears
    assert found[4][0] != found[0][0]


def test_a_batch_of_another_task_alone_is_divided_by_its_own_tokens():
    found, size, _ = loss_of(make_criterion(mt_weight=0.5), mt_batch(2))
    assert (found, size) == (pytest.approx(0.5 * 2 * CE_TEXT), 6)


def test_the_log_stands_beside_the_checkpoints_unless_named(tmp_path):
    path = tmp_path / "log.jsonl"
    criterion = make_criterion(log=str(path), measure_interval=1)
    loss_of(criterion, rows_of(slice(None)), SpellingModel(0.3, -0.4, 0.5))
    found = criterion.balance.finish_update()
    assert len(path.read_text().splitlines()) == len(found) == 12


def test_half_precision_is_widened():
    model = SpellingModel(0.3, -0.4, 0.5).bfloat16()
    sample = rows_of(slice(None))
    for task in ("st", "asr"):
        sample["tasks"][task]["net_input"]["source"] = sample["tasks"][task]["net_input"]["source"].bfloat16()
    criterion = make_criterion(measure_interval=1)
    loss, _, _ = criterion(model, sample)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        make_criterion()(SpellingModel(0.3, -0.4, 0.5), rows_of(slice(None)))[0].item(), rel=0.02
    )
    assert all(one.norm is None or math.isfinite(one.norm) for one in criterion.balance.finish_update())
