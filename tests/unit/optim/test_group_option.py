"""Values by parameter group: reading, and which key counts for which group."""

import pytest

from fairseq_samu.errors import ConfigError
from fairseq_samu.optim.group_option import GroupOption, find_key, read_number

RATES = GroupOption("rates", "a number more than zero", read_number, lambda x: x > 0, "encoder=0.1")
GROUPS = ["encoder.layer.0", "encoder.layer.1", "encoder.norm", "head.pooling", "head"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" , ", {}),
        ("encoder=0.01", {"encoder": 0.01}),
        (" encoder = 1e-2 ,head.pooling=2,", {"encoder": 0.01, "head.pooling": 2.0}),
    ],
)
def test_pairs_are_read(text, expected):
    assert RATES.parse(text) == expected


@pytest.mark.parametrize("pair", ["encoder", "=1", "encoder=", "encoder=x", "encoder=0", "encoder=nan", "encoder=inf"])
def test_what_is_no_pair_is_refused_with_the_mend(pair):
    with pytest.raises(ConfigError, match="each value a number more than zero, but is '") as caught:
        RATES.parse(f"head=1,{pair}")
    assert f"'{pair}' instead. Set --rates, such as encoder=0.1." in str(caught.value)


def test_all_faults_come_in_one_report():
    with pytest.raises(ConfigError) as caught:
        RATES.parse("a=-1,b,c=1,c=2")
    lines = str(caught.value).splitlines()
    assert "'a=-1'" in lines[0]
    assert "'b'" in lines[1]
    assert "pairs that name each group once, but is 'c=2'" in lines[2]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("group", "key"),
    [
        ("encoder.layer.1", "encoder.layer"),
        ("encoder.layer.10", "encoder.layer"),
        ("encoder.layer.0", "encoder.layer.0"),
        ("encoder.norm", "encoder"),
        ("encoder", "encoder"),
        ("encoders.norm", ""),
        ("head", ""),
        ("", ""),
    ],
)
def test_the_longest_key_counts(group, key):
    assert find_key(group, ["encoder", "encoder.layer", "encoder.layer.0"]) == key


def test_keys_without_a_group_are_named_beside_the_groups():
    faults = RATES.find_unknown({"encoder": 1.0, "head.pooling": 1.0, "decoder": 1.0, "enc": 1.0}, GROUPS)
    assert len(faults) == 2
    assert "'decoder'" in faults[0]
    assert "'enc'" in faults[1]
    assert "(encoder.layer.N, encoder.norm, head.pooling, head)" in faults[0]
