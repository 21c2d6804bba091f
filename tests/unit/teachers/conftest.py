"""A teacher that needs no model, and a tiny random BERT in the layout of sentence-transformers."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "you", "have", "five", "new", "messages", "press", "one", "now"]
HIDDEN = 16
OUT = 12


class FakeTeacher:
    """Vectors drawn from a hash of the text, and a count of the calls."""

    def __init__(self, dim: int = 8, name: str = "fake", scale: float = 1.0) -> None:
        self.dim = dim
        self.fingerprint = name
        self.versions = {"fake": "1"}
        self.scale = scale
        self.batches: list[list[str]] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.batches.append(list(texts))
        return np.stack([self.vector(text) for text in texts]).astype(np.float32)

    def vector(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        return self.scale * (np.random.default_rng(seed).standard_normal(self.dim) + 1.0)


@pytest.fixture
def make_teacher():
    return FakeTeacher


@pytest.fixture
def bert_words():
    return WORDS


def write_bert(folder: Path, weights: str, seed: int = 0) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
    )
    model = BertModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(str(folder))
    state = {name: value.contiguous() for name, value in model.state_dict().items() if "position_ids" not in name}
    if weights == "model.safetensors":
        save_file(state, folder / weights, metadata={"format": "pt"})
    else:
        torch.save(state, folder / weights)


def write_dense(folder: Path, weights: str, activation: str, bias: bool = True) -> None:
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(5)
    state = {"linear.weight": torch.randn(OUT, HIDDEN, generator=generator)}
    if bias:
        state["linear.bias"] = torch.randn(OUT, generator=generator)
    record = {"in_features": HIDDEN, "out_features": OUT, "bias": bias, "activation_function": activation}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(record))
    if weights == "model.safetensors":
        save_file(state, folder / weights)
    else:
        torch.save(state, folder / weights)


@pytest.fixture
def write_directory(tmp_path):
    """Write a directory; give its path."""
    pytest.importorskip("transformers")

    def write(
        name="labse",
        place="0_Transformer",
        pooling=("cls_token",),
        activation="torch.nn.modules.activation.Tanh",
        normalise=True,
        weights="model.safetensors",
        seed=0,
    ) -> Path:
        root = tmp_path / name
        write_bert(root / place, weights, seed)
        kinds = [("Transformer", place), ("Pooling", "1_Pooling")]
        flags = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
        (root / "1_Pooling").mkdir()
        record = {"word_embedding_dimension": HIDDEN, **{f"pooling_mode_{flag}": flag in pooling for flag in flags}}
        (root / "1_Pooling" / "config.json").write_text(json.dumps(record))
        if activation:
            write_dense(root / "2_Dense", weights, activation)
            kinds.append(("Dense", "2_Dense"))
        if normalise:
            kinds.append(("Normalize", "3_Normalize"))
        modules = [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate(kinds)
        ]
        (root / "modules.json").write_text(json.dumps(modules))
        (root / place / "sentence_bert_config.json").write_text('{"max_seq_length": 10, "do_lower_case": false}')
        return root

    return write
