"""A directory in the layout of sentence-transformers, against a plain reading of it one sentence at a time."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from fairseq_samu.errors import TeacherError
from fairseq_samu.teachers.encoder import SentenceEncoder, build_sentence_encoder

torch = pytest.importorskip("torch")

TEXTS = ["five new messages", "press one", "you have five new messages now", "you"]


def build(directory):
    return build_sentence_encoder(f"sentence-transformers:{directory}")


def load_state(folder: Path) -> dict:
    from safetensors.torch import load_file

    if (folder / "model.safetensors").exists():
        return load_file(folder / "model.safetensors")
    return torch.load(folder / "pytorch_model.bin", weights_only=True)


def reference(directory: Path, text: str, words: list[str], place="0_Transformer") -> np.ndarray:
    """Ids by hand, the transformer on one sentence without padding, then loops over tokens."""
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig.from_pretrained(str(directory / place))).eval()
    model.load_state_dict(load_state(directory / place), strict=False)
    ids = [words.index(word) for word in ["[CLS]", *text.split(), "[SEP]"]]
    with torch.no_grad():
        frames = model(input_ids=torch.tensor([ids])).last_hidden_state[0].double().numpy()
    flags = json.loads((directory / "1_Pooling" / "config.json").read_text())
    pooled: list[float] = []
    if flags["pooling_mode_cls_token"]:
        pooled += list(frames[0])
    if flags["pooling_mode_max_tokens"]:
        pooled += [max(frame[d] for frame in frames) for d in range(frames.shape[1])]
    for flag, power in (("pooling_mode_mean_tokens", 1.0), ("pooling_mode_mean_sqrt_len_tokens", 0.5)):
        if flags[flag]:
            pooled += [sum(frame[d] for frame in frames) / len(frames) ** power for d in range(frames.shape[1])]
    vector = np.array(pooled)
    if (directory / "2_Dense").exists():
        state = {name: value.double().numpy() for name, value in load_state(directory / "2_Dense").items()}
        vector = state["linear.weight"] @ vector + state["linear.bias"]
        record = json.loads((directory / "2_Dense" / "config.json").read_text())
        vector = np.tanh(vector) if "Tanh" in record["activation_function"] else vector
    if "Normalize" in (directory / "modules.json").read_text():
        vector = vector / np.sqrt((vector**2).sum())
    return vector


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"weights": "pytorch_model.bin"},
        {"place": ""},
        {"pooling": ("mean_tokens",), "activation": "torch.nn.modules.linear.Identity"},
        {"pooling": ("max_tokens",), "normalise": False},
        {"pooling": ("mean_sqrt_len_tokens",), "activation": ""},
        {"pooling": ("cls_token", "mean_tokens"), "activation": ""},
    ],
    ids=str,
)
def test_equals_the_reference(write_directory, bert_words, layout):
    directory = write_directory(**layout)
    teacher = build(directory)
    expected = np.stack(
        [reference(directory, text, bert_words, layout.get("place", "0_Transformer")) for text in TEXTS]
    )
    got = teacher.encode(TEXTS)
    assert isinstance(teacher, SentenceEncoder)
    assert got.dtype == np.float32
    assert got.shape == (len(TEXTS), teacher.dim) == expected.shape
    assert np.abs(got - expected).max() < 1e-5


def test_a_batch_equals_single_sentences_and_repeats_bit_for_bit(write_directory):
    directory = write_directory(pooling=("mean_tokens",))
    teacher = build(directory)
    batch = teacher.encode(TEXTS)
    single = np.concatenate([teacher.encode([text]) for text in TEXTS])
    assert np.abs(batch - single).max() < 1e-6
    assert teacher.encode(TEXTS).tobytes() == batch.tobytes() == build(directory).encode(TEXTS).tobytes()
    assert teacher.encode([]).shape == (0, teacher.dim)


def test_a_bare_transformer_gets_mean_pooling(write_directory, bert_words):
    directory = write_directory(place="", pooling=("mean_tokens",), activation="", normalise=False)
    expected = build(directory).encode(TEXTS)
    (directory / "modules.json").unlink()
    assert np.array_equal(build(directory).encode(TEXTS), expected)


def test_long_texts_are_cut_where_the_record_says_and_the_log_tells(write_directory, caplog):
    teacher = build(write_directory())  # 10 tokens, of which two are special
    with caplog.at_level(logging.WARNING):
        cut = teacher.encode(["now " * 8, "now " * 20])
    assert np.array_equal(cut[0], cut[1])
    assert [record.message for record in caplog.records] == ["texts of 10 tokens or more are cut there by the teacher"]


def test_a_default_prompt_stands_before_every_text(write_directory):
    directory = write_directory()
    plain = build(directory).encode(["press one"])
    record = {"prompts": {"query": "press "}, "default_prompt_name": "query"}
    (directory / "config_sentence_transformers.json").write_text(json.dumps(record))
    assert np.array_equal(build(directory).encode(["one"]), plain)


def test_the_fingerprint_follows_weights_and_records_only(write_directory):
    directory = write_directory()
    before = build(directory).fingerprint
    (directory / "README.md").write_text("Read me.")
    assert build(directory).fingerprint == before
    (directory / "0_Transformer" / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    assert build(directory).fingerprint != before
    assert build(write_directory("other", seed=1)).fingerprint != before


class Trap:
    """A pickle of it makes a folder when it is read freely."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("folder", ["0_Transformer", "2_Dense"])
