"""A text model that the host trains by its own means is a decoder to begin from."""

from fairseq_samu.checkpoints import load_strict, read_mbart
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.models.mbart_decoder import MBartDecoder, MBartDecoderConfig
from tests.e2e.training import read_checkpoint, run
from tests.unit.tiny_sentencepiece import TEXTS, train_model

FLAGS = """
--task translation --dataset-impl raw -s src -t tgt --arch mbart_base --share-all-embeddings
--encoder-embed-dim 32 --encoder-ffn-embed-dim 48 --encoder-layers 1 --encoder-attention-heads 4
--decoder-embed-dim 32 --decoder-ffn-embed-dim 48 --decoder-layers 2 --decoder-attention-heads 4
--encoder-normalize-before --decoder-normalize-before --max-source-positions 128 --max-target-positions 128
--criterion label_smoothed_cross_entropy --optimizer adam --lr 0.001 --max-update 2 --batch-size 4 --cpu
"""


def test_checkpoint_of_a_stock_training(tmp_path):
    pieces = train_model(tmp_path)
    vocabulary = Vocabulary.from_sentencepiece(pieces, ["cs", "en"])
    for side in ("src", "tgt"):
        lines = "".join(f"{token} 1\n" for token in vocabulary.tokens[4:])
        (tmp_path / f"dict.{side}.txt").write_text(lines, encoding="utf-8")
        texts = [vocabulary.dictionary.string(vocabulary.encode(text, "en")) for text in TEXTS]
        for split in ("train", "valid"):
            (tmp_path / f"{split}.src-tgt.{side}").write_text("\n".join(texts) + "\n", encoding="utf-8")
    pieces.replace(tmp_path / "sentencepiece.model")
    run([str(tmp_path), "--save-dir", str(tmp_path), *FLAGS.split()])
    loaded = read_mbart(tmp_path)
    assert loaded.tokens == vocabulary.tokens
    decoder = MBartDecoder(MBartDecoderConfig.from_dict(loaded.config))
    assert load_strict(decoder, loaded.state).complete
    trained = read_checkpoint(tmp_path / "checkpoint_best.pt")["model"]
    assert (decoder.layers[1].fc2.weight == trained["decoder.layers.1.fc2.weight"]).all()
    expected = {"dim": 32, "ffn_dim": 48, "num_layers": 2, "num_heads": 4, "max_positions": 128}
    assert expected.items() <= loaded.config.items() and loaded.config["scale_embedding"]
