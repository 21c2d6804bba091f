"""The data set of a split: which kind, which manifests, transcripts, texts without speech."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

pytest.importorskip("fairseq", reason="the data sets are the host's kind")

from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.joint_dataset import JointTaskDataset
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.data.mixed_corpora import MixedCorpora
from fairseq_samu.data.multitask_dataset import MultitaskDataset
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.data.text_pairs import TextPairDataset
from fairseq_samu.errors import ManifestError
from fairseq_samu.tasks._multitask_data import build_dataset
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig
from tests.unit.data.test_targets import FakeVocabulary

ROWS = [("a", "ano", "yes", "en"), ("a", "ano", "ja", "de"), ("b", "ne", "no", "en"), ("c", "dobrý den", "hello", "en")]


def write_corpus(path, rows=ROWS, without=(), value=0.25):
    """A manifest, and recordings of its own beside it."""
    path.parent.mkdir(exist_ok=True)
    fields = []
    for number, (audio, said, written, language) in enumerate(rows):
        samples = 1600 + 160 * ord(audio)
        soundfile.write(path.parent / f"{audio}.wav", np.full(samples, value + number / 100, np.float32), 16000)
        columns = {"id": f"{path.parent.name}-{number}", "audio": f"{audio}.wav", "n_frames": samples}
        fields.append({**columns, "src_text": said, "src_lang": "cs", "tgt_text": written, "tgt_lang": language})
    names = [name for name in fields[0] if name not in without]
    write_manifest(path, [{name: row[name] for name in names} for row in fields], names)


@pytest.fixture
def build(tmp_path):
    write_corpus(tmp_path / "data" / "train.tsv")
    write_corpus(tmp_path / "data" / "valid.tsv")

    def make(tasks, split="train", decoding=False, max_positions=None, **options):
        given = {"data": str(tmp_path / "data"), "tasks": tasks, "seed": 1, **options}
        cfg = SimpleNamespace(**{**vars(MultitaskStConfig()), **given})
        return build_dataset(cfg, FakeVocabulary(), split, decoding, max_positions)

    return make


def collate_all(dataset):
    return [dataset.collater([dataset[row] for row in batch]) for batch in cut(dataset)]


def cut(dataset):
    return dataset.batch_by_size(dataset.ordered_indices(), max_tokens=10**6, max_sentences=8)


def test_one_task_is_a_data_set_of_its_own(build):
    dataset = build("st")
    assert type(dataset) is SpeechTextDataset
    (batch,) = collate_all(dataset)
    assert len(batch["id"]) == 4
    assert not {"transcript", "tasks"} & set(batch)


def test_several_tasks_have_batches_of_their_own_and_read_the_manifest_once(build):
    dataset = build("st,asr")
    assert type(dataset) is MultitaskDataset
    assert dataset.parts[0].manifest is dataset.parts[1].manifest
    batches = collate_all(dataset)
    assert [(batch["task"], batch["nsentences"]) for batch in batches] == [("st", 4), ("asr", 3)]
    assert all("transcript" not in batch for batch in batches)


def test_joint_batches_have_every_task_and_transcripts(build):
    dataset = build("st,asr,mt", joint_tasks=True, task_ratios="asr=0.5,mt=2")
    assert type(dataset) is JointTaskDataset
    (batch,) = collate_all(dataset)
    assert {task: part["nsentences"] for task, part in batch["tasks"].items()} == {"st": 4, "asr": 2, "mt": 8}
    said = {row: [*map(ord, text)] for row, (_, text, *_) in enumerate(ROWS)}
    for task in ("st", "asr"):
        part = batch["tasks"][task]
        for row, tokens, length in zip(part["id"], part["transcript"], part["transcript_lengths"], strict=True):
            assert tokens[:length].tolist() == said[int(row)]
    assert set(batch["tasks"]["mt"]["net_input"]) == {"source_tokens", "prev_output_tokens"}
    assert "transcript" not in batch["tasks"]["mt"]


def test_recognition_that_shares_speech_has_no_rows_of_its_own_in_training(build):
    dataset = build("st,asr,mt", joint_tasks=True, shared_asr=True)
    assert dataset.tasks == ["st", "mt"]
    (batch,) = collate_all(dataset)
    assert sorted(batch["tasks"]["st"]["id"].tolist()) == [0, 1, 2, 3]
    assert "transcript" in batch["tasks"]["st"]
    validation = build("st,asr", "valid", joint_tasks=True, shared_asr=True)
    assert [batch["task"] for batch in collate_all(validation)] == ["st", "asr"]


def test_the_main_task_alone_can_be_joint(build):
    (batch,) = collate_all(build("st", joint_tasks=True))
    assert list(batch["tasks"]) == ["st"]
    assert "transcript" in batch["tasks"]["st"]


def test_validation_has_batches_of_one_task_with_transcripts(build):
    dataset = build("st,asr,mt", "valid", joint_tasks=True)
    assert type(dataset) is MultitaskDataset
    batches = collate_all(dataset)
    assert [(batch["task"], batch["nsentences"]) for batch in batches] == [("st", 4), ("asr", 4), ("mt", 4)]
    assert ["transcript" in batch for batch in batches] == [True, True, False]


def test_transcripts_are_filled_in_every_row_or_absent(build, tmp_path):
    write_corpus(tmp_path / "data" / "train.tsv", without=("src_text",))
    (batch,) = collate_all(build("st", joint_tasks=True))
    assert "transcript" not in batch["tasks"]["st"]
    rows = [(audio, "" if audio == "a" else said, *rest) for audio, said, *rest in ROWS]
    write_corpus(tmp_path / "data" / "train.tsv", rows)
    assert len(build("st")) == 4
    with pytest.raises(ManifestError) as caught:
        build("st", joint_tasks=True)
    assert str(caught.value).count("`src_text` must be filled in every row") == 2


def test_text_translation_alone_needs_no_recordings(build, tmp_path):
    write_corpus(tmp_path / "data" / "train.tsv", without=("audio", "n_frames", "src_lang"))
    dataset = build("mt")
    assert type(dataset) is TextPairDataset
    assert [batch["nsentences"] for batch in collate_all(dataset)] == [4]
    with pytest.raises(ManifestError, match="`audio`"):
        build("st,mt")


def test_every_row_is_decoded_as_it_is(build, tmp_path):
    write_corpus(tmp_path / "data" / "train_part.tsv", without=("tgt_text", "tgt_lang", "audio", "n_frames"))
    dataset = build("mt", "train_part", decoding=True, target_language="en", source_noise_prob=1.0, train_share=0.5)
    (batch,) = collate_all(dataset)
    assert sorted(batch["id"].tolist()) == [0, 1, 2, 3]
    assert batch["target"] is None
    row = batch["id"].tolist().index(3)
    assert batch["net_input"]["source_tokens"][row].tolist() == [*map(ord, "dobrý den")]


def test_speech_is_decoded_without_transcripts_and_without_rows_left_out(build, tmp_path):
    write_corpus(tmp_path / "data" / "train.tsv", without=("src_text", "tgt_text"))
    dataset = build("st", decoding=True, joint_tasks=True, max_audio_seconds=0.01, speed_factors="0.9,1.1")
    assert type(dataset) is SpeechTextDataset
    (batch,) = collate_all(dataset)
    assert sorted(batch["id"].tolist()) == [0, 1, 2, 3]
    assert batch["net_input"]["padding_mask"].shape[1] == 1600 + 160 * ord("c")


def test_further_corpora_have_their_own_recordings_and_are_for_training(build, tmp_path):
    write_corpus(tmp_path / "other" / "train.tsv", ROWS[2:], value=0.75)
    options = {"extra_manifests": "asr=../other/train.tsv,mt=../other/train.tsv", "joint_tasks": True}
    dataset = build("st,asr,mt", **options)
    assert [type(part) for part in dataset.parts] == [SpeechTextDataset, MixedCorpora, MixedCorpora]
    assert [len(part) for part in dataset.parts] == [4, 3 + 2, 4 + 2]
    corpora = dataset.parts[1]
    assert float(corpora[0].source[0]) == pytest.approx(0.25, abs=0.02)
    assert float(corpora[corpora.stride].source[0]) == pytest.approx(0.75, abs=0.02)
    assert corpora[corpora.stride].target.transcript.tolist() == [*map(ord, "ne")]
    assert type(build("st,asr,mt", "valid", **options).parts[1]) is SpeechTextDataset
    assert type(build("asr", decoding=True, **options)) is SpeechTextDataset


def test_corpora_share_an_epoch_by_the_temperature(build, tmp_path):
    write_corpus(tmp_path / "other" / "train.tsv", ROWS[:1])
    dataset = build("st", extra_manifests="st=../other/train.tsv", corpus_temperature=1e9)
    assert np.bincount(dataset.ordered_indices() // dataset.stride).tolist() in ([3, 2], [2, 3])


def test_transcripts_of_some_corpora_are_of_no_use(build, tmp_path, caplog):
    write_corpus(tmp_path / "other" / "train.tsv", without=("src_text",))
    dataset = build("st,asr", extra_manifests="st=../other/train.tsv", joint_tasks=True)
    (batch,) = collate_all(dataset)
    assert ["transcript" in batch["tasks"][task] for task in ("st", "asr")] == [False, True]
    assert "no transcripts beside the targets, because manifests lack src_text: " in caplog.text


def test_texts_beside_speech_have_a_limit_of_their_own(build):
    longest = max(len(said) + len(written) + 2 for _, said, written, _ in ROWS)
    batches = collate_all(build("st,mt", "valid", max_text_tokens=2 * longest))
    assert [batch["nsentences"] for batch in batches if batch["task"] == "st"] == [4]
    assert [batch["grid"] <= 2 * longest for batch in batches if batch["task"] == "mt"] == [True, True]
    assert [batch["nsentences"] for batch in collate_all(build("mt", "valid", max_text_tokens=1))] == [4]


def test_positions_of_the_model_limit_texts(build, caplog):
    with pytest.raises(ManifestError, match="at most 6 tokens long"):
        build("st", max_positions=6)
    assert len(build("mt", max_positions=6)) == 3
    assert "1 of 4 rows are left out of training" in caplog.text
    assert len(build("st", decoding=True, max_positions=6)) == 4


def test_recordings_of_several_tasks_are_cached_once(build, tmp_path):
    dataset = build("st,asr,mt", joint_tasks=True)
    encoded = []

    def encode(waves):
        encoded.extend(waves)
        return [np.full((3, 2), len(wave) / 1e5, np.float16) for wave in waves]

    cache = FeatureCache(tmp_path / "cache", "0" * 64, 2)
    assert dataset.use_cache(cache, encode, 16000 * 60) >= 0
    assert len(encoded) == len(cache) == 3
    (batch,) = collate_all(dataset)
    assert {task: "features" in part["net_input"] for task, part in batch["tasks"].items()} == {
        "st": True,
        "asr": True,
        "mt": False,
    }
