"""The embedded recordings are read alike in this process and in forked data workers."""

import multiprocessing
from pathlib import Path

import numpy as np

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.manifest import read_manifest

PROMPTS = Path(__file__).parents[3] / "manifests" / "prompts"


def _read(spec):
    return read_audio(spec, PROMPTS)


def test_the_embedded_corpus_in_forked_workers():
    rows = list(read_manifest(PROMPTS / "test.tsv"))[::20]
    expected = [_read(row.audio) for row in rows]
    assert [len(wave) for wave in expected] == [row.n_frames for row in rows]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(_read, [row.audio for row in rows])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
