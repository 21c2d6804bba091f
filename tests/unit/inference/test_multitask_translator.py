"""Checkpoints of multitask_st from Python and by `convert`: speech, CTC, texts, and models of text alone."""

import json

import pytest
import torch
from torch import nn

pytest.importorskip("fairseq", reason="the search is the host's")

from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.cli.main import main
from fairseq_samu.data.targets import encode_source
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.speech_translator import SpeechTranslator
from fairseq_samu.inference.texts import batch_texts
from fairseq_samu.models.joint_search_view import JointSearchView
from fairseq_samu.models.multitask_st import MultitaskStConfig, MultitaskStModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.inference.conftest import ENCODERS
from tests.unit.inference.test_speech_translator import greedy, waves
from tests.unit.tiny_sentencepiece import TEXTS, train_model

TEXT = {"dim": 24, "ffn_dim": 40, "num_heads": 4, "num_layers": 2, "decoder_layers": 2, "max_positions": 30}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    pieces = train_model(tmp_path_factory.mktemp("pieces"))
    return Vocabulary.from_sentencepiece(pieces, ["en", "fr"])


@pytest.fixture
def write(tmp_path, vocabulary):
    """Writer of checkpoints as the trainer leaves them, of a tiny model with random weights."""

    def write(tasks="st,asr,mt", updates=7, criterion=None, **options):
        torch.manual_seed(2)
        settings = {
            "encoder_config": json.dumps(ENCODERS["xlsr"]),
            "text_config": json.dumps(TEXT),
            "compressor_heads": 4,
            "compressor_ffn_dim": 32,
            "tuned_groups": "projection,compressor,text_encoder,decoder",
            **options,
        }
        cfg = MultitaskStConfig(**settings, seed=1)
        encoder = None if cfg.without_speech else build_configured_encoder(cfg)
        model = MultitaskStModel(cfg, encoder, len(vocabulary)).eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.6 if "encoder_attn" in name else 0.3)
        model.set_num_updates(updates)
        config = {
            "common": {"seed": 1},
            "model": {"_name": "multitask_st", **settings, "text_path": "/of/the/training/machine.pt"},
            "task": {"_name": "multitask_st", "tasks": tasks, "data": "/gone", "extra_manifests": "mt=/gone/wmt.tsv"},
            "criterion": {
                "_name": "consistency_multitask",
                "consistency_log": "/gone/log.jsonl",
                **(criterion or {}),
            },
        }
        task = {"vocabulary": vocabulary.state_dict(), "task_balance": {"update": 7}}
        state = {"args": None, "cfg": config, "model": model.state_dict(), "task_state": task}
        torch.save(state, tmp_path / "checkpoint.pt")
        return tmp_path / "checkpoint.pt", model

    return write


@torch.no_grad()
def greedy_of_text(model, vocabulary, text, language):
    """The most likely token at each place, one whole forward for each."""
    tokens = [vocabulary.eos, vocabulary.tag(language)]
    source = torch.from_numpy(encode_source(vocabulary, text))[None]
    while tokens[-1] != vocabulary.eos and len(tokens) < TEXT["max_positions"]:
        logits = model(source_tokens=source, prev_output_tokens=torch.tensor([tokens])).logits()[0, -1]
        logits[vocabulary.pad] = -torch.inf
        tokens.append(int(logits.argmax()))
    return vocabulary.decode(tokens)


def test_speech_is_translated_and_transcribed(write, vocabulary):
    path, model = write()
    translator = SpeechTranslator.load(path)
    recordings = waves(1.0, 2.5, 0.5)
    expected = [greedy(model, vocabulary, wave, "fr") for wave in recordings]
    assert len(set(expected)) > 1, "the model says the same for all"
    assert translator.translate(recordings, "fr", beam=1) == expected
    assert translator.transcribe(recordings, "fr", beam=1) == expected


