import struct

import numpy as np
import pytest
import torch

from fairseq_samu.checkpoints import load_strict, read_speech_encoder
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.speech_encoders import build_speech_encoder

CODES = {"float32": 0, "int8": 1, "int16": 2, "float16": 4}


def pack_string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def pack_model(variables, version=6, specification="WhisperSpec"):
    data = struct.pack("<I", version) + pack_string(specification) + struct.pack("<II", 3, len(variables))
    for name, values in variables.items():
        data += pack_string(name) + struct.pack("<B", values.ndim) + struct.pack(f"<{values.ndim}I", *values.shape)
        data += struct.pack("<BI", CODES[str(values.dtype)], values.nbytes) + values.tobytes()
    return data + struct.pack("<I", 0)


@pytest.fixture
def variables():
    """A tiny Whisper in the file's names: 4 features, 1 layer, 3 mel bins, 6 positions, and a bit of a decoder."""
    random = np.random.default_rng(0)
    shapes = {
        "conv1/weight": (4, 3, 3), "conv1/bias": (4,), "conv2/weight": (4, 4, 3), "conv2/bias": (4,),
        "layer_norm/gamma": (4,), "layer_norm/beta": (4,), "position_encodings/encodings": (6, 4),
        "layer_0/ffn/layer_norm/gamma": (4,), "layer_0/ffn/layer_norm/beta": (4,),
        "layer_0/ffn/linear_0/weight": (8, 4), "layer_0/ffn/linear_0/bias": (8,),
        "layer_0/ffn/linear_1/weight": (4, 8), "layer_0/ffn/linear_1/bias": (4,),
        "layer_0/self_attention/layer_norm/gamma": (4,), "layer_0/self_attention/layer_norm/beta": (4,),
        "layer_0/self_attention/linear_0/weight": (12, 4), "layer_0/self_attention/linear_0/bias": (12,),
        "layer_0/self_attention/linear_1/weight": (4, 4), "layer_0/self_attention/linear_1/bias": (4,),
    }  # fmt: skip
    made = {f"encoder/{name}": random.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}
    made["encoder/layer_0/self_attention/linear_0/bias"][4:8] = 0
    made["encoder/num_heads"] = np.array(2, dtype=np.int16)
    made["decoder/embeddings/weight"] = random.normal(size=(5, 4)).astype(np.float16)
    return made


def test_a_hand_made_file_gives_a_whole_encoder(tmp_path, variables):
    (tmp_path / "model.bin").write_bytes(pack_model(variables))
    for path in (tmp_path, tmp_path / "model.bin"):
        loaded = read_speech_encoder(path)
        encoder = build_speech_encoder(loaded.config)
        assert load_strict(encoder, loaded.state).complete
    assert loaded.source == "CTranslate2 Whisper"
    assert loaded.left_over == ["decoder/embeddings/weight"]
    joined = torch.from_numpy(variables["encoder/layer_0/self_attention/linear_0/weight"]).float()
    attention = encoder.layers[0].self_attn
    parts = (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight)
    assert torch.equal(torch.cat(parts), joined)
    assert torch.equal(encoder.positions, torch.from_numpy(variables["encoder/position_encodings/encodings"]).float())
    assert encoder.layers[0].self_attn.num_heads == 2


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, variables):
    whole = pack_model(variables)
    for size in [4, 5, 30, len(whole) // 3, len(whole) - 100]:
        (tmp_path / "model.bin").write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="complete"):
            read_speech_encoder(tmp_path / "model.bin")


def test_other_kinds_are_refused(tmp_path, variables):
    path = tmp_path / "model.bin"
    path.write_bytes(pack_model(variables, specification="TransformerSpec"))
    with pytest.raises(CheckpointError, match="must be a Whisper model, but is 'TransformerSpec'"):
        read_speech_encoder(path)
    quantised = {**variables, "encoder/conv1/weight": np.zeros((4, 3, 3), dtype=np.int8)}
    path.write_bytes(pack_model(quantised))
    with pytest.raises(CheckpointError, match="must be of a float type"):
        read_speech_encoder(path)
    del variables["encoder/num_heads"]
    path.write_bytes(pack_model(variables))
    with pytest.raises(CheckpointError, match="num_heads"):
        read_speech_encoder(path)
    variables["encoder/num_heads"] = np.array(2, dtype=np.int16)
    variables["encoder/layer_0/self_attention/linear_0/bias"][4:8] = 1
    path.write_bytes(pack_model(variables))
    loaded = read_speech_encoder(path)
    with pytest.raises(CheckpointError, match=r"k_proj\.bias"):
        load_strict(build_speech_encoder(loaded.config), loaded.state)
