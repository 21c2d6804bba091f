"""Cross-entropy and CTC of a batch against literal values, with a model that only holds numbers."""

import math
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq import metrics

from fairseq_samu.criterions.ctc_ce import CtcCeConfig, CtcCeCriterion, validate
from fairseq_samu.errors import ConfigError, ManifestError

TASK = SimpleNamespace(target_dictionary=SimpleNamespace(pad=lambda: 1, bos=lambda: 0, eos=lambda: 2))
TAG, EOS, PAD = 6, 2, 1
V = 7
LOG2 = math.log(2)


def make_sample(target, task="st"):
    target = torch.tensor(target)
    rows = len(target)
    return {
        "nsentences": rows,
        "ntokens": 10 * rows,
        "grid": 12 * rows,
        "num_skipped": 3,
        "target": target,
        "task": task,
        "net_input": {"row_ids": torch.arange(rows), "prev_output_tokens": torch.zeros_like(target)},
    }


class Model:
    """Hidden states whose logits are the states themselves, and logits of frames for CTC."""

    def __init__(self, hidden=None, ctc_logits=None, frames=None):
        self.hidden, self.ctc_logits = hidden, ctc_logits
        width = None if ctc_logits is None else ctc_logits.size(1)
        self.mask = None if width is None else torch.arange(width)[None] >= torch.tensor(frames)[:, None]
        self.seen = []

    def __call__(self, row_ids, prev_output_tokens=None):
        self.seen.append(prev_output_tokens)
        pick = slice(int(row_ids[0]), int(row_ids[-1]) + 1)
        hidden = None if prev_output_tokens is None or self.hidden is None else self.hidden[pick]
        ctc_logits = None if self.ctc_logits is None else self.ctc_logits[pick]
        mask = None if self.mask is None else self.mask[pick]
        return SimpleNamespace(
            hidden=hidden, output_weight=torch.eye(V), ctc_logits=ctc_logits, padding_mask=mask, frames=None
        )


def run(model, sample, reduce=True, **options):
    return CtcCeCriterion(CtcCeConfig(**options), TASK)(model, sample, reduce=reduce)


def test_flat_predictions_cost_the_logarithm_of_the_vocabulary():
    sample = make_sample([[TAG, 4, EOS, PAD], [TAG, 4, 5, EOS]])
    loss, size, log = run(Model(torch.zeros(2, 4, V)), sample)
    assert loss.item() == pytest.approx(7 * math.log(V), rel=1e-6)
    assert size == log["sample_size"] == log["num_target_tokens"] == 7
    assert (log["ntokens"], log["grid"], log["num_skipped"], log["nsentences"]) == (20, 24, 3, 2)
    assert log["num_correct"] == 7  # no other token is more likely
    assert "ctc_loss" not in log


def test_a_smoothed_loss_of_known_probabilities():
    """One token with p = 1/2, the six others 1/12 each, target first one of the former, then one of the latter."""
    logits = torch.zeros(1, 2, V)
    logits[..., 4] = math.log(6)
    loss, _, log = run(Model(logits), make_sample([[4, 5]]), label_smoothing=0.3)
    likely = 0.7 * math.log(2) + 0.3 * math.log(12)
    unlikely = 0.7 * math.log(12) + 0.3 * (5 * math.log(12) + math.log(2)) / 6
    assert loss.item() == pytest.approx(likely + unlikely, rel=1e-6)
    assert log["nll_loss"].item() == pytest.approx(math.log(2) + math.log(12), rel=1e-6)
    assert log["num_correct"] == 1


def test_ctc_of_flat_predictions_counts_the_paths():
    """Pieces `4 5` in three frames: 4 4 5, 4 5 5, - 4 5, 4 - 5, 4 5 -, of 7 ** 3 paths."""
    model = Model(ctc_logits=torch.zeros(2, 5, V), frames=[3, 5])
    sample = make_sample([[TAG, 4, 5, EOS], [TAG, EOS, PAD, PAD]])
    loss, size, log = run(model, sample, ce_weight=0.0, ctc_weight=2.0)
    text, silence = math.log(7**3 / 5), 5 * math.log(7)
    assert loss.item() == pytest.approx(2.0 * (text + silence), rel=1e-6)
    assert log["ctc_loss"].item() == pytest.approx(text + silence, rel=1e-6)
    assert (size, log["num_ctc_impossible"]) == (6, 0)
    rows = run(model, sample, reduce=False, ce_weight=0.0, ctc_weight=1.0)[0]
    assert rows.tolist() == pytest.approx([text, silence], rel=1e-6)