def test_the_head_for_ctc_transcribes(write, vocabulary):
    path, model = write()
    recordings = waves(1.0, 0.6)
    expected = []
    for wave in recordings:
        with torch.no_grad():
            labels = model(torch.from_numpy(wave)[None]).ctc_logits[0].argmax(dim=-1).tolist()
        merged = [label for place, label in enumerate(labels) if not place or label != labels[place - 1]]
        expected.append(vocabulary.decode([label for label in merged if label != vocabulary.bos]))
    assert len(set(expected)) > 1
    assert SpeechTranslator.load(path).transcribe_by_ctc(recordings) == expected


@pytest.mark.parametrize("criterion", [{}, {"asr_ce_weight": 0.0}, {"_name": "ctc_ce", "ce_weight": 0.0}], ids=str)
def test_a_decoder_that_never_learnt_transcripts_is_warned_of_once(write, caplog, criterion):
    translator, recordings = SpeechTranslator.load(write(criterion=criterion)[0]), waves(0.6)
    translator.translate(recordings, "fr", beam=1)
    translator.transcribe_by_ctc(recordings)
    translator.transcribe(recordings, "fr", beam=1, ctc_weight=1.0)
    assert not caplog.records
    translator.transcribe(recordings, "fr", beam=1)
    translator.transcribe(recordings, "fr", beam=1, ctc_weight=0.5)
    (record,) = caplog.records
    assert "trained without transcripts: use transcribe_by_ctc" in record.getMessage()


@pytest.mark.parametrize("criterion", [{"asr_ce_weight": 0.3}, {"_name": "ctc_ce"}, {"_name": "another"}], ids=str)
def test_a_decoder_that_learnt_transcripts_is_trusted(write, caplog, criterion):
    SpeechTranslator.load(write(criterion=criterion)[0]).transcribe(waves(0.6), "fr", beam=1)
    assert not caplog.records


def test_the_head_for_ctc_takes_part_in_the_search(write, vocabulary):
    path, model = write()
    recordings = waves(1.0, 0.6)
    expected = []
    for wave in recordings:
        view = JointSearchView(model, 0.6, vocabulary.bos, vocabulary.eos)
        generator = SequenceGenerator([view], vocabulary.dictionary, beam_size=2, max_len_b=200)
        inputs = {"source": torch.from_numpy(wave)[None], "padding_mask": torch.zeros(1, len(wave), dtype=torch.bool)}
        prefix = torch.tensor([[vocabulary.tag("fr")]])
        (hypotheses,) = generator.generate([view], {"net_input": inputs}, prefix_tokens=prefix)
        expected.append(vocabulary.decode(hypotheses[0]["tokens"]))
    translator = SpeechTranslator.load(path)
    assert translator.transcribe(recordings, "fr", beam=2, ctc_weight=0.6) == expected
    assert translator.transcribe(recordings, "fr", beam=2) != expected
    with pytest.raises(ConfigError, match="`ctc_weight` must be from 0 to 1"):
        translator.transcribe(recordings, "fr", ctc_weight=1.2)


@pytest.mark.parametrize("alone", [False, True])
def test_texts_are_translated(write, vocabulary, alone):
    path, model = write(without_speech=True, tasks="mt", encoder_config="") if alone else write()
    translator = SpeechTranslator.load(path)
    texts = [TEXTS[0], TEXTS[7], "a", TEXTS[1], "\u4e16"]  # the last has no piece of its own
    codes = ["fr", "en", "fr", "en", "en"]
    expected = [greedy_of_text(model, vocabulary, *pair) for pair in zip(texts, codes, strict=True)]
    assert len(set(expected)) > 1
    assert translator.translate_texts(texts, codes, beam=1) == expected
    assert translator.translate_texts(texts[0], "fr", beam=1) == expected[:1]
    assert translator.translate_texts([]) == []
    together = translator.translate_texts(texts, "en", beam=3)
    assert [translator.translate_texts(text, "en", beam=3)[0] for text in texts] == together


