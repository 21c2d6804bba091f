"""Rows of data sets and the adapters of a model: numbers by task, policies, refusals, rows that teach nothing."""

from types import SimpleNamespace

import pytest
from torch import nn

pytest.importorskip("fairseq", reason="the data sets are the host's kind")

from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.errors import ManifestError
from fairseq_samu.models.adapter_inputs import find_adapter_inputs
from fairseq_samu.tasks._adapter_routing import route_dataset
from fairseq_samu.tasks._multitask_data import build_dataset
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig
from tests.unit.data.test_targets import FakeVocabulary as PlainVocabulary

ROWS = [("1", "be", "en", ""), ("2", "ru", "de", ""), ("3", "be", "en", "news"), ("4", "cs", "de", "")]
NAMES = ["be", "ru", "news", "en"]


class FakeVocabulary(PlainVocabulary):
    def tag(self, language):
        return 10


class FakeModel:
    """The groups of a model whose adapters have a parameter each.

    Args:
        encoder: names of the encoder's adapters.
        decoder: names of the decoder's.
        tuned: names of groups, of adapters or others, that are tuned.
    """

    def __init__(self, encoder=NAMES, decoder=NAMES, tuned=("bridge",), names=NAMES):
        self.adapter_names = list(names)
        groups = [f"encoder_adapters.{name}" for name in encoder] + [f"decoder_adapters.{name}" for name in decoder]
        self.groups = {group: [nn.Linear(1, 1).weight.requires_grad_(group in tuned)] for group in [*groups, "bridge"]}

    def parameter_groups(self):
        return self.groups


@pytest.fixture
def build(tmp_path):
    def write(name, rows, with_column=True):
        fields = [
            {"id": f"{name}{id}", "audio": f"{id}.wav", "n_frames": 1600, "src_text": "ano", "src_lang": source}
            | {"tgt_text": "yes", "tgt_lang": target, "adapter": adapter}
            for id, source, target, adapter in rows
        ]
        columns = [column for column in fields[0] if column != "adapter" or with_column]
        write_manifest(tmp_path / f"{name}.tsv", [{c: row[c] for c in columns} for row in fields], columns)

    def make(tasks, split="train", rows=ROWS, decoding=False, with_column=True, **options):
        write(split, rows, with_column)
        if "extra_manifests" in options:
            write("other", ROWS[1:2])
        given = {"data": str(tmp_path), "tasks": tasks, "seed": 1, **options}
        cfg = SimpleNamespace(**{**vars(MultitaskStConfig()), **given})
        return build_dataset(cfg, FakeVocabulary(), split, decoding)

    return make


def numbers(dataset, key):
    """Number of each row that the data set of a manifest hands out, by its place in the manifest."""
    return {row: dataset.adapters_of(row)[key] for row in dataset.rows.tolist()}


def test_encoder_by_the_speech_and_decoder_by_the_text(build):
    dataset = build("st", "valid")
    route_dataset(dataset, FakeModel(), "base")
    assert numbers(dataset, "source_adapter") == {0: 0, 1: 1, 2: 2, 3: -1}
    assert numbers(dataset, "target_adapter") == {0: 3, 1: -1, 2: 2, 3: -1}


def test_a_transcript_is_in_the_language_of_its_speech(build):
    dataset = build("asr", "valid", with_column=False)
    route_dataset(dataset, FakeModel(), "nearest")
    assert numbers(dataset, "source_adapter") == numbers(dataset, "target_adapter") == {0: 0, 1: 1, 2: 0, 3: -1}


def test_texts_pass_the_decoder_alone(build):
    dataset = build("mt", "valid")
    route_dataset(dataset, FakeModel(), "base")
    (batch,) = [dataset.collater([dataset[row] for row in range(4)])]
    assert batch["net_input"]["target_adapters"].tolist() == [3, -1, 2, -1]
    assert "source_adapters" not in batch["net_input"]


def test_a_part_without_named_adapters_is_not_asked(build):
    """Translation into a language without adapter, through a model whose adapters are all in the encoder."""
    dataset = build("st", "valid", ROWS[:2])
    route_dataset(dataset, FakeModel(decoder=()), "error")
    assert numbers(dataset, "source_adapter") == {0: 0, 1: 1}
    assert set(dataset.adapters_of(0)) == {"source_adapter"}
    plain = build("st", "valid")
    route_dataset(plain, FakeModel((), (), names=()), "error")
    assert plain.adapters_of(0) == {}


