"""Noise on source texts: what becomes a blank, how often, and that nothing but seed, epoch and row decides."""

import pickle

import numpy as np
import pytest

pytest.importorskip("fairseq", reason="the vocabulary holds the host's dictionary")

from fairseq_samu.data.text_noise import TextNoise
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError
from tests.unit.tiny_sentencepiece import TEXTS, train_model

BLANK = 0


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    model = train_model(tmp_path_factory.mktemp("sentencepiece"), user_defined_symbols=["▁.", "...", "?!", "s."])
    return Vocabulary.from_sentencepiece(model, ["en"])


def encode(vocabulary, text):
    return vocabulary.encode(text)[:-1]


def pieces_of(vocabulary, tokens):
    return [vocabulary.tokens[token] for token in tokens]


def ids_of(vocabulary, *pieces):
    return np.array([vocabulary.tokens.index(piece) for piece in pieces])


def noise_by_loops(vocabulary, tokens, inserted_before):
    """The sentence with blanks for punctuation and in front of some places."""
    result = []
    for place, token in enumerate(tokens):
        if place in inserted_before:
            result.append(BLANK)
        piece = vocabulary.tokens[token]
        rest = piece.removeprefix("▁")
        is_punctuation = rest != "" and all(character in ",.;!?:" for character in rest)
        result.append(BLANK if is_punctuation else int(token))
    return result


@pytest.mark.parametrize(
    ("piece", "becomes_blank"),
    [("▁.", True), ("...", True), ("?!", True), (",", True), (".", True), ("?", True), ("s.", False), ("▁", False),
     ("a", False), ("。", False), ("<s>", True), ("</s>", False), ("[en_XX]", False), ("<mask>", False)],
)  # fmt: skip
def test_pieces_of_nothing_but_punctuation_become_blanks(vocabulary, piece, becomes_blank):
    tokens = ids_of(vocabulary, "a", piece, "a")
    changed = TextNoise(vocabulary, prob=1.0, max_share=0.0).noise(tokens, 1, 0)
    assert (changed == BLANK).tolist() == [False, becomes_blank, False]
    assert (changed[[0, 2]] == tokens[[0, 2]]).all()


def test_a_text_with_its_punctuation(vocabulary):
    tokens = encode(vocabulary, "Why do you think that this is a submarine? I am not so sure.")
    changed = TextNoise(vocabulary, prob=1.0, max_share=0.0).noise(tokens, 1, 0)
    assert pieces_of(vocabulary, tokens).count("?") == pieces_of(vocabulary, tokens).count(".") == 1
    assert (changed == BLANK).sum() == 2
    assert vocabulary.decode(changed) == "Why do you think that this is a submarine I am not so sure"


@pytest.mark.parametrize("text", TEXTS)
def test_blanks_stand_in_front_of_different_words_and_nothing_else_changes(vocabulary, text):
    tokens = encode(vocabulary, text)
    kept = tokens.copy()
    noise = TextNoise(vocabulary, prob=1.0, max_share=0.5)
    starts = [i for i, piece in enumerate(pieces_of(vocabulary, tokens)) if piece.startswith("▁") and piece != "▁."]
    counts = set()
    for epoch in range(40):
        changed = noise.noise(tokens, epoch, 3)
        assert changed.dtype == np.int64
        count = len(changed) - len(tokens)
        counts.add(count)
        assert 0 <= count <= round(0.5 * len(tokens))
        # walk along both: wherever a blank is too many, it must stand in front of a word
        inserted, place = set(), 0
        for token in changed.tolist():
            expected = noise_by_loops(vocabulary, tokens, ())[place] if place < len(tokens) else None
            if token == expected and not (token == BLANK and place in starts):
                place += 1
                continue
            assert token == BLANK
            assert place in starts
            assert place not in inserted
            inserted.add(place)
        assert place == len(tokens)
        assert changed.tolist() == noise_by_loops(vocabulary, tokens, inserted)
    assert len(counts) > 1 or len(starts) == 1
    np.testing.assert_array_equal(tokens, kept)


def test_share_of_sentences_and_mean_of_inserted_blanks(vocabulary):
    tokens = np.concatenate([ids_of(vocabulary, "▁", "a")] * 20)
    noise = TextNoise(vocabulary, prob=0.1, max_share=0.2, seed=5)
    added = np.array([len(noise.noise(tokens, 1, row)) - len(tokens) for row in range(10_000)])
    # round(U(0, .2) * 40) is 0 in 1 of 16 draws, 1 to 7 in 2 of 16 each, 8 in 1 of 16: 4 on average
    assert (added > 0).mean() == pytest.approx(0.1 * 15 / 16, abs=0.012)  # four standard errors
    assert added.max() == 8
    assert added[added > 0].mean() == pytest.approx(4 * 16 / 15, abs=0.3)


@pytest.mark.parametrize(("prob", "changed"), [(0.0, 0), (1.0, 200)])
def test_never_and_always(vocabulary, prob, changed):
    tokens = encode(vocabulary, TEXTS[0])
    noise = TextNoise(vocabulary, prob=prob)
    assert sum(not np.array_equal(noise.noise(tokens, 1, row), tokens) for row in range(200)) == changed


def test_seed_epoch_and_row_decide_and_nothing_else(vocabulary):
    tokens = encode(vocabulary, TEXTS[7])

    def draw(seed, epochs=(1, 2), rows=range(30), twist=False):
        noise = TextNoise(vocabulary, 0.5, 0.2, seed)
        noise = pickle.loads(pickle.dumps(noise)) if twist else noise
        order = [(epoch, row) for epoch in epochs for row in rows]
        drawn = {key: noise.noise(tokens, *key).tolist() for key in (reversed(order) if twist else order)}
        return [drawn[key] for key in order]

    np.random.seed(0)
    first = draw(1)
    np.random.seed(1)
    assert draw(1, twist=True) == first
    assert draw(2) != first
    assert draw(1, epochs=(2,)) == first[30:] != first[:30]
    assert len({tuple(changed) for changed in first}) > 10


def test_few_words_and_no_tokens(vocabulary):
    noise = TextNoise(vocabulary, prob=1.0, max_share=1.0)
    word = ids_of(vocabulary, "▁", "a", "a", "a")
    assert {len(noise.noise(word, epoch, 0)) for epoch in range(20)} == {4, 5}
    assert all(noise.noise(word[1:], epoch, 0).tolist() == word[1:].tolist() for epoch in range(20))
    assert noise.noise(word[:0], 1, 0).tolist() == []
    assert noise.noise(word[:0], 1, 0).dtype == np.int64


def test_the_vocabulary_may_be_filled_and_trimmed_after_the_noise_was_built(vocabulary):
    later = Vocabulary()
    noise = TextNoise(later, prob=1.0, max_share=0.0)
    later.load_state_dict(vocabulary.state_dict())
    assert noise.noise(ids_of(later, "a", "."), 1, 0)[1] == BLANK
    later.trim(later.kept_ids([("s. fish.", "en")]))
    assert noise.noise(ids_of(later, "s", "."), 1, 0).tolist() == [*ids_of(later, "s"), BLANK]


def test_all_faulty_settings_at_once(vocabulary):
    with pytest.raises(ConfigError) as caught:
        TextNoise(vocabulary, prob=1.5, max_share=-0.1)
    assert len(str(caught.value).split("\n")) == 2