def test_rows_that_ctc_cannot_write_cost_nothing_and_are_counted():
    """`4 4` needs three frames, `4 5` two."""
    logits = torch.randn(3, 3, V, requires_grad=True)
    sample = make_sample([[TAG, 4, 4, EOS], [TAG, 4, 5, EOS], [TAG, 4, 4, EOS]])
    model = Model(ctc_logits=logits, frames=[2, 2, 3])
    loss, _, log = run(model, sample, reduce=False, ce_weight=0.0, ctc_weight=1.0)
    loss.sum().backward()
    assert log["num_ctc_impossible"] == 1
    assert loss[0] == 0 and logits.grad[0].abs().sum() == 0
    assert (loss[1:] > 0).all() and logits.grad[1:].abs().sum(dim=(1, 2)).min() > 0
    assert logits.grad[1, 2].abs().sum() == 0  # padding
    assert logits.grad.isfinite().all()


def test_both_terms_are_added_with_their_weights():
    torch.manual_seed(0)
    model = Model(torch.randn(2, 4, V), torch.randn(2, 6, V), [6, 5])
    sample = make_sample([[TAG, 4, EOS, PAD], [TAG, 4, 5, EOS]])
    ce, ctc = (run(model, sample, ce_weight=a, ctc_weight=b)[0] for a, b in ((1.0, 0.0), (0.0, 1.0)))
    both, _, log = run(model, sample, ce_weight=0.7, ctc_weight=0.3)
    assert both.item() == pytest.approx((0.7 * ce + 0.3 * ctc).item(), rel=1e-6)
    assert log["loss"].item() == pytest.approx(both.item())


def test_weight_zero_removes_a_term_exactly():
    nothing = torch.full((1, 3, V), float("nan"))
    sample = make_sample([[TAG, 4, EOS]])
    plain = run(Model(torch.zeros(1, 3, V)), sample)[0]
    assert torch.equal(plain, run(Model(torch.zeros(1, 3, V), nothing, [3]), sample)[0])
    model = Model(nothing, torch.zeros(1, 3, V), [3])
    assert run(model, sample, ce_weight=0.0, ctc_weight=1.0)[0].isfinite()
    assert model.seen == [None], "the decoder ran for nothing"


def test_one_batch_equals_two_of_its_halves():
    """Two workers, or two accumulated batches: sums of losses, gradients and tokens are those of the whole."""
    torch.manual_seed(1)
    sample = make_sample([[TAG, 4, EOS, PAD], [TAG, 4, 5, EOS]])
    halves = []
    for row in range(2):
        half = make_sample(sample["target"][row : row + 1].tolist())
        half["net_input"]["row_ids"] = torch.tensor([row])
        halves.append(half)
    results = []
    hidden, frames = torch.randn(2, 4, V), torch.randn(2, 6, V)
    for batches in ([sample], halves):
        leaves = [hidden.clone().requires_grad_(), frames.clone().requires_grad_()]
        outputs = [run(Model(*leaves, [6, 5]), batch, ctc_weight=0.5, label_smoothing=0.1) for batch in batches]
        sum(loss for loss, _, _ in outputs).backward()
        results.append((sum(size for _, size, _ in outputs), [leaf.grad for leaf in leaves]))
        assert all(log.keys() == outputs[0][2].keys() for _, _, log in outputs)
    assert results[0][0] == results[1][0] == 7
    torch.testing.assert_close(results[0][1], results[1][1])


def test_gradients_stay_inside_the_text():
    hidden = torch.randn(1, 4, V, requires_grad=True)
    loss, _, _ = run(Model(hidden), make_sample([[TAG, 4, EOS, PAD]]))
    loss.backward()
    assert hidden.grad[0, :3].abs().sum(dim=1).min() > 0
    assert hidden.grad[0, 3].abs().sum() == 0


