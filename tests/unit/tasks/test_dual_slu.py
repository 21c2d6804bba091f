"""The task of understanding: its options, its state in checkpoints, and what it asks of manifests."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

pytest.importorskip("fairseq", reason="the task is the host's kind")

from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.errors import CheckpointError, ConfigError, ManifestError
from fairseq_samu.models.samu_slu import SamuSluConfig, SamuSluModel
from fairseq_samu.tasks._dual_slu_config import DualSluConfig, validate
from fairseq_samu.tasks.dual_slu import DualSluTask
from tests.unit.models.conftest import TINY

COLUMNS = ["id", "audio", "n_frames", "src_text", "tgt_text"]
GOOD = ("je veux deux", "je veux <nombre> deux >")
VOCABULARY = ConceptVocabulary.from_texts([GOOD[1]])


@pytest.fixture
def make_task(tmp_path):
    """A task over a manifest of (src_text, tgt_text) pairs, with a stand-in for the teacher's table."""

    def make(*pairs, split="train", teacher=True, rests=False, columns=COLUMNS, **options):
        cells = [{"id": str(n), "audio": "a.wav", "n_frames": 16000} for n in range(len(pairs))]
        rows = [{**cell, "src_text": plain, "tgt_text": tags} for cell, (plain, tags) in zip(cells, pairs, strict=True)]
        write_manifest(tmp_path / f"{split}.tsv", [{key: row[key] for key in columns} for row in rows], columns)
        VOCABULARY.save(tmp_path / "labels.txt")
        cfg = OmegaConf.structured(DualSluConfig(data=str(tmp_path), seed=1, **options))
        task = DualSluTask(cfg, SimpleNamespace(dim=3) if teacher else None)
        task.vocabulary.load_state_dict(VOCABULARY.state_dict())
        task._model = SimpleNamespace(slu_rests=rests)
        return task

    return make


def test_all_bad_options_are_reported_at_once(tmp_path):
    wrong = {"data": str(tmp_path / "absent"), "train_share": 0.0, "sampling_alpha": 2.0, "ngram_weight": -1.0}
    with pytest.raises(ConfigError) as caught:
        validate(DualSluConfig(**wrong, ngram_model=str(tmp_path / "absent.arpa")))
    assert all(f"`{name}` must be" in str(caught.value) for name in (*wrong, "ngram_model"))
    with pytest.raises(ConfigError, match="`train_minutes` must be 0 or more"):
        validate(DualSluConfig(data=str(tmp_path), train_minutes=-1.0))
    with pytest.raises(ConfigError, match="`train_share` must be 1 where train_minutes says how much"):
        validate(DualSluConfig(data=str(tmp_path), train_minutes=3.0, train_share=0.5))
    validate(DualSluConfig(data=str(tmp_path), train_minutes=3.0))


def test_a_checkpoints_task_needs_nothing_of_the_machine_that_trained():
    paths = {"data": "/gone", "teacher_table": "/gone/teacher", "concept_prefixes": "/gone/relax.tsv"}
    task = DualSluTask.setup_task(OmegaConf.structured(DualSluConfig(**paths)), from_checkpoint=True)
    assert task.teacher is None and task.prefixes == {}
    assert len(task.target_dictionary) == 4 and task.source_dictionary is None


def test_labels_stand_in_checkpoints(make_task):
    state = make_task(GOOD).state_dict()
    assert all(isinstance(tensor, torch.Tensor) for tensor in state["vocabulary"].values())
    other = DualSluTask.setup_task(OmegaConf.structured(DualSluConfig()), from_checkpoint=True)
    dictionary = other.target_dictionary
    other.load_state_dict(state)
    assert other.vocabulary.labels == VOCABULARY.labels
    assert other.target_dictionary is dictionary and len(dictionary) == len(VOCABULARY)
    with pytest.raises(CheckpointError, match="--task dual_slu"):
        other.load_state_dict({})


def test_rows_have_labels_where_tags_are_learnt(make_task):
    manifest, targets = make_task(GOOD, GOOD).read_rows("train", with_text=True)
    assert len(manifest) == 2
    assert targets.tokens(1).tolist() == [*VOCABULARY.encode(GOOD[1]), VOCABULARY.eos]


def test_distillation_alone_needs_no_annotation(make_task):
    task = make_task(GOOD, rests=True, columns=COLUMNS[:-1])
    assert task.read_rows("train", with_text=True)[1] is None
    with pytest.raises(ManifestError, match="tgt_text"):
        make_task(GOOD, columns=COLUMNS[:-1]).read_rows("train", with_text=True)
    _, targets = make_task(GOOD, columns=COLUMNS[:-1]).read_rows("train", with_text=False)
    assert not targets.has_texts, "decoding needs none either"


