"""The metrics of arXiv:2306.00789 that stand beside BLEU, by the libraries that compute them: the extra `metrics`.

Every function takes hypotheses and references of one data set and a function that cuts words. Scales are the paper's:
0 to 1, NIST from 0 up.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fairseq_samu.errors import ConfigError, explain

Tokenise = Callable[[str], list[str]]
NIST_ORDER = 5


def google_bleu(hypotheses: Sequence[str], references: Sequence[str], tokenise: Tokenise) -> float:
    """Google-BLEU of a corpus (arXiv:1609.08144): the lesser of n-gram precision and recall, orders 1 to 4."""
    from nltk.translate.gleu_score import corpus_gleu

    return float(corpus_gleu([[tokenise(text)] for text in references], list(map(tokenise, hypotheses))))


def nist(hypotheses: Sequence[str], references: Sequence[str], tokenise: Tokenise) -> float:
    """NIST of a corpus (Doddington, 2002), orders 1 to 5; orders longer than every hypothesis are left out."""
    from nltk.translate.nist_score import corpus_nist

    cut = list(map(tokenise, hypotheses))
    order = min(NIST_ORDER, max(map(len, cut)))
    references_cut = [[tokenise(text)] for text in references]
    if not order or not any(words for [words] in references_cut):
        return 0.0
    return float(corpus_nist(references_cut, cut, n=order))


def rouge_l(hypotheses: Sequence[str], references: Sequence[str], tokenise: Tokenise, language: str) -> float:
    """Mean over sentences of ROUGE-L's F1 (Lin, 2004), in lower case.

    Args:
        hypotheses: of N sentences.
        references: of the same.
        tokenise: cuts words of languages other than English, whose letters the library's own tokeniser drops.
        language: of the texts; English is cut by the library.
    """
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer

    scorer = RougeScorer(["rougeL"], tokenizer=DefaultTokenizer() if language == "en" else _LowerCase(tokenise))
    scores = [
        scorer.score(reference, text)["rougeL"].fmeasure for text, reference in zip(hypotheses, references, strict=True)
    ]
    return float(sum(scores) / len(scores))


class _LowerCase:
    def __init__(self, tokenise: Tokenise) -> None:
        self._tokenise = tokenise

    def tokenize(self, text: str) -> list[str]:
        return self._tokenise(text.lower())


def meteor(
    hypotheses: Sequence[str], references: Sequence[str], tokenise: Tokenise, language: str, wordnet: Any = None
) -> float:
    """Mean over sentences of METEOR (Banerjee and Lavie, 2005) with the stemmer and synonyms of English.

    Args:
        hypotheses: of N sentences.
        references: of the same.
        tokenise: cuts words.
        language: of the texts.
        wordnet: has ``synsets``; NLTK's WordNet when None.

    Raises:
        ConfigError: the language is another one, or WordNet is not on this machine.
    """
    from nltk.translate.meteor_score import meteor_score

    if language != "en":
        mend = "Its stemmer and synonyms are English; leave meteor out of --metrics."
        raise ConfigError(explain("meteor", "target language", "en", language or "not given", mend))
    wordnet = wordnet or _wordnet()
    pairs = zip(hypotheses, references, strict=True)
    scores = [meteor_score([tokenise(reference)], tokenise(text), wordnet=wordnet) for text, reference in pairs]
    return float(sum(scores) / len(scores))


def _wordnet() -> Any:
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError as error:
        mend = "Fetch it once by `python -m nltk.downloader wordnet`, or leave meteor out of --metrics."
        raise ConfigError(explain("meteor", "NLTK's WordNet", "on this machine", "not found", mend)) from error
    return wordnet