def test_every_part_of_several_tasks_is_routed(build):
    dataset = build("st,asr,mt", joint_tasks=True, extra_manifests="asr=other.tsv")
    route_dataset(dataset, FakeModel(), "base")
    speech, (first, second), text = dataset.parts[0], dataset.parts[1].parts, dataset.parts[2]
    assert numbers(speech, "target_adapter") == {0: 3, 1: -1, 2: 2, 3: -1}
    assert numbers(first, "target_adapter") == {0: 0, 1: 1, 2: 2, 3: -1}
    assert numbers(second, "target_adapter") == numbers(second, "source_adapter") == {0: 1}
    assert set(text.adapters_of(0)) == {"target_adapter"}


def test_all_languages_without_adapter_stand_in_one_error(build):
    """Czech is missed in encoder and decoder and by two tasks: still one row."""
    dataset = build("asr,st", "valid")
    with pytest.raises(ManifestError) as caught:
        route_dataset(dataset, FakeModel(), "error")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(dataset.parts[0].manifest.path)
    assert "'cs (1 rows), de (2 rows)'" in text
    for mend in ("be, ru, news, en", "--missing-adapter", "base", "nearest", "`adapter`"):
        assert mend in text
    assert dataset.parts[0].adapters_of(0) == {}, "nothing is half routed"


def test_rows_that_are_not_used_need_no_adapter(build):
    dataset = build("asr", languages="be,ru")
    route_dataset(dataset, FakeModel(), "error")
    assert numbers(dataset, "source_adapter") == {0: 0, 1: 1, 2: 2}


def test_rows_of_no_known_language_are_named(build):
    dataset = build("st", "valid", target_language="en")
    dataset.manifest.languages.clear()
    with pytest.raises(ManifestError, match=r"'of no known language \(3 rows\)'"):
        route_dataset(dataset, FakeModel(), "error")


def test_tuned_adapters_are_found_by_part():
    tuned = ("encoder_adapters.ru", "decoder_adapters.be", "decoder_adapters.en")
    assert find_adapter_inputs(FakeModel(tuned=tuned)) == {"source_adapters": [1], "target_adapters": [0, 3]}
    assert find_adapter_inputs(FakeModel(decoder=(), tuned=())) == {"source_adapters": []}


def test_training_takes_rows_that_reach_a_tuned_adapter(build, caplog):
    dataset = build("asr")
    route_dataset(dataset, FakeModel(tuned=("encoder_adapters.be", "decoder_adapters.ru")), "base")
    assert dataset.rows.tolist() == [0, 1]
    assert (
        "2 of 4 rows are left out of training, going through none of the adapters that are tuned (be, ru)"
        in caplog.text
    )
    assert "train3, train4" in caplog.text
    for split, tuned in (("train", ("encoder_adapters.be", "bridge")), ("valid", ("encoder_adapters.be",))):
        whole = build("asr", split)
        route_dataset(whole, FakeModel(tuned=tuned), "base")
        assert len(whole) == 4, "all rows teach what else is tuned, or are measured"


def test_training_without_a_row_of_what_is_tuned_is_refused(build, caplog):
    for tuned in (("encoder_adapters.en",), ("encoder_adapters.en", "bridge")):
        with pytest.raises(ManifestError) as caught:
            route_dataset(build("asr"), FakeModel(tuned=tuned), "base")
        for part in ("tuned, en,", "'of be, news, ru alone'", "--tuned-adapters", "--tuned-groups"):
            assert part in str(caught.value)
    route_dataset(build("asr", "valid"), FakeModel(tuned=("encoder_adapters.en",)), "base")
    caplog.clear()
    route_dataset(build("asr"), FakeModel(tuned=("encoder_adapters.en", "encoder_adapters.be")), "base")
    assert "no row goes through the encoder's adapters en, which are tuned" in caplog.text


def test_a_corpus_that_teaches_nothing_is_refused(build):
    dataset = build("asr", rows=ROWS[:1], extra_manifests="asr=other.tsv")
    with pytest.raises(ManifestError, match=r"other.tsv: `rows` must be one at least that goes through.*\(be\)"):
        route_dataset(dataset, FakeModel(tuned=("encoder_adapters.be",)), "base")
