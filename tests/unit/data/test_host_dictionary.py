"""The host's dictionary is filled in place and refuses what it cannot hold."""

import pytest

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq.data import Dictionary

from fairseq_samu.data.host_dictionary import SPECIALS, fill_dictionary, from_byte_tensor, to_byte_tensor
from fairseq_samu.errors import ConfigError


def test_filled_again():
    dictionary = Dictionary()
    for letters in ("abc", "ca"):
        fill_dictionary(dictionary, [*SPECIALS, *letters])
        assert dictionary.symbols == [*SPECIALS, *letters]
        assert [dictionary.index(letter) for letter in letters] == list(range(4, 4 + len(letters)))
        assert len(dictionary.count) == len(dictionary)
    assert dictionary.index("b") == dictionary.unk()


@pytest.mark.parametrize("tokens", [["a"], [*SPECIALS[::-1], "a"], [*SPECIALS, "a", "a"]])
def test_refused(tokens):
    dictionary = Dictionary()
    with pytest.raises(ConfigError, match="different tokens that begin with <s> <pad> </s> <unk>"):
        fill_dictionary(dictionary, tokens)
    assert dictionary.symbols == list(SPECIALS)


@pytest.mark.parametrize("data", [b"", b"\0\xffabc"])
def test_bytes_come_back(data):
    assert from_byte_tensor(to_byte_tensor(data)) == data
