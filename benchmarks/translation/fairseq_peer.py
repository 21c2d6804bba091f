"""The first peer: fairseq's own xm_transformer and sequence generator, with the same parts tuned."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
from fairseq.data import Dictionary
from fairseq.models.speech_to_text.xm_transformer import XMTransformerModel
from fairseq.models.wav2vec.wav2vec2 import Wav2Vec2Config
from fairseq.sequence_generator import SequenceGenerator
from omegaconf import OmegaConf
from torch import Tensor, nn

from benchmarks.translation.sizes import BEAM, LABEL_SMOOTHING, TAG, Sizes
from benchmarks.translation.system import System, load
from benchmarks.translation.work import Batch
from fairseq_samu.modules.adapter import Adapter

NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0}
# What the stock model reads but its own options never set: without these it cannot be built at all.
MISSING = {"w2v_path": None, "w2v_freezing_updates": None, "freeze_regex": None, "data": ""}


class FairseqPeer(System):
    """xm_transformer (wav2vec 2.0, no length adaptor, mBART's decoder), adapters hooked in.

    Args:
        sizes: of the model.
        state: the common weights.
    """

    def __init__(self, sizes: Sizes, state: dict[str, Tensor]) -> None:
        dictionary = make_dictionary(sizes.vocabulary)
        task = SimpleNamespace(target_dictionary=dictionary, multitask_tasks={})
        self.model = XMTransformerModel.build_model(_options(sizes), task)
        self.dictionary = dictionary
        for layer in self.model.encoder.w2v_encoder.w2v_model.encoder.layers:
            _hook_in(layer, sizes.bottleneck)
        load(self.model, _names(state))
        self.criterion = LabelSmoothedCrossEntropyCriterion(task, sentence_avg=False, label_smoothing=LABEL_SMOOTHING)

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the losses, by the host's criterion."""
        sample = {
            "net_input": {**_sources(batch, self._dtype), "prev_output_tokens": batch.prev_output_tokens},
            "target": batch.target,
            "ntokens": 1,
        }
        return self.criterion(self.model, sample)[0]

    def decode(self, batch: Batch, max_tokens: int) -> list[list[int]]:
        """Search by the host's generator."""
        generator = SequenceGenerator(
            [self.model], self.dictionary, beam_size=BEAM, max_len_b=max_tokens - 1, len_penalty=0.0
        )
        prefix = torch.full((len(batch.lengths), 1), TAG)
        found = generator.generate([self.model], {"net_input": _sources(batch, self._dtype)}, prefix_tokens=prefix)
        return [hypotheses[0]["tokens"].tolist() for hypotheses in found]

    @property
    def _dtype(self) -> torch.dtype:
        return self.model.decoder.embed_tokens.weight.dtype


def make_dictionary(size: int) -> Dictionary:
    """A dictionary of ``size`` symbols, the four specials first."""
    dictionary = Dictionary()
    for number in range(len(dictionary), size):
        dictionary.add_symbol(f"piece{number}")
    return dictionary


def _sources(batch: Batch, dtype: torch.dtype) -> dict[str, Tensor]:
    return {"src_tokens": batch.wave.to(dtype), "src_lengths": batch.lengths}


def _options(sizes: Sizes) -> Namespace:
    parser = ArgumentParser()
    XMTransformerModel.add_args(parser)
    given = {name: value for name, value in vars(parser.parse_args([])).items() if value is not None}
    encoder, decoder = sizes.encoder, sizes.decoder
    ours = {
        "w2v_args": OmegaConf.create({"model": _encoder_config(encoder), "task": _encoder_task()}),
        "adaptor_n_layers": 0,
        "encoder_embed_dim": encoder["dim"],
        "decoder_embed_dim": decoder["dim"],
        "decoder_ffn_embed_dim": decoder["ffn_dim"],
        "decoder_layers": decoder["num_layers"],
        "decoder_attention_heads": decoder["num_heads"],
        "max_target_positions": decoder["max_positions"],
        "decoder_normalize_before": True,
        "decoder_learned_pos": True,
        "share_decoder_input_output_embed": True,
        "layernorm_embedding": True,
        "activation_fn": "gelu",
        "decoder_dropout": 0.0,
    }
    return Namespace(**{**given, **MISSING, **NO_DROPOUT, **ours})


def _encoder_config(encoder: dict[str, Any]) -> Any:
    config = OmegaConf.structured(
        Wav2Vec2Config(
            extractor_mode="layer_norm",
            encoder_layers=encoder["num_layers"],
            encoder_embed_dim=encoder["dim"],
            encoder_ffn_embed_dim=encoder["ffn_dim"],
            encoder_attention_heads=encoder["num_heads"],
            layer_norm_first=True,
            conv_bias=True,
            conv_feature_layers=str([tuple(layer) for layer in encoder["conv_layers"]]),
            conv_pos=encoder["conv_pos"],
            conv_pos_groups=encoder["conv_pos_groups"],
            encoder_layerdrop=0.0,
            dropout_input=0.0,
            dropout_features=0.0,
            **NO_DROPOUT,
        )
    )
    OmegaConf.set_struct(config, False)
    config["_name"] = "wav2vec2"
    return config


def _encoder_task() -> dict[str, Any]:
    return {"_name": "audio_pretraining", "data": "", "normalize": False, "tpu": False}


def _hook_in(layer: nn.Module, bottleneck: int) -> None:
    """Put adapters behind the attention and the feed-forward network of a layer."""
    dim = layer.embedding_dim
    layer.attention_adapter, layer.ffn_adapter = Adapter(dim, bottleneck), Adapter(dim, bottleneck)
    layer.self_attn.register_forward_hook(lambda _, __, out: (layer.attention_adapter(out[0]), *out[1:]))
    layer.fc2.register_forward_hook(lambda _, __, out: layer.ffn_adapter(out))


def _names(state: dict[str, Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    for name, tensor in state.items():
        part, rest = name.split(".", 1)
        yield (f"encoder.w2v_encoder.w2v_model.{rest}" if part == "encoder" else name), name, tensor
