"""The two losses against literal values and all alignments, with a model that only holds numbers."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq import metrics

from fairseq_samu.criterions.dual_slu import BLANK, DualSluConfig, DualSluCriterion, validate
from fairseq_samu.errors import ConfigError, ManifestError

TASK = SimpleNamespace(target_dictionary=SimpleNamespace(pad=lambda: PAD))
PAD, EOS = 1, 2
V = 7


class Model:
    """Embeddings, and logits of frames; rows are picked by their numbers."""

    def __init__(self, embedding=None, logits=None, frames=None):
        self.embedding, self.logits = embedding, logits
        self.frames = frames

    def __call__(self, row_ids):
        embedding = None if self.embedding is None else self.embedding[row_ids]
        if self.logits is None:
            return SimpleNamespace(embedding=embedding, ctc_logits=None, padding_mask=None)
        logits = self.logits[row_ids]
        mask = torch.arange(logits.size(1))[None] >= torch.tensor(self.frames)[row_ids][:, None]
        return SimpleNamespace(embedding=embedding, ctc_logits=logits, padding_mask=mask)


def make_sample(labels=None, teacher=None, rows=None):
    """A batch; labels without their end."""
    given = labels if labels is not None else teacher
    rows = torch.arange(len(given)) if rows is None else rows
    count = len(rows)
    sample = {"nsentences": count, "ntokens": 10 * count, "grid": 12 * count, "num_skipped": 3 * count}
    sample["net_input"] = {"row_ids": rows}
    if teacher is not None:
        sample["teacher"] = torch.as_tensor(teacher)[rows]
    if labels is not None:
        picked = [labels[row] for row in rows.tolist()]
        width = max(map(len, picked)) + 1
        filled = [[*row, EOS, *[PAD] * (width - 1 - len(row))] for row in picked]
        sample |= {"target": torch.tensor(filled), "target_lengths": torch.tensor([len(row) + 1 for row in picked])}
    return sample


def run(model, sample, reduce=True, **options):
    return DualSluCriterion(DualSluConfig(**options), TASK)(model, sample, reduce=reduce)


def sum_of_alignments(log_probs, labels):
    """-log of the probability of all paths (T, V) that write labels, one after the other."""
    total = 0.0
    for path in itertools.product(range(log_probs.size(1)), repeat=log_probs.size(0)):
        written = [label for label, _ in itertools.groupby(path) if label != BLANK]
        if written == list(labels):
            total += math.exp(sum(log_probs[time, label].item() for time, label in enumerate(path)))
    return -math.log(total)


def random_case():
    torch.manual_seed(4)
    embedding = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(4, 6, V, dtype=torch.float64, requires_grad=True)
    labels = [[4, 5], [6], [4, 4, 5], [5, 6, 4]]
    teacher = torch.randn(4, 3, dtype=torch.float64)
    return Model(embedding, logits, [6, 4, 5, 3]), labels, teacher


@pytest.mark.parametrize(
    ("embedding", "expected"), [([2.0, 0.0], 0.0), ([0.0, 3.0], 1.0), ([-1.0, 0.0], 2.0), ([1.0, 1.0], 0.2928932)]
)
def test_the_semantic_loss_by_hand(embedding, expected):
    sample = make_sample(teacher=[[5.0, 0.0]])
    loss, rows, log = run(Model(torch.tensor([embedding])), sample, semantic_scale=20.0, slu_weight=0.0)
    assert loss.item() == pytest.approx(20 * expected, abs=1e-5)
    assert (rows, log["num_cosines"], log["sample_size"]) == (1, 1, 1)
    assert log["cosine"].item() == pytest.approx(1 - expected, abs=1e-6)
    assert (log["ntokens"], log["grid"], log["num_skipped"], log["nsentences"]) == (10, 12, 3, 1)
    assert "ctc_loss" not in log


def test_ctc_of_flat_predictions_counts_the_paths():
    """`4 5` in three frames: 5 of 7 ** 3 paths; nothing in five frames: one of 7 ** 5."""
    model = Model(logits=torch.zeros(2, 5, V), frames=[3, 5])
    sample = make_sample([[4, 5], []])
    text, silence = math.log(7**3 / 5), 5 * math.log(7)
    options = {"semantic_weight": 0.0, "slu_weight": 5.0, "reduce": False}
    whole = run(model, sample, slu_loss_per="utterance", **options)
    assert whole[0].tolist() == pytest.approx([5 * text, 5 * silence], rel=1e-6)
    each = run(model, sample, slu_loss_per="label", **options)
    assert each[0].tolist() == pytest.approx([5 * text / 2, 5 * silence], rel=1e-6)
    assert each[2]["ctc_loss"].item() == pytest.approx(text / 2 + silence, rel=1e-6)
    assert (each[2]["num_ctc"], each[2]["num_ctc_impossible"]) == (2, 0)


@pytest.mark.parametrize(
    ("labels", "frames"), [([3], 1), ([3], 4), ([3, 2], 4), ([3, 3], 3), ([2, 3, 2], 4), ([], 3)], ids=str
)
def test_ctc_against_the_sum_over_all_alignments(labels, frames):
    torch.manual_seed(len(labels) * 10 + frames)
    logits = torch.randn(1, 5, 4, dtype=torch.float64)
    expected = sum_of_alignments(logits[0, :frames].log_softmax(dim=-1), labels)
    model = Model(logits=logits, frames=[frames])
    whole, each = (
        run(model, make_sample([labels]), semantic_weight=0.0, slu_loss_per=per)[0].item()
        for per in ("utterance", "label")
    )
    assert whole == pytest.approx(expected, rel=1e-9)
    assert each == pytest.approx(expected / max(len(labels), 1), rel=1e-9)


def test_both_terms_are_added_with_their_weights():
    model, labels, teacher = random_case()
    sample = make_sample(labels, teacher)
    semantic = run(model, sample, semantic_weight=1.0, slu_weight=0.0, reduce=False)[0]
    tagging = run(model, sample, semantic_weight=0.0, slu_weight=1.0, reduce=False)[0]
    both, _, log = run(model, sample, semantic_weight=0.5, slu_weight=7.0, reduce=False)
    torch.testing.assert_close(both, 0.5 * semantic + 7.0 * tagging)
    assert log["loss"].item() == pytest.approx(both.sum().item())


@pytest.mark.parametrize("per", ["label", "utterance"])
def test_lambda_means_the_same_in_one_batch_as_in_several(per):
    """Two workers, or accumulated batches: the sums are those of the whole, so the trainer's mean is too."""
    results = []
    for batches in ([[0, 1, 2, 3]], [[0], [1, 2, 3]], [[0], [1], [2], [3]]):
        model, labels, teacher = random_case()
        outputs = [
            run(model, make_sample(labels, teacher, torch.tensor(rows)), slu_weight=5.0, slu_loss_per=per)
            for rows in batches
        ]
        sum(loss for loss, _, _ in outputs).backward()
        sums = {key: sum(float(log[key]) for _, _, log in outputs) for key in outputs[0][2]}
        assert all(log.keys() == outputs[0][2].keys() for _, _, log in outputs)
        results.append((sum(size for _, size, _ in outputs), sums, model.embedding.grad, model.logits.grad))
    assert [size for size, *_ in results] == [4, 4, 4]
    for other in results[1:]:
        torch.testing.assert_close(other[1:], results[0][1:], rtol=1e-10, atol=1e-12)