def test_unknown_tags_end_training_and_are_named_in_a_test_set(make_task, caplog):
    pair = ("deux", "<number> deux >")
    with pytest.raises(ManifestError, match=r"train\.tsv:3: .*<number>"):
        make_task(GOOD, pair).read_rows("train", with_text=True)
    with caplog.at_level(logging.WARNING, "fairseq_samu"):
        make_task(GOOD, pair, split="test").read_rows("test", with_text=True)
    assert "labels that the model cannot write" in caplog.text and "<number> (1)" in caplog.text
    with pytest.raises(ManifestError, match=r"test\.tsv:3: "):
        make_task(GOOD, ("deux", "<nombre> deux"), split="test").read_rows("test", with_text=True)


def test_relaxed_names_come_from_a_file(make_task, tmp_path):
    (tmp_path / "relax.tsv").write_text("number-*,nombre\n", encoding="utf-8")
    task = make_task(("deux", "<number-rooms> deux >"), concept_prefixes=str(tmp_path / "relax.tsv"))
    assert task.read_rows("train", with_text=True)[1].text(0) == "<nombre> deux >"


def test_the_teachers_text_has_no_tags_unless_it_is_asked_for(make_task):
    told = (GOOD[1], GOOD[1])
    with pytest.raises(ManifestError, match=r"train\.tsv:2: `src_text` must be text without tags"):
        make_task(told).read_rows("train", with_text=True)
    assert make_task(told, teacher=False).read_rows("train", with_text=True)[1].has_texts
    assert make_task(told, teacher_text_column="tgt_text").read_rows("train", with_text=True)[1].has_texts


def test_sizes_come_from_labels_and_teacher(make_task):
    cfg = OmegaConf.structured(SamuSluConfig())
    make_task(GOOD)._fill_sizes(cfg, None)
    assert (cfg.num_labels, cfg.embedding_dim) == (len(VOCABULARY), 3)
    cfg = OmegaConf.structured(SamuSluConfig(embedding_dim=8))
    loaded = SimpleNamespace(config={"family": "whisper"}, head_config={"num_pooling_heads": 2})
    make_task(GOOD, teacher=False)._fill_sizes(cfg, loaded)
    assert (cfg.embedding_dim, cfg.num_pooling_heads, json.loads(cfg.encoder_config)) == (8, 2, {"family": "whisper"})


@pytest.mark.parametrize("option", ["concept_labels", ""])
def test_labels_come_from_the_data_folder_or_the_option(make_task, tmp_path, option):
    other = ConceptVocabulary.from_texts(["<x> y >"])
    other.save(tmp_path / "other.txt")
    task = make_task(GOOD, **({option: str(tmp_path / "other.txt")} if option else {}))
    assert task._read_labels().labels == (other if option else VOCABULARY).labels


def test_nothing_rests_by_itself_but_an_encoder(make_task):
    """What a head's weight of zero freezes is no parameter of the optimizer; an encoder may rest for a while."""
    task = make_task(GOOD)
    sizes = {"lstm_dim": 4, "num_lstm_layers": 1, "slu_hidden_dim": 4, "num_labels": 9, "embedding_dim": 3, "seed": 1}
    cfg = SamuSluConfig(encoder_config=json.dumps(TINY["xlsr"]), head_only_updates=2, **sizes)
    task._model = SamuSluModel.build_model(cfg)
    assert len(list(task.resting_parameters())) == len(list(task._model.encoder.parameters()))
    task._model.set_num_updates(2)
    assert not list(task.resting_parameters())


@pytest.mark.parametrize(
    ("weights", "teacher", "rule"),
    [
        ({"slu_weight": None, "semantic_weight": None}, True, "`criterion` must be dual_slu"),
        ({"slu_weight": 1.0, "semantic_weight": 1.0}, False, "`teacher_table` must be given"),
    ],
)
def test_what_is_learnt_must_be_said_before_anything_is_read(make_task, weights, teacher, rule):
    task = make_task(GOOD, teacher=teacher)
    with pytest.raises(ConfigError, match=rule):
        task.build_model(OmegaConf.structured(SamuSluConfig(**weights)))


def test_another_criterion_leaves_the_weights_open():
    """The host resolves all options at once, before the task can say what is wrong."""
    cfg = OmegaConf.create({"model": OmegaConf.structured(SamuSluConfig(seed=1)), "criterion": {"_name": "other"}})
    for name in ("slu_weight", "semantic_weight"):
        assert cfg.model[name] is None
    cfg.criterion.slu_weight = 3.0
    assert cfg.model.slu_weight == 3.0


def test_a_sentence_head_of_another_size_than_the_teachers_is_named(make_task):
    task = make_task(GOOD)
    cfg = OmegaConf.structured(SamuSluConfig())
    task._fill_sizes(cfg, None)
    assert cfg.embedding_dim == 3
    with pytest.raises(ConfigError, match="`embedding_dim` must be the teacher's 3, but is '4'"):
        task._fill_sizes(cfg, SimpleNamespace(config={}, head_config={"embedding_dim": 4}))
