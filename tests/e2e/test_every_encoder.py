"""Each speech encoder in each system: one update, then decoding or embedding a padded batch and its rows alone."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.e2e.dual_slu import dual_command, make_dual_corpus, run_here
from tests.e2e.joint_training import joint_command
from tests.e2e.one_update import Trained, train_one_update
from tests.e2e.training import ENCODER, Corpus, train_command
from tests.e2e.translation import TranslationCorpus, make_translation_corpus, translation_command

transformers = pytest.importorskip("transformers", reason="writes the initial files")

ROWS = [0, 2, 5]
COUNTS = {"train": 8, "test": 6}
SIZES = {
    "hidden_size": ENCODER["dim"],
    "intermediate_size": ENCODER["ffn_dim"],
    "num_hidden_layers": 2,
    "num_attention_heads": ENCODER["num_heads"],
    "conv_dim": [dim for dim, _, _ in ENCODER["conv_layers"]],
    "num_conv_pos_embeddings": ENCODER["conv_pos"],
    "num_conv_pos_embedding_groups": ENCODER["conv_pos_groups"],
}
LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
GROUP_NORM = {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
ENCODERS = ("wav2vec2_base", "xlsr", "hubert_base", "whisper", "samu")


@dataclass
class Files:
    """What the runs of this file read.

    Attributes:
        spoken: rows with translations and transcripts, and the files of a tiny decoder.
        annotated: rows with the teacher's table and concepts.
        encoders: what --encoder-path takes, by name.
    """

    spoken: TranslationCorpus
    annotated: Corpus
    encoders: dict[str, Path]


@dataclass(frozen=True)
class System:
    """A way to use an encoder.

    Attributes:
        command: writes the arguments of fairseq-train.
        moves: patterns of names of parameters, of each of which some must move.
        decodes_as: value of --tasks in decoding, where it is another one than in training.
    """

    command: Callable[[Files, Path, Path], list[str]]
    moves: tuple[str, ...]
    decodes_as: str = ""


ONE_UPDATE = {"max_update": 1, "encoder_config": None, "disable_validation": True, "weight_decay": 0.0}
RECOGNITION = {"tasks": "asr", "criterion": "ctc_ce", "label_smoothing": 0.0, "ctc_head": True, "ctc_weight": 0.3}
JOINT = {"compressor_start_update": 0, "label_smoothing": 0.0, "measure_interval": 0, "alignment_weight": 1.0}
NAMED_ADAPTERS = {
    "adapter_dim": 8,
    "adapter_names": "en,es,fr,it,ru",
    "adapter_placement": "one",
    "decoder_adapter_dim": 4,
    "tuned_groups": "encoder_adapters,decoder_adapters,ctc_head",
}


def distillation(files: Files, encoder: Path, folder: Path) -> list[str]:
    return train_command(files.annotated, folder, **ONE_UPDATE, encoder_path=encoder)


def understanding(files: Files, encoder: Path, folder: Path) -> list[str]:
    return dual_command(files.annotated, folder, **ONE_UPDATE, encoder_path=encoder)


def translation(files: Files, encoder: Path, folder: Path) -> list[str]:
    return translation_command(files.spoken, folder, **ONE_UPDATE, encoder_path=encoder)


def ctc_alone(files: Files, encoder: Path, folder: Path) -> list[str]:
    alone = {"without_decoder": True, "decoder_path": None, "ce_weight": 0.0, "ctc_weight": 1.0}
    pieces = {"sentencepiece_model": files.spoken.decoder / "sentencepiece.bpe.model"}
    options = {**ONE_UPDATE, **RECOGNITION, **alone, **pieces, "encoder_path": encoder}
    return translation_command(files.spoken, folder, **options)


def joint(files: Files, encoder: Path, folder: Path) -> list[str]:
    return joint_command(files.spoken, folder, **ONE_UPDATE, **JOINT, encoder_path=encoder)


def adapters(files: Files, encoder: Path, folder: Path) -> list[str]:
    options = {**ONE_UPDATE, **RECOGNITION, **NAMED_ADAPTERS, "encoder_path": encoder}
    return translation_command(files.spoken, folder, **options)


def text_adapters(files: Files, encoder: Path, folder: Path) -> list[str]:
    unused = ("joint_tasks", "alignment_weight", "measure_interval", "weight_interval", "drop_below", "ctc_head")
    options = {**ONE_UPDATE, **RECOGNITION, **NAMED_ADAPTERS, **dict.fromkeys(unused), "encoder_path": encoder}
    return joint_command(files.spoken, folder, **{**options, "tuned_groups": "encoder_adapters,decoder_adapters"})


LAYER = r"encoder\.(encoder\.)?layers\.0\."
NAMED_UP = (rf"{LAYER}layer_adapter\.\w+\.up\.", r"decoder\.layers\.0\.layer_adapter\.\w+\.up\.")
SYSTEMS = {
    "samu_distill": System(distillation, (LAYER, r"head\.")),
    "dual_slu": System(understanding, (LAYER, r"head\.", r"slu_head\.")),
    "samu_xlsr_mbart_st": System(translation, (rf"{LAYER}attention_adapter\.", r"decoder\.layers\.0\.")),
    "samu_xlsr_mbart_asr_by_ctc": System(ctc_alone, (rf"{LAYER}attention_adapter\.", r"ctc_head\.")),
    "multitask_st_joint": System(joint, (LAYER, r"compressor\.", r"text_encoder\.", r"decoder\."), "st"),
    "low_resource_adapters": System(adapters, NAMED_UP),
    "low_resource_adapters_beside_texts": System(text_adapters, NAMED_UP),
}


def write_encoders(folder: Path, annotated: Corpus) -> dict[str, Path]:
    """Random weights as transformers saves those of each family, and a checkpoint that was trained from one."""
    whisper = transformers.WhisperConfig(
        d_model=ENCODER["dim"],
        encoder_layers=2,
        encoder_ffn_dim=ENCODER["ffn_dim"],
        encoder_attention_heads=ENCODER["num_heads"],
        decoder_layers=1,
        decoder_ffn_dim=8,
        decoder_attention_heads=4,
        vocab_size=60,
        pad_token_id=1,
        bos_token_id=2,
        eos_token_id=2,
        decoder_start_token_id=3,
    )
    torch.manual_seed(0)
    models: dict[str, Any] = {
        "wav2vec2_base": transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SIZES, **GROUP_NORM)),
        "xlsr": transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SIZES, **LAYER_NORM)),
        "hubert_base": transformers.HubertModel(transformers.HubertConfig(**SIZES, **GROUP_NORM)),
        "whisper": transformers.WhisperModel(whisper),
    }
    for name, model in models.items():
        model.save_pretrained(folder / name)
    paths = {name: folder / name for name in models}
    options = {**ONE_UPDATE, "encoder_path": paths["xlsr"], "save_interval_updates": None}
    run_here("train", train_command(annotated, folder / "samu", **options, keep_interval_updates=None))
    return {**paths, "samu": folder / "samu" / "checkpoint_last.pt"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    spoken = make_translation_corpus(tmp_path_factory.mktemp("spoken"), COUNTS)
    annotated = make_dual_corpus(tmp_path_factory.mktemp("annotated"), COUNTS)
    return Files(spoken, annotated, write_encoders(tmp_path_factory.mktemp("encoders"), annotated))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def outputs_of(model: Any, sample: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
    """What a model hands out for each row, without what stands in the padding."""
    with torch.no_grad():
        output = model(**{name: x for name, x in sample["net_input"].items() if name != "row_ids"})
    rows = range(sample["nsentences"])
    found: list[dict[str, torch.Tensor]] = [{} for _ in rows]
    for row in rows:
        if getattr(output, "embedding", None) is not None:
            found[row]["embedding"] = output.embedding[row]
        if getattr(output, "ctc_logits", None) is not None:
            found[row]["ctc_logits"] = output.ctc_logits[row, ~output.padding_mask[row]]
        if getattr(output, "hidden", None) is not None:
            found[row]["hidden"] = output.hidden[row, : sample["target_lengths"][row]]
    return found


def require_same_rows(trained: Trained, decodes: bool) -> None:
    """The batch and each of its rows alone give the same outputs and the same best hypothesis."""
    together, *single = trained.batches("test", ROWS)
    source_mask = together["net_input"]["padding_mask"]
    assert source_mask.any(dim=1).sum() == len(ROWS) - 1, "the rows must differ in length"
    if getattr(trained.model, "adapter_names", []):
        assert len(together["net_input"]["source_adapters"].unique()) > 1, "the rows must differ in language"
    batched = outputs_of(trained.model, together)
    hypotheses = trained.decode(together) if decodes else []
    for row, sample in enumerate(single):
        (alone,) = outputs_of(trained.model, sample)
        assert alone and alone.keys() == batched[row].keys()
        for name, expected in alone.items():
            assert expected.isfinite().all()
            torch.testing.assert_close(batched[row][name], expected, rtol=1e-9, atol=1e-9, msg=name)
        if decodes:
            (best,) = trained.decode(sample)
            assert hypotheses[row]["tokens"].tolist() == best["tokens"].tolist()
            assert best["score"].isfinite()
            torch.testing.assert_close(hypotheses[row]["score"].double(), best["score"].double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_one_update_and_one_decoding(files: Files, tmp_path: Path, system: str, name: str) -> None:
    chosen = SYSTEMS[system]
    trained = train_one_update(chosen.command(files, files.encoders[name], tmp_path))
    assert torch.tensor([float(trained.log["loss"]), float(trained.log["gnorm"])]).isfinite().all()
    assert float(trained.log["gnorm"]) > 0
    assert all(parameter.isfinite().all() for parameter in trained.model.parameters())
    moved = trained.moved()
    assert not [pattern for pattern in chosen.moves if not any(re.match(pattern, other) for other in moved)]
    tuned = {parameter for parameter, p in trained.model.named_parameters() if p.requires_grad}
    assert moved <= tuned
    if chosen.decodes_as:
        trained.task.cfg.tasks = chosen.decodes_as
    require_same_rows(trained, decodes=system != "samu_distill")


def test_the_encoders_are_of_different_kinds(files: Files) -> None:
    from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder

    loaded = {name: read_speech_encoder(path) for name, path in files.encoders.items()}
    kinds = {
        name: (one.config["family"], one.config.get("extractor_norm"), one.config.get("pre_norm"))
        for name, one in loaded.items()
    }
    assert kinds["wav2vec2_base"] == kinds["hubert_base"] == ("wav2vec2", "group", False)
    assert kinds["xlsr"] == kinds["samu"] == ("wav2vec2", "layer", True)
    assert kinds["whisper"][0] == "whisper"
    assert loaded["samu"].head is not None
    assert json.loads((files.encoders["hubert_base"] / "config.json").read_text("utf-8"))["model_type"] == "hubert"