def test_weight_zero_removes_a_term_exactly():
    nothing = torch.full((4, 6, V), float("nan"), dtype=torch.float64)
    model, labels, teacher = random_case()
    plain = run(model, make_sample(teacher=teacher), slu_weight=0.0)[0]
    spoilt = Model(model.embedding, nothing, [6, 4, 5, 3])
    assert torch.equal(run(spoilt, make_sample(labels, teacher), slu_weight=0.0)[0], plain)
    tags = run(model, make_sample(labels), semantic_weight=0.0)[0]
    spoilt = Model(torch.full((4, 3), float("nan")), model.logits, [6, 4, 5, 3])
    assert torch.equal(run(spoilt, make_sample(labels, teacher), semantic_weight=0.0)[0], tags)


@pytest.mark.parametrize(("weights", "resting"), [((0.0, 1.0), "embedding"), ((1.0, 0.0), "logits")])
def test_a_term_of_weight_zero_is_logged_and_gives_no_gradient(weights, resting):
    model, labels, teacher = random_case()
    loss, _, log = run(model, make_sample(labels, teacher), semantic_weight=weights[0], slu_weight=weights[1])
    loss.backward()
    assert getattr(model, resting).grad is None
    assert log["num_cosines"] == log["num_ctc"] == 4


def test_rows_that_ctc_cannot_write_cost_nothing_and_are_counted():
    """`4 4` needs three frames, `4 5` two."""
    logits = torch.randn(3, 3, V, requires_grad=True)
    model = Model(logits=logits, frames=[2, 2, 3])
    loss, rows, log = run(model, make_sample([[4, 4], [4, 5], [4, 4]]), reduce=False, semantic_weight=0.0)
    loss.sum().backward()
    assert (rows, log["num_ctc"], log["num_ctc_impossible"]) == (3, 2, 1)
    assert loss[0] == 0 and logits.grad[0].abs().sum() == 0
    assert (loss[1:] > 0).all() and logits.grad[1:].abs().sum(dim=(1, 2)).min() > 0
    assert logits.grad[1, 2].abs().sum() == 0  # padding
    assert logits.grad.isfinite().all()


