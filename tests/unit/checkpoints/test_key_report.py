import pytest
import torch
from torch import nn

from fairseq_samu.checkpoints import fingerprint, load_strict
from fairseq_samu.errors import CheckpointError


def test_everything_fits():
    module = nn.Linear(2, 3)
    state = {"weight": torch.ones(3, 2).half(), "bias": torch.zeros(3)}
    report = load_strict(module, state)
    assert report.complete
    assert report.matched == ["weight", "bias"]
    assert module.weight.dtype == torch.float32
    assert module.weight.eq(1).all()


def test_a_misfit_is_told_whole_and_changes_nothing():
    module = nn.Linear(2, 3)
    before = module.bias.clone()
    with pytest.raises(CheckpointError) as caught:
        load_strict(module, {"bias": torch.ones(3), "gain": torch.ones(1)}, where="file.pt", left_over=["head.weight"])
    text = str(caught.value)
    assert text.startswith("file.pt: the weights do not fit")
    assert "1 missing in the file:\n  weight" in text
    assert "1 in the file but unknown to the model:\n  gain" in text
    assert "1 left over on purpose:\n  head.weight" in text
    assert torch.equal(module.bias, before)


def test_another_shape_is_a_misfit():
    with pytest.raises(CheckpointError, match=r"weight \(2, 3\) instead of \(3, 2\)"):
        load_strict(nn.Linear(2, 3), {"weight": torch.ones(2, 3), "bias": torch.ones(3)})


def test_without_strictness_what_fits_is_loaded_and_the_rest_reported():
    module = nn.Linear(2, 3)
    report = load_strict(module, {"bias": torch.ones(3), "gain": torch.ones(1)}, strict=False)
    assert (report.matched, report.missing, report.unexpected) == (["bias"], ["weight"], ["gain"])
    assert module.bias.eq(1).all()


def test_fingerprint_sees_names_types_shapes_and_values_but_not_order():
    state = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(())}
    same = {"b": torch.ones(()), "a": torch.arange(6.0).view(3, 2).view(2, 3)}
    assert fingerprint(state) == fingerprint(same)
    assert len(fingerprint(state)) == 64
    others = [
        {"a": state["a"], "c": state["b"]},
        {"a": state["a"].view(3, 2), "b": state["b"]},
        {"a": state["a"].double(), "b": state["b"]},
        {"a": state["a"] + torch.tensor([0.0, 0.0, 1e-6]), "b": state["b"]},
    ]
    assert len({fingerprint(other) for other in [state, *others]}) == 5
    assert fingerprint({"a": torch.ones(4, dtype=torch.bfloat16)}) != fingerprint({"a": torch.zeros(4).bfloat16()})
    assert fingerprint({"empty": torch.ones(0)})