def test_a_malicious_pickle_is_refused(write_directory, tmp_path, folder):
    directory = write_directory(weights="pytorch_model.bin")
    torch.save({"linear.weight": Trap(tmp_path / "sprung")}, directory / folder / "pytorch_model.bin")
    with pytest.raises(TeacherError, match=folder):
        build(directory)
    assert not (tmp_path / "sprung").exists()


def test_missing_weights_are_not_drawn_at_random(write_directory):
    from safetensors.torch import save_file

    directory = write_directory()
    place = directory / "0_Transformer" / "model.safetensors"
    state = load_state(place.parent)
    kept = {name: value for name, value in state.items() if not name.startswith("pooler.")}
    save_file(kept, place, metadata={"format": "pt"})
    assert build(directory).encode(["press one"]).shape == (1, 12)  # BERT's own pooler is not used
    del kept["encoder.layer.1.output.dense.weight"]
    save_file(kept, place, metadata={"format": "pt"})
    with pytest.raises(TeacherError, match=r"complete.*without encoder\.layer\.1\.output\.dense\.weight"):
        build(directory)


def change_json(path: str, **values):
    def apply(directory: Path) -> None:
        record = json.loads((directory / path).read_text())
        (directory / path).write_text(json.dumps({**record, **values}))

    return apply


def change_modules(edit):
    def apply(directory: Path) -> None:
        record = json.loads((directory / "modules.json").read_text())
        (directory / "modules.json").write_text(json.dumps(edit(record)))

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change_json("2_Dense/config.json", activation_function="os.system"), "activation_function.*Tanh.*'system'"),
        (change_json("2_Dense/config.json", in_features=9), "dense layer.*size mismatch"),
        (change_json("1_Pooling/config.json", pooling_mode_weightedmean_tokens=True), "pooling.*weightedmean"),
        (change_json("1_Pooling/config.json", pooling_mode_cls_token=False), "pooling.*'none'"),
        (change_modules(lambda m: [*m, {"type": "models.LSTM", "path": ""}]), "module.*'LSTM'"),
        (change_modules(lambda m: [m[0], *m[2:]]), "one pooling, then dense"),
        (change_modules(lambda m: m[1:]), "first module.*a Transformer.*'Pooling'"),
        (change_modules(lambda m: []), "an empty list"),
        (change_modules(lambda m: {"type": 3}), "a list of types and paths"),
        (lambda d: (d / "modules.json").write_text("{"), "readable JSON"),
        (lambda d: (d / "0_Transformer" / "model.safetensors").unlink(), "weights.*'neither'"),
        (lambda d: (d / "0_Transformer" / "model.safetensors").write_bytes(b"no"), "readable by transformers"),
        (lambda d: (d / "2_Dense" / "model.safetensors").unlink(), "dense layer.*complete and readable"),
        (lambda d: (d / "1_Pooling" / "config.json").unlink(), "readable JSON.*No such file"),
    ],
)
def test_damage_is_one_clear_error(write_directory, spoil, message):
    directory = write_directory()
    spoil(directory)
    with pytest.raises(TeacherError, match=message) as error:
        build(directory)
    assert "\n" not in str(error.value)


def test_a_dense_layer_that_does_not_fit_the_pooling(write_directory):
    directory = write_directory(pooling=("cls_token", "mean_tokens"))
    with pytest.raises(TeacherError, match=r"heads.*fit for 16 dimensions"):
        build(directory)


def test_a_missing_directory_and_an_unknown_device(tmp_path, write_directory):
    with pytest.raises(TeacherError, match="a directory, but is"):
        build(tmp_path / "nowhere")
    with pytest.raises(TeacherError, match="device"):
        build_sentence_encoder(f"sentence-transformers:{write_directory()}", device="warp9")
