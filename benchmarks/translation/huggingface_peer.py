"""The second peer: Hugging Face's SpeechEncoderDecoderModel of Wav2Vec2 and MBart, with the same parts tuned."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    MBartConfig,
    MBartForCausalLM,
    SpeechEncoderDecoderConfig,
    SpeechEncoderDecoderModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
)

from benchmarks.translation.sizes import BEAM, EOS, LABEL_SMOOTHING, PAD, TAG, Sizes
from benchmarks.translation.system import System, load
from benchmarks.translation.work import Batch
from fairseq_samu.checkpoints.wav2vec2_names import to_huggingface
from fairseq_samu.modules.adapter import Adapter


class HuggingFacePeer(System):
    """Wav2Vec2Model and MBartForCausalLM under one roof, adapters hooked in, SDPA attention.

    Args:
        sizes: of the model.
        state: the common weights.
    """

    def __init__(self, sizes: Sizes, state: dict[str, Tensor]) -> None:
        with torch.device("meta"):
            encoder = Wav2Vec2Model(_encoder_config(sizes))
            decoder = MBartForCausalLM(_decoder_config(sizes))
            for layer in encoder.encoder.layers:
                _hook_in(layer, sizes.encoder["dim"], sizes.bottleneck)
        config = SpeechEncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config)
        config.pad_token_id, config.eos_token_id, config.decoder_start_token_id = PAD, EOS, EOS
        self.vocabulary = sizes.vocabulary
        self.model = SpeechEncoderDecoderModel(config=config, encoder=encoder, decoder=decoder)
        _tie(self.model)
        load(self.model, _names(state))
        self.model.freeze_feature_encoder()  # else it makes gradients of the wave, which nobody wants
        _tie(self.model)

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the losses; the smoothing is converted to the host's definition of it."""
        output = self.model(
            input_values=batch.wave.to(self.model.dtype),
            attention_mask=(~batch.padding_mask).long(),
            decoder_input_ids=batch.prev_output_tokens,
            use_cache=False,
        )
        return F.cross_entropy(
            output.logits.view(-1, self.vocabulary),
            batch.target.view(-1),
            ignore_index=PAD,
            reduction="sum",
            label_smoothing=LABEL_SMOOTHING * self.vocabulary / (self.vocabulary - 1),
        )

    @torch.no_grad()
    def decode(self, batch: Batch, max_tokens: int) -> list[list[int]]:
        """Search by `generate`."""
        found = self.model.generate(
            input_values=batch.wave.to(self.model.dtype),
            attention_mask=(~batch.padding_mask).long(),
            num_beams=BEAM,
            length_penalty=0.0,
            early_stopping=True,
            do_sample=False,
            max_new_tokens=max_tokens,
            forced_bos_token_id=TAG,
            decoder_start_token_id=EOS,
            eos_token_id=EOS,
            pad_token_id=PAD,
        )
        return [[token for token in row[1:] if token != PAD] for row in found.tolist()]


def _encoder_config(sizes: Sizes) -> Wav2Vec2Config:
    encoder = sizes.encoder
    channels, kernels, strides = zip(*encoder["conv_layers"], strict=True)
    return Wav2Vec2Config(
        hidden_size=encoder["dim"],
        intermediate_size=encoder["ffn_dim"],
        num_hidden_layers=encoder["num_layers"],
        num_attention_heads=encoder["num_heads"],
        conv_dim=list(channels),
        conv_kernel=list(kernels),
        conv_stride=list(strides),
        conv_bias=True,
        num_conv_pos_embeddings=encoder["conv_pos"],
        num_conv_pos_embedding_groups=encoder["conv_pos_groups"],
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        apply_spec_augment=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
    )


def _decoder_config(sizes: Sizes) -> MBartConfig:
    decoder = sizes.decoder
    return MBartConfig(
        vocab_size=sizes.vocabulary,
        d_model=decoder["dim"],
        decoder_ffn_dim=decoder["ffn_dim"],
        decoder_layers=decoder["num_layers"],
        decoder_attention_heads=decoder["num_heads"],
        max_position_embeddings=decoder["max_positions"],
        activation_function="gelu",
        scale_embedding=True,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        is_decoder=True,
        add_cross_attention=True,
        pad_token_id=PAD,
        eos_token_id=EOS,
    )


def _hook_in(layer: nn.Module, dim: int, bottleneck: int) -> None:
    """Put adapters behind the attention and the feed-forward network of a layer."""
    layer.attention_adapter, layer.ffn_adapter = Adapter(dim, bottleneck), Adapter(dim, bottleneck)
    layer.attention.register_forward_hook(lambda _, __, out: (layer.attention_adapter(out[0]), *out[1:]))
    layer.feed_forward.register_forward_hook(lambda _, __, out: layer.ffn_adapter(out))


def _names(state: dict[str, Tensor]) -> Iterator[tuple[str, str, Tensor]]:
    for name, tensor in state.items():
        part, rest = name.split(".", 1)
        if part == "decoder":
            yield f"decoder.model.decoder.{rest}", name, tensor
        elif "_adapter." in rest:
            yield name, name, tensor
        else:
            (theirs,) = to_huggingface({rest: tensor}, "layer")
            yield f"encoder.{theirs}", name, tensor


def _tie(model: SpeechEncoderDecoderModel) -> None:
    """Share the embedding with the output layer."""
    model.decoder.lm_head.weight = model.decoder.model.decoder.embed_tokens.weight
