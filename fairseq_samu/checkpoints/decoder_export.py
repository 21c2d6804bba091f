"""Writing an mBART decoder as a Hugging Face directory, with its vocabulary beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.decoder_vocabulary import SPECIALS
from fairseq_samu.checkpoints.new_directory import new_directory, write_json, write_tensors

README = """This directory was written by `fairseq-samu convert --to huggingface`.

- `config.json`, `model.safetensors`: the text decoder. In transformers: `MBartForCausalLM.from_pretrained(DIR)`, called
  with `encoder_hidden_states` (the speech encoder's frames, after whatever stood between the two in training) and their
  `encoder_attention_mask`. A text is written after `</s>` (2) and the tag of its language.
- `sentencepiece.bpe.model`, `dict.txt`: the vocabulary. The ids 0 to 3 are `<s> <pad> </s> <unk>`; line n of
  `dict.txt`, counted from 0, is the token n + 4. It may be a part of mBART-50's, so do not use another's ids.
- `fairseq-train --decoder-path DIR` reads the directory as a whole.
"""
EMBEDDING, ADDED = "embed_tokens.weight", "added_tags"


def export_decoder(
    folder: Path, config: Mapping[str, Any], state: Mapping[str, Tensor], tokens: Sequence[str], sentencepiece: bytes
) -> None:
    """Write a directory that transformers and ``read_mbart`` read; it appears whole or not at all.

    What was learnt about added language tags is put into their rows of the embedding, which changes the logits of
    these tags (no text has them but at its beginning) and nothing else.

    Args:
        folder: what is made; must not exist, or be empty.
        config: plain JSON of the decoder.
        state: tensors by the decoder's own names.
        tokens: all tokens by their ids.
        sentencepiece: contents of the SentencePiece model.

    Raises:
        CheckpointError: when the folder is not empty or cannot be written.
    """
    tensors = {f"model.decoder.{name}": tensor for name, tensor in state.items() if name != ADDED}
    if ADDED in state:
        embedding = state[EMBEDDING].detach().clone()
        embedding[-len(state[ADDED]) :] += state[ADDED].detach()
        tensors[f"model.decoder.{EMBEDDING}"] = embedding
    with new_directory(folder) as made:
        write_json(made / "config.json", _settings(config))
        write_tensors(made / "model.safetensors", tensors)
        lines = "".join(f"{token} 1\n" for token in tokens[len(SPECIALS) :])
        (made / "dict.txt").write_text(lines, encoding="utf-8")
        (made / "sentencepiece.bpe.model").write_bytes(sentencepiece)
        (made / "README.md").write_text(README, encoding="utf-8")


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    settings = {
        "model_type": "mbart",
        "architectures": ["MBartForCausalLM"],
        "vocab_size": config["vocabulary_size"],
        "d_model": config["dim"],
        "max_position_embeddings": config["max_positions"],
        "activation_function": config["activation"],
        "scale_embedding": config["scale_embedding"],
        "tie_word_embeddings": True,
        "is_decoder": True,
        "is_encoder_decoder": False,
        "add_cross_attention": True,
        "dropout": 0.0,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
    }
    # There is no text encoder; but transformers counts layers and heads by the encoder's names.
    for part in ("encoder", "decoder"):
        settings[f"{part}_layers"] = config["num_layers"]
        settings[f"{part}_ffn_dim"] = config["ffn_dim"]
        settings[f"{part}_attention_heads"] = config["num_heads"]
    return settings