def test_texts_are_batched_by_length(vocabulary):
    texts = ["the sea " * count for count in (1, 9, 3, 8, 2)]
    lengths = [len(encode_source(vocabulary, text)) for text in texts]
    batches = list(batch_texts(texts, vocabulary, batch_tokens=2 * max(lengths)))
    assert sorted(row for rows, _ in batches for row in rows) == [0, 1, 2, 3, 4]
    assert batches[0][0] == [1, 3]
    for rows, tokens in batches:
        assert tokens.numel() <= 2 * max(lengths)
        for row, found in zip(rows, tokens, strict=True):
            assert found[: lengths[row]].tolist() == encode_source(vocabulary, texts[row]).tolist()
            assert (found[lengths[row] :] == vocabulary.pad).all()


def test_what_was_not_learnt_is_refused(write, vocabulary):
    recordings = waves(0.5)
    path, _ = write(tasks="mt", without_speech=True)
    translator = SpeechTranslator.load(path)
    for verb in (translator.translate, translator.transcribe_by_ctc):
        with pytest.raises(ConfigError, match="in --tasks to trans"):
            verb(recordings)
    with pytest.raises(ConfigError, match=r"(?s)`text 1` must be not empty.*`text 2` must be not empty"):
        translator.translate_texts(["a", "", " "])
    path, _ = write(tasks="st,asr")
    with pytest.raises(ConfigError, match="`mt` in --tasks to translate texts"):
        SpeechTranslator.load(path).translate_texts(["a"])


@pytest.mark.parametrize(("updates", "active"), [(7, True), (2, False)])
def test_a_compressor_begins_where_its_run_did(write, updates, active):
    path, model = write(updates=updates, compressor_start_update=5)
    read = SpeechTranslator.load(path).model
    assert read.compressor.is_active is active
    [wave] = waves(1.0)
    source = torch.from_numpy(wave)[None]
    with torch.no_grad():
        assert torch.equal(read(source).states, model(source).states)


def test_info_counts_by_group(write, capsys):
    path, model = write()
    assert main(["convert", "--info", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    sizes = {name: sum(p.numel() for p in group) for name, group in model.parameter_groups().items()}
    assert told["kind"] == "speech translation checkpoint"
    assert told["parameters"] == {**sizes, "total": sum(p.numel() for p in model.parameters())}
    assert not {"encoder", "feature_extractor"} & told["tuned_parameters"].keys()
    assert told["config"]["_name"] == "multitask_st" and told["config"]["text_path"] == ""
    path, _ = write(tasks="mt", without_speech=True)
    assert main(["convert", "--info", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "text translation checkpoint"


def test_parts_are_exported(write, tmp_path, capsys):
    path, _ = write()
    assert main(["convert", str(path), str(tmp_path / "out"), "--to", "huggingface"]) == 0
    assert (tmp_path / "out" / "encoder" / "config.json").is_file()
    assert (tmp_path / "out" / "decoder" / "config.json").is_file()
    left_out = "left out, because no class of transformers has them: projection, compressor, local_to_global, text_enc"
    assert left_out in capsys.readouterr().err
    path, _ = write(tasks="mt", without_speech=True)
    assert main(["convert", str(path), str(tmp_path / "text"), "--to", "huggingface"]) == 1
    assert "must be one with a speech encoder" in capsys.readouterr().err
    assert main(["convert", str(path), str(tmp_path / "text"), "--to", "huggingface", "--part", "decoder"]) == 0


@pytest.mark.parametrize("options", [{}, {"tasks": "mt", "without_speech": True, "tuned_groups": "text_encoder"}])
def test_tuned_parameters_alone_and_merged(write, tmp_path, options):
    path, model = write(**options)
    tuned, merged = tmp_path / "tuned.safetensors", tmp_path / "merged.pt"
    assert main(["adapters", "extract", str(path), "--output", str(tuned)]) == 0
    assert main(["adapters", "merge", str(tuned), "--base", str(path), "--output", str(merged)]) == 0
    state = SpeechTranslator.load(merged).model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


def test_a_model_tuned_as_a_whole_is_no_file_of_tuned_parameters(write, tmp_path, capsys):
    path, _ = write(tuned_groups="all,feature_extractor")
    assert main(["adapters", "extract", str(path), "--output", str(tmp_path / "none")]) == 1
    assert "`model` must be tuned in part" in capsys.readouterr().err
