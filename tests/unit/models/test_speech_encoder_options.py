"""Sizes that are given as JSON on the command line."""

import pytest

pytest.importorskip("fairseq", reason="options are the host's kind")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.speech_encoder_options import parse_sizes


def test_sizes_are_a_json_object():
    assert parse_sizes("decoder_config", '{"dim": 32}') == {"dim": 32}
    for text in ("{dim:3", "[32]", "", "3"):
        with pytest.raises(ConfigError, match="`decoder_config` must be a JSON object"):
            parse_sizes("decoder_config", text)
