"""The batch holds what its documentation says."""

import numpy as np
import torch

from fairseq_samu.data.collate import Item, Target, collate, pad


def wave(length, value=1.0):
    return np.full(length, value, dtype=np.float32)


def test_waves_are_padded_and_masked():
    batch = collate(
        [
            Item(7, 3, source=wave(3), teacher=np.ones(2, np.float32), language=1),
            Item(2, 5, source=wave(5), teacher=np.zeros(2, np.float32), language=0),
        ]
    )
    assert batch["id"].tolist() == [7, 2]
    assert (batch["nsentences"], batch["ntokens"], batch["grid"], batch["num_skipped"]) == (2, 8, 10, 0)
    assert batch["net_input"]["source"].dtype == torch.float32
    assert batch["net_input"]["padding_mask"].tolist() == [[False] * 3 + [True] * 2, [False] * 5]
    assert batch["net_input"]["source"][0].tolist() == [1, 1, 1, 0, 0]
    assert batch["teacher"].tolist() == [[1, 1], [0, 0]]
    assert batch["language"].tolist() == [1, 0]
    assert "features" not in batch["net_input"]


def test_features_stand_in_for_waves():
    long, short = (np.ones((length, 4), np.float16) for length in (2, 1))
    batch = collate([Item(0, 640, features=long), Item(1, 320, features=short)])
    assert batch["net_input"]["features"].shape == (2, 2, 4)
    assert batch["net_input"]["features"].dtype == torch.float16
    assert batch["ntokens"] == 960
    assert batch["grid"] == 1280
    assert "source" not in batch["net_input"]
    assert "teacher" not in batch
    assert "language" not in batch


def test_unreadable_rows_are_counted():
    batch = collate([None, Item(1, 4, source=wave(4)), None])
    assert batch["num_skipped"] == 2
    assert batch["id"].tolist() == [1]
    assert collate([None]) == {}


def test_pad_keeps_the_type():
    values, mask = pad([np.zeros((2, 3), np.float16), np.ones((1, 3), np.float16)])
    assert values.dtype == torch.float16
    assert mask.tolist() == [[False, False], [False, True]]


def texts(*rows):
    return [Item(n, 4, wave(4), target=Target("st", 9, 1, tokens)) for n, tokens in enumerate(rows)]


def test_targets_are_padded_and_read_one_token_later():
    batch = collate(texts(np.array([9, 5, 6, 2]), np.array([9, 7, 2])))
    assert batch["task"] == "st"
    assert batch["target_tag"].tolist() == [9, 9]
    assert batch["target"].tolist() == [[9, 5, 6, 2], [9, 7, 2, 1]]
    assert batch["target_lengths"].tolist() == [4, 3]
    assert batch["net_input"]["prev_output_tokens"].tolist() == [[2, 9, 5, 6], [2, 9, 7, 2]]


def test_a_set_to_decode_has_tags_alone():
    batch = collate(texts(None, None))
    assert batch["target"] is None
    assert batch["target_tag"].tolist() == [9, 9]
    assert "prev_output_tokens" not in batch["net_input"]


def test_without_targets_there_is_no_key_of_theirs():
    batch = collate([Item(0, 4, wave(4))])
    assert not {"task", "target", "target_tag", "target_lengths"} & set(batch)
    assert not {"transcript", "transcript_lengths"} & set(batch)


def test_transcripts_stand_beside_the_targets_where_every_row_has_one():
    said = [np.array([5, 6, 7]), np.array([8])]
    tokens = np.array([9, 5, 2])
    items = [Item(n, 4, wave(4), target=Target("st", 9, 1, tokens, text)) for n, text in enumerate(said)]
    batch = collate(items)
    assert batch["transcript"].tolist() == [[5, 6, 7], [8, 1, 1]]
    assert batch["transcript_lengths"].tolist() == [3, 1]
    batch = collate([items[0], Item(2, 4, wave(4), target=Target("st", 9, 1, tokens))])
    assert not {"transcript", "transcript_lengths"} & set(batch)


def pair(index, source, target):
    length = len(source) + (len(target) if target is not None else 0)
    written = Target("mt", 9, 1, None if target is None else np.array(target))
    return Item(index, length, target=written, source_tokens=np.array(source))


def test_texts_stand_in_for_speech():
    batch = collate([pair(4, [5, 6, 7], [9, 5, 2]), pair(3, [8], [9, 7, 7, 2])])
    assert batch["task"] == "mt"
    assert set(batch["net_input"]) == {"source_tokens", "prev_output_tokens"}
    assert batch["net_input"]["source_tokens"].tolist() == [[5, 6, 7], [8, 1, 1]]
    assert batch["net_input"]["source_tokens"].dtype == torch.int64
    assert batch["net_input"]["prev_output_tokens"].tolist() == [[2, 9, 5, 2], [2, 9, 7, 7]]
    assert batch["id"].tolist() == [4, 3]
    assert (batch["nsentences"], batch["ntokens"], batch["grid"], batch["num_skipped"]) == (2, 11, 12, 0)


def test_texts_to_decode_have_a_tag_alone():
    batch = collate([pair(0, [5, 6], None)])
    assert batch["target"] is None
    assert batch["target_tag"].tolist() == [9]
    assert set(batch["net_input"]) == {"source_tokens"}


def test_rows_are_routed_through_named_adapters():
    items = [Item(n, 4, wave(4), source_adapter=source, target_adapter=1) for n, source in enumerate((2, -1))]
    inputs = collate([None, *items])["net_input"]
    assert inputs["source_adapters"].tolist() == [2, -1]
    assert inputs["target_adapters"].tolist() == [1, 1]
    assert inputs["source_adapters"].dtype == inputs["target_adapters"].dtype == torch.int64
    inputs = collate([Item(0, 4, features=np.ones((2, 4), np.float16), target_adapter=0)])["net_input"]
    assert inputs["target_adapters"].tolist() == [0]
    assert "source_adapters" not in inputs
    assert not {"source_adapters", "target_adapters"} & set(collate([Item(0, 4, wave(4))])["net_input"])
