"""Random damage of recordings ends in a finite wave or an AudioError, nothing else."""

import numpy as np

from fairseq_samu.data.audio import read_audio
from fairseq_samu.errors import AudioError
from tests.unit.data.test_audio import KINDS, WHERE, encode


def test_damage_ends_in_a_wave_or_an_audio_error(tmp_path):
    rng = np.random.default_rng(5)
    originals = [encode(rng.uniform(-0.5, 0.5, 4000), rate, kind) for kind in KINDS for rate in (16000, 48000)]
    outcomes = {"wave": 0, "error": 0}
    for number in range(400):
        content = bytearray(originals[number % len(originals)])
        for _ in range(int(rng.integers(1, 12))):
            # Half of the damage goes where the headers are.
            span = 80 if rng.random() < 0.5 else len(content)
            content[int(rng.integers(span))] = int(rng.integers(256))
        (tmp_path / "a").write_bytes(content)
        try:
            wave = read_audio("a", tmp_path, WHERE)
            assert np.isfinite(wave).all() and len(wave) >= 400
            outcomes["wave"] += 1
        except AudioError as error:
            assert str(error).startswith(f"{WHERE}: `a` must be ")
            outcomes["error"] += 1
    assert min(outcomes.values()) > 40