def test_impossible_rows_do_not_lower_the_mean_that_is_logged():
    model = Model(logits=torch.zeros(2, 3, V), frames=[3, 1])
    sample = make_sample([[4, 5], [4, 5]])
    logs = [run(model, sample, semantic_weight=0.0, slu_loss_per="utterance")[2] for _ in range(2)]
    with metrics.aggregate(new_root=True) as found:
        DualSluCriterion.reduce_metrics(logs)
    values = found.get_smoothed_values()
    assert values["ctc_loss"] == pytest.approx(math.log(7**3 / 5), abs=1e-4)
    assert values["num_ctc_impossible"] == 2
    assert "mean_cosine" not in values


def test_metrics_are_means_over_all_workers_rows():
    model = Model(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.zeros(3, 3, V), [3, 3, 3])
    labels, teacher = [[4, 5], [4], [4, 5]], [[1.0, 0.0]] * 3
    extra = {"candidates": torch.eye(2), "candidate_allowed": torch.ones(2, 2, dtype=torch.bool)}
    batches = [torch.tensor([0, 1]), torch.tensor([2])]
    logs = []
    for rows in batches:
        sample = make_sample(labels, teacher, rows) | extra
        sample["candidate_index"] = torch.zeros(len(rows), dtype=torch.long)
        sample["candidate_allowed"] = torch.ones(len(rows), 2, dtype=torch.bool)
        logs.append(run(model, sample, slu_weight=2.0)[2])
    with metrics.aggregate(new_root=True) as found:
        DualSluCriterion.reduce_metrics(logs)
    values = found.get_smoothed_values()
    ctc = (2 * math.log(7**3 / 5) / 2 + math.log(7**3 / 6)) / 3
    assert values["mean_cosine"] == pytest.approx(2 / 3, abs=1e-4)
    assert values["ctc_loss"] == pytest.approx(ctc, abs=1e-4)
    assert values["loss"] == pytest.approx(1 / 3 + 2 * ctc, abs=1e-3)
    assert values["recall_at_1"] == pytest.approx(100 * 2 / 3, abs=1e-2)
    assert "num_ctc_impossible" not in values
    assert DualSluCriterion.logging_outputs_can_be_summed()
    with metrics.aggregate(new_root=True) as found:
        DualSluCriterion.reduce_metrics([])
        DualSluCriterion.reduce_metrics([{}])
    assert not found.get_smoothed_values()


def test_half_precision_is_widened():
    model = Model(torch.ones(1, 2).half(), torch.zeros(1, 3, V).half(), [3])
    loss, _, _ = run(model, make_sample([[4, 5]], torch.tensor([[1.0, 0.0]]).half()), slu_loss_per="utterance")
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1 - 2**-0.5 + math.log(7**3 / 5), rel=1e-4)


def test_the_sample_is_not_changed():
    model, labels, teacher = random_case()
    sample = make_sample(labels, teacher)
    before = {key: value.clone() for key, value in sample.items() if isinstance(value, torch.Tensor)}
    keys, inner = set(sample), set(sample["net_input"])
    run(model, sample)
    assert (set(sample), set(sample["net_input"])) == (keys, inner)
    assert all(torch.equal(sample[key], value) for key, value in before.items())


def test_what_a_batch_lacks_is_named():
    model, labels, teacher = random_case()
    with pytest.raises(ManifestError, match="--teacher-table"):
        run(model, make_sample(labels))
    with pytest.raises(ManifestError, match="tgt_text"):
        run(model, make_sample(teacher=teacher))


def test_all_bad_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        validate(DualSluConfig(semantic_weight=-1.0, slu_weight=float("nan"), semantic_scale=0.0))
    assert str(caught.value).count("must be") == 3
    with pytest.raises(ConfigError, match="--slu-weight"):
        validate(DualSluConfig(semantic_weight=0.0, slu_weight=0.0))
