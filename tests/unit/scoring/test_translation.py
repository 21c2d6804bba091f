"""Scores of translations: literal values, an oracle in plain Python, tokenisers by language, metrics on demand."""

import importlib.util
import math
from collections import Counter

import pytest
import torch

from fairseq_samu.errors import ConfigError, SamuError
from fairseq_samu.scoring import translation, word_metrics
from fairseq_samu.scoring.bert_score import BertScorer
from fairseq_samu.scoring.tokenisers import choose_tokeniser, looks_unspaced
from fairseq_samu.scoring.translation import ScoringPlan, plan_scoring, score_translations

REFERENCES = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
HYPOTHESES = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
QUICK = ScoringPlan(num_resamples=0)


def scores_of(hypotheses, references, language=None, **settings):
    found = score_translations(hypotheses, references, language, ScoringPlan(num_resamples=0, **settings))
    return {metric: figure.score for metric, figure in found.figures.items()}


def test_literal_values():
    """As the command line of sacreBLEU 2.6 prints them for the same texts."""
    scores = scores_of(HYPOTHESES, REFERENCES)
    assert scores["bleu"] == pytest.approx(45.0675, abs=1e-4)
    assert scores["chrf"] == pytest.approx(50.0431, abs=1e-4)
    assert scores_of(REFERENCES, REFERENCES) == {"bleu": pytest.approx(100), "chrf": pytest.approx(100)}
    assert scores_of([""] * 3, REFERENCES) == {"bleu": 0, "chrf": 0}


def bleu_oracle(hypotheses, references):
    """BLEU-4 of tokenised texts with sacreBLEU's smoothing: an order without a match counts half of the one before."""
    precisions, halves = [], 1.0
    for order in range(1, 5):
        right = total = 0
        for text, reference in zip(hypotheses, references, strict=True):
            words, others = text.split(), reference.split()
            found = Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))
            there = Counter(tuple(others[i : i + order]) for i in range(len(others) - order + 1))
            right += sum(min(count, there[gram]) for gram, count in found.items())
            total += sum(found.values())
        if right == 0:
            halves *= 2
        precisions.append(right / total if right else 1 / (halves * total))
    length, wanted = sum(len(text.split()) for text in hypotheses), sum(len(text.split()) for text in references)
    brevity = 1.0 if length >= wanted else math.exp(1 - wanted / length)
    return 100 * brevity * math.exp(sum(map(math.log, precisions)) / 4)


@pytest.mark.parametrize(
    "hypotheses",
    [
        ["the cat sat on a mat", "a dog ran in the park"],
        ["the cat sat on the", "dog ran the park now"],  # shorter, and no four words in a row
        ["the the the the the the", "park dog a the in ran"],
        ["the cat sat on the mat and slept there", "a big dog ran in the park"],
    ],
)
def test_bleu_against_an_oracle(hypotheses):
    references = ["the cat sat on the mat", "a dog ran in the big park"]
    assert scores_of(hypotheses, references)["bleu"] == pytest.approx(bleu_oracle(hypotheses, references), abs=1e-9)


def test_signatures_name_what_the_score_depends_on():
    found = score_translations(HYPOTHESES, REFERENCES)
    assert found.signatures["bleu"].startswith(
        "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:"
    )
    assert found.signatures["chrf"].startswith(
        "nrefs:1|bs:1000|seed:12345|case:mixed|eff:yes|nc:6|nw:0|space:no|version:"
    )
    assert "bs:" not in score_translations(HYPOTHESES, REFERENCES, plan=QUICK).signatures["bleu"]


def test_chinese_is_cut_by_characters():
    texts, references = ["我喜欢狗。", "今天天气好。"], ["我喜欢猫。", "今天天气很好。"]
    found = score_translations(texts, references, "zh", QUICK)
    assert "tok:zh" in found.signatures["bleu"]
    spaced = [[" ".join(text) for text in side] for side in (texts, references)]
    assert found.figures["bleu"].score == pytest.approx(bleu_oracle(*spaced), abs=1e-9)
    unaware = score_translations(texts, references, plan=QUICK)
    assert "tok:13a" in unaware.signatures["bleu"]
    assert "without spaces" in unaware.note
    assert score_translations(HYPOTHESES, REFERENCES, plan=QUICK).note == ""


@pytest.mark.parametrize(("language", "name"), [("ja", "ja-mecab"), ("ko", "ko-mecab")])
def test_japanese_and_korean_by_their_analyser_where_it_is_installed(monkeypatch, language, name):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    tokeniser, note = choose_tokeniser(language)
    assert tokeniser == "char"
    assert f"pip install 'sacrebleu[{language}]'" in note
    assert "tok:char" in score_translations(["私は猫"], ["私は犬"], language, QUICK).signatures["bleu"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: object())
    assert choose_tokeniser(language) == (name, "")


def test_other_languages_and_the_users_choice():
    assert [choose_tokeniser(code) for code in ("en", None, "xx")] == [("13a", "")] * 3
    assert choose_tokeniser("zh", "intl") == ("intl", "")
    assert "trust chrF" in choose_tokeniser("th")[1]
    assert (
        "tok:intl" in score_translations(HYPOTHESES, REFERENCES, "en", ScoringPlan(tokeniser="intl")).signatures["bleu"]
    )
    assert looks_unspaced(["สวัสดีครับ", "ok"])
    assert not looks_unspaced(["", "123", "Москва 東京"])


