"""The list of segments, entry by entry, against a YAML parser that reads all of it at once."""

import time

import pytest
import yaml

from fairseq_samu.data.corpora.mustc_lists import read_entries
from fairseq_samu.errors import ManifestError

LINE = "- {{duration: 2.500000, offset: {offset}, rW: 9, uW: 0, speaker_id: spk.1, wav: ted_{talk}.wav}}\n"


def test_entries_are_those_of_a_yaml_parser(tmp_path):
    text = (
        "# a comment\n---\n"
        "- {duration: 3.500000, offset: 16.080000, rW: 9, uW: 0, speaker_id: spk.1, wav: ted_1.wav}\n"
        "- {duration: 3.5, offset: 1e1, speaker_id: 'spk, 1: x', wav: \"ted 1.wav\"}   # said twice\n\n"
        "- {duration: 3.5, offset: -1, speaker_id: spk.1,\n  wav: ted_1.wav}\r\n"
        "- duration: 1\n  offset: '2'\n  wav: töd.wav\n"
        "- {}\n"
    )
    path = tmp_path / "list.yaml"
    path.write_bytes(text.encode())
    found = list(read_entries(path))
    assert [cells for _, cells in found] == yaml.load(text, Loader=yaml.BaseLoader)
    assert [line for line, _ in found] == [3, 4, 6, 8, 11]


@pytest.mark.parametrize("content, place", [("segments:\n- {a: b}\n", 1), ("\n[{duration: 1}]\n", 2), ("{}\n", 1)])
def test_what_is_no_list_is_refused(tmp_path, content, place):
    (tmp_path / "list.yaml").write_text(content)
    with pytest.raises(ManifestError, match=rf"list.yaml:{place}: `list` must be lines"):
        list(read_entries(tmp_path / "list.yaml"))


def test_a_long_list_is_read_at_once(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("".join(LINE.format(offset=n % 100, talk=n // 100) for n in range(50_000)))
    started = time.process_time()
    assert len(list(read_entries(path))) == 50_000
    assert time.process_time() - started < 2  # .2 here; 5 where libyaml reads all of it