def test_half_precision_is_widened():
    model = Model(torch.zeros(1, 3, V).half(), torch.zeros(1, 3, V).half(), [3])
    output = model(torch.tensor([0]), torch.zeros(1, 3))
    output.output_weight = output.output_weight.half()
    loss, _, _ = run(lambda **_: output, make_sample([[TAG, 4, EOS]]), ctc_weight=1.0)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(3 * math.log(7) + math.log(7**3 / 6), rel=1e-5)


def test_the_sample_is_not_changed():
    sample = make_sample([[TAG, 4, EOS]])
    keys, inner, target = set(sample), set(sample["net_input"]), sample["target"].clone()
    run(Model(torch.zeros(1, 3, V), torch.zeros(1, 3, V), [3]), sample, ce_weight=0.0, ctc_weight=1.0)
    assert (set(sample), set(sample["net_input"])) == (keys, inner)
    assert torch.equal(sample["target"], target)


def test_metrics_are_in_bits_a_token_over_all_workers():
    batches = [make_sample([[TAG, 4, EOS]], "st"), make_sample([[TAG, EOS, PAD]], "asr")]
    model = Model(torch.zeros(1, 3, V), torch.zeros(1, 1, V), [1])
    logs = [run(model, batch, ctc_weight=1.0)[2] for batch in batches]
    with metrics.aggregate(new_root=True) as found:
        CtcCeCriterion.reduce_metrics(logs)
    values = found.get_smoothed_values()
    ctc = [math.log(7), math.log(7)]  # of one frame each: `4`, and nothing
    assert values["nll_loss"] == pytest.approx(math.log2(7), abs=1e-4)
    assert values["ppl"] == pytest.approx(7, abs=1e-2)
    assert values["ctc_loss"] == pytest.approx(sum(ctc) / 5 / LOG2, abs=1e-4)
    assert values["loss"] == pytest.approx((5 * math.log(7) + sum(ctc)) / 5 / LOG2, abs=1e-4)
    assert values["loss_st"] == pytest.approx((3 * math.log(7) + ctc[0]) / 3 / LOG2, abs=1e-4)
    assert values["loss_asr"] == pytest.approx((2 * math.log(7) + ctc[1]) / 2 / LOG2, abs=1e-4)
    assert (values["accuracy"], values["num_target_tokens"]) == (100.0, 5)
    assert "num_ctc_impossible" not in values
    assert CtcCeCriterion.logging_outputs_can_be_summed()


def test_impossible_rows_are_logged():
    model = Model(ctc_logits=torch.zeros(1, 1, V), frames=[1])
    log = run(model, make_sample([[TAG, 4, 4, EOS]]), ce_weight=0.0, ctc_weight=1.0)[2]
    with metrics.aggregate(new_root=True) as found:
        CtcCeCriterion.reduce_metrics([log, log])
        CtcCeCriterion.reduce_metrics([])
    values = found.get_smoothed_values()
    assert values["num_ctc_impossible"] == 2
    assert "ppl" not in values and "accuracy" not in values


@pytest.mark.parametrize(
    ("model", "options", "named"),
    [
        (Model(), {}, "--ce-weight 0"),
        (Model(torch.zeros(1, 3, V)), {"ctc_weight": 1.0}, "--ctc-head"),
    ],
)
def test_a_model_without_what_a_term_needs_is_named(model, options, named):
    with pytest.raises(ConfigError) as caught:
        run(model, make_sample([[TAG, 4, EOS]]), **options)
    assert named in str(caught.value)


def test_a_batch_without_texts_is_named():
    sample = make_sample([[TAG, 4, EOS]]) | {"target": None}
    with pytest.raises(ManifestError) as caught:
        run(Model(torch.zeros(1, 3, V)), sample)
    assert "`target` must be" in str(caught.value)


def test_all_bad_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        validate(CtcCeConfig(label_smoothing=1.0, ce_weight=-1.0, ctc_weight=float("nan")))
    assert str(caught.value).count("must be") == 3
    with pytest.raises(ConfigError) as caught:
        validate(CtcCeConfig(ce_weight=0.0))
    assert "--ctc-weight" in str(caught.value)
