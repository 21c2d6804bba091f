"""Error rates of understanding against an oracle that walks over characters and tries every alignment."""

import random
from functools import lru_cache

import jiwer
import pytest

from fairseq_samu.scoring.understanding import METRICS, UnderstandingPlan, score_understanding

QUICK = UnderstandingPlan(num_resamples=0)


def walk(text):
    """Parts of annotated text: ("open", name), ("close", ""), or ("text", character)."""
    text, place = " ".join(text.split()), 0
    while place < len(text):
        end = text.find(">", place)
        name = text[place + 1 : end] if text[place] == "<" and end > 0 else ""
        if text[place] == "\\" and text[place + 1 : place + 2] in ("<", ">", "\\"):
            yield "text", text[place : place + 2]
            place += 2
        elif name in ("s", "pad", "/s", "unk"):
            yield from (("text", letter) for letter in text[place : end + 1])
            place = end + 1
        elif name and not set(name) & set(" <\\"):
            yield "open", name
            place = end + 1
        else:
            yield ("close", ">") if text[place] == ">" else ("text", text[place])
            place += 1


def oracle_units(text):
    labels, plain, concepts, open_name, value = [], "", [], None, ""
    for kind, part in [*walk(text), ("end", "")]:
        letter = part[-1] if kind == "text" else " "
        if kind == "open":
            labels.append(f"<{part}>")
        elif kind != "end":
            labels.append({" ": "_", "_": "\\_"}.get(part, part))
        plain += letter
        if kind == "text":
            value += letter
            continue
        if open_name is not None:
            concepts.append((open_name, " ".join(value.split())))
        open_name, value = (part if kind == "open" else None), ""
    return {"cher": labels, "wer": plain.split(), "cer": [name for name, _ in concepts], "cver": concepts}


def oracle_errors(reference, hypothesis):
    @lru_cache(None)
    def rest(i, j):
        if i == len(reference) or j == len(hypothesis):
            return len(reference) - i + len(hypothesis) - j
        if reference[i] == hypothesis[j]:
            return rest(i + 1, j + 1)
        return 1 + min(rest(i + 1, j + 1), rest(i + 1, j), rest(i, j + 1))

    return rest(0, 0)


PIECES = ["<a>", "<b-c>", "<a-b>", ">", ">", "x", "oui", "été", "<unk>", "\\<", "\\>", "\\\\", "_", "<", "a\\_b", "12"]


def draw_text(draw, longest=6):
    pieces = [draw.choice(PIECES) for _ in range(draw.randint(0, longest))]
    return "".join(piece + draw.choice(["", " ", " ", " ", "  "]) for piece in pieces)


def test_all_metrics_equal_the_oracle_on_thousands_of_pairs():
    draw = random.Random(7)
    references = [draw_text(draw) for _ in range(2500)]
    hypotheses = [draw_text(draw) for _ in references]
    found = score_understanding(hypotheses, references, QUICK)
    pairs = [(oracle_units(one), oracle_units(two)) for one, two in zip(references, hypotheses, strict=True)]
    for metric in METRICS:
        expected = [(oracle_errors(one[metric], two[metric]), len(one[metric])) for one, two in pairs]
        assert [(counts.errors, counts.reference) for counts in found.counts[metric]] == expected
        rate = 100 * sum(errors for errors, _ in expected) / sum(length for _, length in expected)
        assert found.figures[metric].score == pytest.approx(rate)
        assert any(errors for errors, _ in expected)


def test_word_error_rate_is_that_of_jiwer():
    draw = random.Random(8)
    words = ["je", "veux", "deux", "chambres", "pour", "le"]
    bare = [[draw.choices(words, k=draw.randint(1, 9)) for _ in range(300)] for _ in range(2)]
    tagged = [[" ".join(["<a>", *one[:2], ">", *one[2:]]) for one in side] for side in bare]
    plain = [[" ".join(one) for one in side] for side in bare]
    found = score_understanding(tagged[1], tagged[0], QUICK).figures["wer"]
    assert found.score == pytest.approx(100 * jiwer.wer(plain[0], plain[1]))
