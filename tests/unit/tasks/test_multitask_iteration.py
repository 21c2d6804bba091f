"""Joint batches as the host hands them out: data workers, a killed epoch, a dropped task, noise in the sources."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("fairseq", reason="the iterator is the host's")

from fairseq.tasks import FairseqTask

from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.data.sentencepiece_training import SentencePieceOptions, train_sentencepiece
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.tasks._multitask_data import build_dataset
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
LIMIT = 12_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty recordings of noise, each said to be a few words."""
    home = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(7)
    rows = []
    for number in range(20):
        samples = 1000 + 150 * number
        soundfile.write(home / f"{number}.wav", rng.uniform(-0.5, 0.5, samples), 16000)
        said = " ".join(rng.choice(WORDS, 1 + number % 5)) + "."
        columns = {"id": str(number), "audio": f"{number}.wav", "n_frames": samples}
        rows.append({**columns, "src_text": said, "src_lang": "en", "tgt_text": said.upper(), "tgt_lang": "fr"})
    write_manifest(home / "train.tsv", rows, list(rows[0]))
    texts = [text for row in rows for text in (row["src_text"], row["tgt_text"])]
    (home / "pieces.model").write_bytes(train_sentencepiece(texts, SentencePieceOptions(size=45)))
    return home


def make(folder):
    given = {"data": str(folder), "tasks": "st,asr,mt", "seed": 3, "joint_tasks": True, "task_ratios": "asr=0.5,mt=2"}
    drawn = {"speed_factors": "0.9,1.0,1.1", "noise_prob": 0.5, "gain_db": 3.0, "source_noise_prob": 1.0}
    cfg = SimpleNamespace(**{**vars(MultitaskStConfig()), **given, **drawn})
    vocabulary = Vocabulary.from_sentencepiece(folder / "pieces.model", ["en", "fr"])
    return build_dataset(cfg, vocabulary, "train", for_decoding=False)


def iterate(dataset, epoch, **options):
    return FairseqTask(SimpleNamespace()).get_batch_iterator(
        dataset, max_tokens=LIMIT, required_batch_size_multiple=8, seed=3, epoch=epoch, **options
    )


def require_equal(one, two):
    """Batches are equal to the last bit."""
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            require_equal(one[key], two[key])
    else:
        assert torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


@pytest.fixture(scope="module")
def epoch(folder):
    """All batches of epoch 2."""
    return list(iterate(make(folder), 2).next_epoch_itr())


def test_an_epoch_is_all_rows_of_the_main_task_within_the_limit(epoch):
    assert sorted(row for batch in epoch for row in batch["tasks"]["st"]["id"].tolist()) == list(range(20))
    counts = {task: [len(batch["tasks"].get(task, {}).get("id", ())) for batch in epoch] for task in ("asr", "mt")}
    assert sum(counts["asr"]) in range(8, 11)  # a batch of one row has none where the ratio is a half
    assert sum(counts["mt"]) == 40
    for batch in epoch:
        for task in ("st", "asr"):
            part = batch["tasks"].get(task)
            assert part is None or part["nsentences"] == 1 or part["net_input"]["source"].numel() <= LIMIT


def test_sources_of_text_translation_have_noise_and_targets_have_none(epoch):
    parts = [batch["tasks"]["mt"] for batch in epoch]
    assert any((part["net_input"]["source_tokens"] == 0).any() for part in parts)
    assert not any((part["target"] == 0).any() for part in parts)
    transcripts = [part["transcript"] for batch in epoch for task, part in batch["tasks"].items() if task != "mt"]
    assert transcripts and not any((tokens == 0).any() for tokens in transcripts)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_killed_epoch_goes_on_to_the_same_bits(folder, epoch, num_workers):
    killed = iterate(make(folder), 2, num_workers=num_workers)
    running = killed.next_epoch_itr()
    require_equal([next(running), next(running)][1], epoch[1])
    state = killed.state_dict()
    resumed = iterate(make(folder), state["epoch"], num_workers=num_workers)
    resumed.load_state_dict(state)
    rest = list(resumed.next_epoch_itr())
    assert len(rest) == len(epoch) - 2
    for one, two in zip(rest, epoch[2:], strict=True):
        require_equal(one, two)


def test_dropping_a_task_leaves_the_bits_of_the_others(folder, epoch):
    dataset = make(folder)
    running = iterate(dataset, 2).next_epoch_itr()
    next(running)
    dataset.drop("asr")
    for batch, whole in zip(running, epoch[1:], strict=True):
        assert "asr" not in batch["tasks"]
        for task in batch["tasks"]:
            require_equal(batch["tasks"][task], whole["tasks"][task])
        assert batch["ntokens"] == batch["tasks"]["st"]["ntokens"]


def test_the_workers_of_a_training_share_joint_batches(folder, epoch):
    shards = [list(iterate(make(folder), 2, num_shards=2, shard_id=shard).next_epoch_itr()) for shard in (0, 1)]
    together = [batch for pair in zip(*shards, strict=True) for batch in pair]
    assert together[len(epoch) :] in ([], [{}])  # where batches are odd in number the second gets an empty one
    for one, two in zip(together, epoch, strict=False):
        require_equal(one, two)
