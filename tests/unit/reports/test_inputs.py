"""The log of training as the pages show it."""

import json

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.reports.curves import curves_svg
from fairseq_samu.reports.inputs import read_object, read_train_log


def write_log(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_each_figure_has_its_panel(tmp_path):
    log = write_log(
        tmp_path / "train.log",
        {"epoch": 1, "train_ctc_loss": "3.5", "train_mean_cosine": "0.25", "train_num_updates": "5"},
        {"epoch": 1, "valid_ctc_loss": "4.5", "valid_num_updates": "5"},
        {"epoch": 2, "train_ctc_loss": "1.5", "train_mean_cosine": "0.5", "train_num_updates": "10"},
    )
    text = curves_svg(read_train_log(log))
    assert text.count("<svg") == 2
    assert "CTC loss over 2 epochs" in text and "Mean cosine to the teacher over 2 epochs" in text
    assert text.count("dashed: training") == 1, "only where both are drawn"


def test_what_is_no_finite_number_is_left_out(tmp_path):
    log = write_log(
        tmp_path / "train.log",
        {"epoch": 1, "train_ctc_loss": "inf", "train_loss": "nan", "train_wall": "x", "train_num_updates": "5"},
        {"epoch": 2, "train_ctc_loss": "2.5", "train_loss": "1.5", "train_num_updates": "9"},
    )
    epochs = read_train_log(log)
    assert epochs["train"][0] == {"epoch": 1.0, "train_num_updates": 5.0}
    assert "nan" not in curves_svg(epochs) and "inf" not in curves_svg(epochs)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, '"x"'])
def test_what_is_no_object_is_named_with_the_mend(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(SamuError, match=r"a\.json.*Mend it\."):
        read_object(tmp_path / "a.json", "Mend it.")