def test_unequal_counts_and_empty_sets_are_refused():
    with pytest.raises(SamuError, match=r"as many as references \(3\).*but is '2'"):
        score_translations(HYPOTHESES[:2], REFERENCES)
    with pytest.raises(SamuError, match="at least one"):
        score_translations([], [])
    assert score_translations(["a", "b"], ["a", " "], plan=QUICK).note == "1 of 2 references are empty"


def test_google_bleu_by_hand():
    # 1-grams 5 of 6, 2-grams 3 of 5, 3-grams 2 of 4, 4-grams 1 of 3; both sides are equally long
    scores = scores_of(["the cat sat on the mat"], ["the cat sat on a mat"], "en", metrics=("google_bleu",))
    assert scores["google_bleu"] == pytest.approx(11 / 18)


def test_nist_by_hand():
    # All words occur once among 4: log2(4) = 2 bits each; the second of a pair is certain once the first is known.
    scores = scores_of(["a b", "c d"], ["a b", "c d"], "en", metrics=("nist",))
    assert scores["nist"] == pytest.approx(2.0)
    assert scores_of(["", ""], ["a b", "c d"], "en", metrics=("nist",))["nist"] == 0
    assert scores_of(["a"], [""], "en", metrics=("nist",))["nist"] == 0


def test_rouge_l_by_hand():
    # longest common subsequences: 5 of 6 and 6 words; 2 of 2 and 4 words
    texts, references = ["the cat sat on the mat", "dogs bark"], ["The cat sat on a mat", "dogs always bark loudly"]
    expected = (5 / 6 + 2 * 1 * 0.5 / 1.5) / 2
    assert scores_of(texts, references, "en", metrics=("rouge_l",))["rouge_l"] == pytest.approx(expected)
    # the library's own tokeniser knows the letters a to z only
    assert scores_of(["собака лает"], ["Собака лает"], "ru", metrics=("rouge_l",))["rouge_l"] == pytest.approx(1.0)


class EmptyWordNet:
    def synsets(self, word):
        return []


def test_meteor_by_hand():
    # five of six words match in two chunks, precision = recall = 5/6: F = 5/6, penalty .5 * (2/5)^3
    score = word_metrics.meteor(["my cat sat on the mat"], ["my cat sat on a mat"], str.split, "en", EmptyWordNet())
    assert score == pytest.approx(5 / 6 * (1 - 0.5 * (2 / 5) ** 3))


def test_a_metric_without_its_data_says_what_is_missing(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match="`--metrics` must be of bleu"):
        plan_scoring(["bleu", "ter"])
    with pytest.raises(ConfigError, match=r"bertscore.*Give --bertscore-model DIR \(nothing is downloaded\)"):
        plan_scoring(["bertscore"])
    with pytest.raises(ConfigError, match="a model of transformers"):
        plan_scoring(["bertscore"], tmp_path)
    with pytest.raises(ConfigError, match="target language` must be en, but is 'de'"):
        scores_of(["a"], ["a"], "de", metrics=("meteor",))
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    with pytest.raises(ConfigError, match=r"python -m nltk\.downloader wordnet"):
        scores_of(["a"], ["a"], "en", metrics=("meteor",))
    monkeypatch.setattr(translation.importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=r"pip install 'fairseq-samu\[metrics\]'"):
        plan_scoring(["rouge_l"])


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A random two-layer BERT of eleven words, saved with its tokeniser."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "on", "a", "mat", "dog"]
    words = {word: i for i, word in enumerate(listed)}
    tokeniser = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokeniser.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokeniser.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokeniser, **names).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(words), initializer_range=0.5, **sizes)).save_pretrained(folder)
    return folder


def test_bert_score_against_the_published_library_and_an_oracle(bert):
    scorer = BertScorer(bert)
    texts, references = (
        ["the cat sat on the mat", "a dog", "mat"],
        ["the cat sat on a mat", "a dog sat", "on the dog mat"],
    )
    values = [scorer.score([text], [reference]) for text, reference in zip(texts, references, strict=True)]
    assert values == pytest.approx([bert_oracle(bert, *pair) for pair in zip(texts, references, strict=True)], abs=1e-5)
    # bert_score 0.3.13 on the same model
    assert values == pytest.approx([0.9733, 0.6766, 0.6266], abs=1e-3)
    assert scorer.score(texts, references) == pytest.approx(sum(values) / 3, abs=1e-5)
    assert scorer.score(["", "mat"], ["mat", "mat"]) == pytest.approx(0.5, abs=1e-5)
    with pytest.raises(ConfigError, match="from 0 to 2, but is '3'"):
        BertScorer(bert, 3)
    found = score_translations(texts, references, "en", plan_scoring(["bertscore"], bert, 1, num_resamples=0))
    assert "layer:1" in found.signatures["bertscore"]
    assert found.figures["bertscore"].score == pytest.approx(BertScorer(bert, 1).score(texts, references))


def bert_oracle(folder, text, reference):
    from transformers import AutoModel, AutoTokenizer

    tokeniser, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    sides = []
    for words in (text, reference):
        with torch.no_grad():
            sides.append(model(**tokeniser(words, return_tensors="pt")).last_hidden_state[0])

    def mean_best(side, other):
        cosines = [[torch.cosine_similarity(one, two, dim=0).item() for two in other] for one in side[1:-1]]
        return sum(map(max, cosines)) / len(cosines)

    precision, recall = mean_best(*sides), mean_best(*reversed(sides))
    return 2 * precision * recall / (precision + recall)
