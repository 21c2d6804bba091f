"""What decoding asks of the host's generator: every search that speech allows, and one clear error for the others."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("fairseq", reason="the task stands on the host")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq import checkpoint_utils
from fairseq.dataclass.configs import GenerationConfig

from fairseq_samu.data.collate import Item, Target, collate
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.tasks._checkpoint_vocabulary import load_one_vocabulary
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig
from fairseq_samu.tasks._search import validate_search
from fairseq_samu.tasks.multitask_st import MultitaskStTask
from tests.unit.tiny_translator import TinyTranslator, make_translator

FIRST_ROW = 40  # rows are numbered within the manifest, not within the batch
SPEECH = {"encoder": object(), "decoder": object(), "has_ctc": False, "adapter_names": []}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyTranslator:
    return make_translator(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def task(tiny: TinyTranslator) -> MultitaskStTask:
    task = MultitaskStTask(MultitaskStConfig(bf16=False))
    task.load_state_dict({"vocabulary": tiny.vocabulary.state_dict()})
    return task


def batch(vocabulary: Vocabulary, text: str = "where is it") -> dict:
    rng = np.random.default_rng(0)
    items = []
    for row, (length, language) in enumerate([(9000, "en"), (7000, "fr"), (5000, "en")]):
        tokens = vocabulary.encode(text, language)
        target = Target("st", vocabulary.tag(language), vocabulary.pad, tokens)
        wave = rng.standard_normal(length).astype(np.float32) * 0.1
        items.append(Item(FIRST_ROW + row, length, wave, target=target))
    return collate(items)


def search(task: MultitaskStTask, tiny: TinyTranslator, sample: dict, models: int = 1, **options: object) -> list:
    config = GenerationConfig(max_len_b=8, **options)
    ensemble = [tiny.model] * models
    return task.inference_step(task.build_generator(ensemble, config), ensemble, sample)


@pytest.mark.parametrize(
    "options",
    [
        {"beam": 4, "diverse_beam_groups": 2, "diverse_beam_strength": 0.5},
        {"beam": 2, "sampling": True, "sampling_topk": 5, "nbest": 2},
        {"beam": 2, "diversity_rate": 0.5},
        {"beam": 2, "models": 2},
    ],
)
def test_every_search_begins_with_the_tag_of_the_row(
    task: MultitaskStTask, tiny: TinyTranslator, options: dict
) -> None:
    sample = batch(task.vocabulary)
    found = search(task, tiny, sample, **options)
    assert len(found) == 3
    for hypotheses, tag in zip(found, sample["target_tag"], strict=True):
        assert {int(one["tokens"][0]) for one in hypotheses} == {int(tag)}
    assert sample["id"].tolist() == [FIRST_ROW, FIRST_ROW + 1, FIRST_ROW + 2]


@pytest.mark.parametrize("models", [1, 2])
def test_references_are_scored_as_the_model_scores_them(
    task: MultitaskStTask, tiny: TinyTranslator, models: int
) -> None:
    sample = batch(task.vocabulary)
    found = search(task, tiny, sample, models=models, score_reference=True)
    with torch.no_grad():
        logits = tiny.model(**sample["net_input"]).logits()
    expected = logits.log_softmax(-1).gather(2, sample["target"].unsqueeze(2)).squeeze(2)
    for row, (hypothesis,) in enumerate(found):
        length = int(sample["target_lengths"][row])
        assert torch.equal(hypothesis["tokens"], sample["target"][row, :length])
        torch.testing.assert_close(hypothesis["positional_scores"], expected[row, :length])


@pytest.mark.parametrize("option", [{"score_reference": True}, {"prefix_size": 1}], ids=str)
def test_what_needs_texts_is_refused_without_them(task: MultitaskStTask, tiny: TinyTranslator, option: dict) -> None:
    task.datasets["test"] = SimpleNamespace(has_texts=False)
    with pytest.raises(ConfigError, match="left out without texts"):
        task.build_generator([tiny.model], GenerationConfig(**option))
    task.datasets["test"] = SimpleNamespace(has_texts=True)
    task.build_generator([tiny.model], GenerationConfig(**option))


def test_a_vocabulary_trimmed_in_decoding_keeps_all_tags(tmp_path: Path) -> None:
    own = make_translator(tmp_path)
    row = {"id": "1", "audio": "a.wav", "n_frames": 100, "tgt_text": "where is it", "tgt_lang": "en"}
    write_manifest(tmp_path / "train.tsv", [row], list(row))
    task = MultitaskStTask(MultitaskStConfig(data=str(tmp_path), trim_vocabulary="train.tsv", bf16=False))
    task.load_state_dict({"vocabulary": own.vocabulary.state_dict()})
    generator = task.build_generator([own.model], GenerationConfig(beam=2, max_len_b=8))
    assert len(task.vocabulary) < len(own.vocabulary)
    sample = batch(task.vocabulary)  # into English and French
    found = task.inference_step(generator, [own.model], sample)
    assert [int(hypotheses[0]["tokens"][0]) for hypotheses in found] == sample["target_tag"].tolist()


def test_a_longer_prefix_is_kept(task: MultitaskStTask, tiny: TinyTranslator) -> None:
    sample = batch(task.vocabulary)
    config = GenerationConfig(beam=2, max_len_b=8, prefix_size=3)
    generator = task.build_generator([tiny.model], config)
    prefix = sample["target"][:, :3]
    found = task.inference_step(generator, [tiny.model], sample, prefix_tokens=prefix)
    assert [hypotheses[0]["tokens"][:3].tolist() for hypotheses in found] == prefix.tolist()


def test_all_options_without_meaning_are_named_at_once(task: MultitaskStTask, tiny: TinyTranslator) -> None:
    with pytest.raises(ConfigError) as caught:
        task.build_generator([tiny.model], GenerationConfig(match_source_len=True, constraints="ordered"))
    assert "--match-source-len" in str(caught.value)
    assert "--constraints" in str(caught.value)


def test_one_task_is_decoded_at_a_time(tiny: TinyTranslator) -> None:
    with pytest.raises(ConfigError, match="`tasks` must be one of those learnt"):
        validate_search(MultitaskStConfig(tasks="st,asr"), GenerationConfig(), [tiny.model], has_texts=True)


def test_one_encoders_cache_is_not_for_several_models(tiny: TinyTranslator) -> None:
    cached = MultitaskStConfig(feature_cache="cache")
    validate_search(cached, GenerationConfig(), [tiny.model], has_texts=True)
    with pytest.raises(ConfigError, match="`feature_cache` must be used with one model"):
        validate_search(cached, GenerationConfig(), [tiny.model] * 2, has_texts=True)


def test_ctc_decodes_with_one_model_and_scores_nothing() -> None:
    ctc, other = (SimpleNamespace(**{**SPEECH, "decoder": decoder}) for decoder in (None, object()))
    validate_search(MultitaskStConfig(), GenerationConfig(), [ctc], has_texts=True)  # type: ignore[list-item]
    for models, options in (([ctc, ctc], {}), ([ctc, other], {}), ([ctc], {"score_reference": True})):
        with pytest.raises(ConfigError):
            validate_search(MultitaskStConfig(), GenerationConfig(**options), models, has_texts=True)  # type: ignore[arg-type]


def test_a_checkpoint_of_another_task_is_refused() -> None:
    with pytest.raises(CheckpointError, match="one of another task"):
        MultitaskStTask(MultitaskStConfig()).load_state_dict({})


def test_models_that_decode_together_have_one_vocabulary(tiny: TinyTranslator) -> None:
    vocabulary = Vocabulary()
    load_one_vocabulary(vocabulary, tiny.vocabulary.state_dict(), "multitask_st")
    load_one_vocabulary(vocabulary, tiny.vocabulary.state_dict(), "multitask_st")
    other = Vocabulary.from_sentencepiece(tiny.sentencepiece, ["en"])
    with pytest.raises(CheckpointError, match="the same in all checkpoints of --path"):
        load_one_vocabulary(vocabulary, other.state_dict(), "multitask_st")


@pytest.mark.parametrize(
    "tasks, options, fault",
    [
        ("mt", {}, "of models that read texts"),
        ("st", {"ctc_decoding": True}, "used for transcripts"),
        ("asr", {"ctc_decoding": True}, "with a CTC head"),
    ],
)
def test_a_model_must_read_what_the_task_gives_it(tasks: str, options: dict, fault: str) -> None:
    speech = SimpleNamespace(**SPEECH)
    with pytest.raises(ConfigError, match=fault):
        validate_search(MultitaskStConfig(tasks=tasks, **options), GenerationConfig(), [speech], True)


def test_a_model_of_text_hears_nothing() -> None:
    text = SimpleNamespace(encoder=None, decoder=object(), encode_text=None, adapter_names=[])
    with pytest.raises(ConfigError, match="of models that read speech"):
        validate_search(MultitaskStConfig(tasks="st"), GenerationConfig(), [text], True)
    validate_search(MultitaskStConfig(tasks="mt"), GenerationConfig(), [text], True)


def test_models_that_decode_together_number_adapters_alike() -> None:
    names = (["be"], ["be"], ["be", "ru"])
    first, same, other = (SimpleNamespace(**{**SPEECH, "adapter_names": own}) for own in names)
    validate_search(MultitaskStConfig(tasks="st"), GenerationConfig(), [first, same], True)
    with pytest.raises(ConfigError, match="of models with the same adapters, but is 'be; be, ru' instead"):
        validate_search(MultitaskStConfig(tasks="st"), GenerationConfig(), [first, other], True)


@pytest.mark.parametrize(
    ("tasks", "criterion", "options", "warned"),
    [
        ("asr", {"_name": "consistency_multitask"}, {}, True),
        ("asr", {"_name": "consistency_multitask", "asr_ce_weight": 0.3}, {}, False),
        ("st", {"_name": "consistency_multitask"}, {}, False),
        ("asr", {"_name": "ctc_ce", "ce_weight": 0.0}, {}, True),
        ("asr", {"_name": "ctc_ce", "ce_weight": 0.0}, {"ctc_decoding_weight": 0.3}, True),
        ("asr", {"_name": "ctc_ce", "ce_weight": 0.0}, {"ctc_decoding_weight": 1.0}, False),
        ("asr", {"_name": "ctc_ce", "ce_weight": 0.0}, {"ctc_decoding": True}, False),
        ("asr", {"_name": "ctc_ce"}, {}, False),
    ],
)
def test_a_decoder_that_never_learnt_transcripts_is_warned_of(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    tasks: str,
    criterion: dict,
    options: dict,
    warned: bool,
) -> None:
    path = make_translator(tmp_path, ctc_head=True).save(tmp_path / "checkpoint.pt")
    state = torch.load(path, weights_only=False)
    state["cfg"]["criterion"] = criterion
    torch.save(state, path)
    task = MultitaskStTask(MultitaskStConfig(tasks=tasks, bf16=False, **options))
    models, _ = checkpoint_utils.load_model_ensemble([str(path)], task=task)
    caplog.clear()
    task.build_generator(models, GenerationConfig(beam=1))
    told = [record.getMessage() for record in caplog.records]
    assert told == ["the decoder of this model was trained without transcripts: add --ctc-decoding"] * warned
