"""What a feature cache depends on, what it holds at each stage, and where it is refused."""

import logging

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("fairseq", reason="the data set is the host's kind")

from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ConfigError
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.tasks._feature_caching import attach_feature_cache, fingerprint_encoder
from tests.unit.models.conftest import TINY

FAMILIES = ["xlsr", "hubert", "whisper"]
LENGTHS = [8000, 5000, 16000]
DESCRIPTIONS = ["outputs of the convolutions", "inputs of layer 2 of 2", "outputs of the last layer", "frames"]


def build(family):
    torch.manual_seed(0)
    return build_speech_encoder(TINY[family]).eval()


@pytest.fixture
def make_dataset(tmp_path):
    def make(**options):
        rng = np.random.default_rng(0)
        for row, length in enumerate(LENGTHS):
            soundfile.write(tmp_path / f"{row}.wav", rng.normal(0, 0.1, length).clip(-1, 1), 16000)
        rows = [{"id": str(row), "audio": f"{row}.wav", "n_frames": length} for row, length in enumerate(LENGTHS)]
        write_manifest(tmp_path / "train.tsv", rows, ["id", "audio", "n_frames"])
        return SpeechTextDataset(
            read_manifest(tmp_path / "train.tsv"), DatasetOptions(audio_root=tmp_path, training=True, **options)
        )

    return make


def change(encoder, group):
    """Move one weight of a group."""
    name = encoder.parameter_groups()[group][0]
    with torch.no_grad():
        dict(encoder.named_parameters())[name].view(-1)[0] += 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_only_weights_in_front_of_the_stage_count(family):
    groups = [group for group in build(family).parameter_groups() if group != "final_norm"]
    first_stage = {"feature_extractor": 0, "embedding": 1, "layer.0": 1, "layer.1": 2}
    plain = build(family)
    for group in groups:
        changed = build(family)
        change(changed, group)
        for stage in range(plain.whole_stage + 1):
            same = fingerprint_encoder(changed, stage) == fingerprint_encoder(plain, stage)
            assert same is (stage < first_stage[group]), (group, stage)
    if "final_norm" in plain.parameter_groups():
        changed = build(family)
        change(changed, "final_norm")
        differs = [fingerprint_encoder(changed, stage) != fingerprint_encoder(plain, stage) for stage in range(4)]
        assert differs == [False, False, False, True]


@pytest.mark.parametrize("family", FAMILIES)
def test_stages_do_not_share_a_cache(family):
    encoder = build(family)
    assert len({fingerprint_encoder(encoder, stage) for stage in range(encoder.whole_stage + 1)}) == 4


def test_sizes_that_weights_hide_count():
    fingerprints = set()
    for heads in (2, 4):
        torch.manual_seed(0)
        encoder = build_speech_encoder({**TINY["xlsr"], "num_heads": heads})
        fingerprints |= {fingerprint_encoder(encoder, 3)}
    assert len(fingerprints) == 2


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("family", FAMILIES)
def test_cached_features_are_those_of_the_encoder(make_dataset, tmp_path, caplog, family, stage):
    dataset, encoder = make_dataset(), build(family)
    waves = [torch.from_numpy(dataset[row].source)[None] for row in range(len(LENGTHS))]
    with caplog.at_level(logging.INFO, "fairseq_samu"):
        attach_feature_cache(str(tmp_path / "cache"), dataset, encoder, stage)
    assert f", {DESCRIPTIONS[stage]}, " in caplog.text
    for row, wave in enumerate(waves):
        item = dataset[row]
        with torch.no_grad():
            expected = encoder.run_to_stage(wave, None, stage)[0][0]
        assert item.source is None
        found = torch.as_tensor(np.asarray(item.features, dtype=np.float32))
        assert found.shape == expected.shape
        # stored with 11 bits
        assert (found - expected).abs().max() < 2e-3 * expected.abs().max()


def test_a_tuned_feature_extractor_has_no_cache(make_dataset, tmp_path):
    with pytest.raises(ConfigError, match="frozen feature extractor"):
        attach_feature_cache(str(tmp_path / "cache"), make_dataset(), build("xlsr"), None)


def test_noise_has_no_cache(make_dataset, tmp_path):
    dataset = make_dataset(augment=lambda wave, rng: wave)
    with pytest.raises(ConfigError, match="without noise and gain"):
        attach_feature_cache(str(tmp_path / "cache"), dataset, build("xlsr"), 0)
