"""`fairseq-samu score st`: the JSON that scripts rely on, tables, and one clear message for every fault."""

import csv
import json
import random

import pytest
from sacrebleu.metrics import BLEU, CHRF

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest

WORDS = ["the", "a", "cat", "dog", "house", "runs", "sees", "big", "small", "red"]
LANGUAGES = ["fr", "it", "nl", "cs"]
COLUMNS = ["id", "audio", "n_frames", "src_lang", "tgt_lang", "tgt_text"]
NUM_ROWS = 42


def corrupt(text, share, seed):
    draw = random.Random(f"{seed} {text}")
    return " ".join(draw.choice(WORDS) if draw.random() < share else word for word in text.split())


@pytest.fixture
def folder(tmp_path):
    """A test manifest of four pairs, a reference file, and three systems as `fairseq-generate` writes them."""
    draw = random.Random(1)
    texts = [" ".join(draw.choice(WORDS) for _ in range(draw.randint(5, 12))) for _ in range(NUM_ROWS)]
    rows = [
        {
            "id": f"u{i}",
            "audio": "a.wav",
            "n_frames": 1,
            "src_lang": LANGUAGES[i % 4],
            "tgt_lang": "en_XX",
            "tgt_text": text,
        }
        for i, text in enumerate(texts)
    ]
    write_manifest(tmp_path / "test.tsv", rows, COLUMNS)
    (tmp_path / "test.en").write_text("\n".join(texts) + "\n", "utf-8")
    for name, share in (("good", 0.1), ("fair", 0.3), ("poor", 0.6)):
        write_output(tmp_path / f"{name}.txt", texts, [corrupt(text, share, name) for text in texts], seed=share)
    return tmp_path


def write_output(path, references, hypotheses, seed=0, skip=()):
    order = [row for row in range(len(hypotheses)) if row not in skip]
    random.Random(seed).shuffle(order)
    lines = [f"T-{i}\t{references[i]}\nH-{i}\t-0.5\t▁x\nD-{i}\t-0.5\t{hypotheses[i]}\nP-{i}\t-0.1" for i in order]
    path.write_text(
        "\n".join(["2026-01-01 | INFO | loading", *lines, "Generate test with beam=5: BLEU"]) + "\n", "utf-8"
    )


def hypotheses_of(path):
    found = [line.split("\t") for line in path.read_text("utf-8").splitlines() if line.startswith("D-")]
    return [text for _, text in sorted((int(row[2:]), text) for row, _, text in found)]


def score(*options):
    return main(["score", "st", *map(str, options)])


def result_of(folder, *options):
    assert score(*options, "--json", folder / "out.json") == 0
    return json.loads((folder / "out.json").read_text("utf-8"))


def test_plain_text_is_scored_as_sacrebleu_scores_it(folder, capsys):
    texts, references = hypotheses_of(folder / "fair.txt"), (folder / "test.en").read_text("utf-8").splitlines()
    (folder / "fair.en").write_text("\n".join(texts), "utf-8")
    assert score("--reference", folder / "test.en", "--hypothesis", folder / "fair.en", "--json", "-") == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["bleu"] == pytest.approx(BLEU().corpus_score(texts, [references]).score)
    assert result["chrf"] == pytest.approx(CHRF().corpus_score(texts, [references]).score)
    assert "tok:13a" in result["signature"]["bleu"]
    assert list(result["pairs"]) == ["all"]
    assert result["rows"] == NUM_ROWS
    low, high = result["bleu_interval"]
    assert low < result["bleu"] < high
    assert "BLEU: nrefs:1" in printed.err


def test_the_manifest_gives_references_pairs_and_groups(folder, capsys):
    result = result_of(folder, "--generate", folder / "fair.txt", "--manifest", folder / "test.tsv")
    assert list(result["pairs"]) == ["fr-en", "it-en", "nl-en", "cs-en"]
    assert [part["rows"] for part in result["pairs"].values()] == [11, 11, 10, 10]
    texts, references = hypotheses_of(folder / "fair.txt"), (folder / "test.en").read_text("utf-8").splitlines()
    for place, language in enumerate(LANGUAGES):
        expected = BLEU().corpus_score(texts[place::4], [references[place::4]]).score
        assert result["pairs"][f"{language}-en"]["bleu"] == pytest.approx(expected)
    scores = [part["bleu"] for part in result["pairs"].values()]
    assert result["bleu"] == pytest.approx(sum(scores) / 4)
    assert result["corpus"]["bleu"] == pytest.approx(BLEU().corpus_score(texts, [references]).score)
    assert {name: part["bleu"] for name, part in result["groups"].items()} == pytest.approx(
        {"high": scores[0], "mid": scores[1], "low": scores[2]}
    )
    assert result["trf_gap"]["bleu"] == pytest.approx(scores[0] - scores[2])
    printed = capsys.readouterr().out
    assert "TRFGap (high - low)" in printed
    assert "low (1 of 12)" in printed


def test_the_order_of_rows_does_not_matter(folder):
    texts, references = hypotheses_of(folder / "fair.txt"), (folder / "test.en").read_text("utf-8").splitlines()
    results = []
    for seed in (1, 2):
        write_output(folder / "again.txt", references, texts, seed)
        results.append(result_of(folder, "--generate", folder / "again.txt", "--manifest", folder / "test.tsv"))
    assert results[0] == results[1]


def test_references_that_the_vocabulary_could_not_write_are_refused(folder, capsys):
    references = (folder / "test.en").read_text("utf-8").splitlines()
    written = [references[0], references[1][:-1] + "<<unk>>", *references[2:]]
    write_output(folder / "unknown.txt", written, references)
    assert score("--generate", folder / "unknown.txt") == 1
    assert "<<unk>> in row 1' instead. Give --manifest" in capsys.readouterr().err
    assert result_of(folder, "--generate", folder / "unknown.txt", "--manifest", folder / "test.tsv")["bleu"] > 99


def test_references_are_taken_from_where_the_user_says(folder):
    own = result_of(folder, "--generate", folder / "fair.txt")
    assert own["references"].startswith("T- lines of ")
    given = result_of(folder, "--generate", folder / "fair.txt", "--reference", folder / "test.en", "--language", "en")
    assert given["references"] == str(folder / "test.en")
    assert (list(given["pairs"]), given["bleu"]) == (["en"], own["bleu"])
    pair = result_of(folder, "--generate", folder / "fair.txt", "--language", "fra-en_XX")
    assert list(pair["pairs"]) == ["fr-en"]
    other = (folder / "test.en").read_text("utf-8").replace("cat", "horse")
    (folder / "other.en").write_text(other, "utf-8")
    both = ["--reference", folder / "other.en", "--manifest", folder / "test.tsv"]
    changed = result_of(folder, "--generate", folder / "fair.txt", *both)
    assert len(changed["pairs"]) == 4
    assert changed["corpus"]["bleu"] < own["bleu"]


def test_a_baseline_is_tested_against_on_the_same_rows(folder, capsys):
    options = ["--generate", folder / "good.txt", "--manifest", folder / "test.tsv"]
    result = result_of(folder, *options, "--baseline-generate", folder / "poor.txt")
    overall = result["comparison"]["overall"]["bleu"]
    assert overall["p_value"] < 0.01
    assert overall["interval"][0] > 0
    difference = result["systems"]["system"]["bleu"] - result["systems"]["baseline"]["bleu"]
    assert overall["delta"] == pytest.approx(difference)
    assert {"fr-en", "cs-en"} <= set(result["comparison"]["pairs"])
    assert "paired bootstrap against baseline" in capsys.readouterr().out
    same = result_of(folder, *options, "--baseline-generate", folder / "good.txt")
    assert same["comparison"]["overall"]["chrf"]["p_value"] == pytest.approx(0.5, abs=0.001)
    assert result == result_of(folder, *options, "--baseline-generate", folder / "poor.txt")


def test_systems_and_toplines_in_tables_of_the_paper(folder, capsys):
    topline = hypotheses_of(folder / "good.txt")
    (folder / "transcripts.en").write_text("\n".join(topline) + "\n", "utf-8")
    options = [
        "--generate",
        folder / "fair.txt",
        "--name",
        "SAMU",
        "--manifest",
        folder / "test.tsv",
        "--resamples",
        "0",
    ]
    more = ["--system", f"XLS-R={folder / 'poor.txt'}", "--system", f"transcripts={folder / 'transcripts.en'}"]
    result = result_of(folder, *options, *more, "--markdown", "--csv", folder / "out.csv")
    assert list(result["systems"]) == ["SAMU", "XLS-R", "transcripts"]
    assert "bleu_interval" not in result
    printed = capsys.readouterr().out
    assert "| system | high | mid | low | TRFGap | mean |" in printed
    assert "| system | fr-en | it-en | nl-en | cs-en |" in printed
    assert "\n| XLS-R | " in printed
    good = result_of(folder, "--generate", folder / "good.txt", "--manifest", folder / "test.tsv", "--resamples", "0")
    assert result["systems"]["transcripts"]["pairs"] == good["pairs"]
    with (folder / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 * 2 * (4 + 3 + 1 + 1)
    assert {row["kind"] for row in rows} == {"pair", "group", "mean", "gap"}


def test_groups_of_the_user(folder, capsys):
    options = ["--generate", folder / "fair.txt", "--manifest", folder / "test.tsv"]
    result = result_of(folder, *options, "--groups", "seen=nl,fr;unseen=cs")
    assert list(result["groups"]) == ["seen", "unseen"]
    pairs = result["pairs"]
    expected = (pairs["nl-en"]["bleu"] + pairs["fr-en"]["bleu"]) / 2 - pairs["cs-en"]["bleu"]
    assert result["trf_gap"]["bleu"] == pytest.approx(expected)
    assert score(*options, "--groups", "seen=nl;unseen=pl") == 1
    assert "is 'pl' instead" in capsys.readouterr().err


def test_groups_of_covost2_are_for_translation_into_english(folder):
    german = (folder / "test.tsv").read_text("utf-8").replace("\ten_XX\t", "\tde\t")
    (folder / "german.tsv").write_text(german, "utf-8")
    result = result_of(folder, "--generate", folder / "fair.txt", "--manifest", folder / "german.tsv")
    assert list(result["pairs"]) == ["fr-de", "it-de", "nl-de", "cs-de"]
    assert (result["groups"], result["trf_gap"]) == ({}, None)


def test_the_papers_other_metrics(folder):
    options = ["--generate", folder / "fair.txt", "--manifest", folder / "test.tsv"]
    result = result_of(folder, *options, "--metrics", "google_bleu,rouge_l,nist")
    assert {"bleu", "chrf", "google_bleu", "rouge_l", "nist"} <= set(result["trf_gap"])
    assert 0 < result["google_bleu"] < result["rouge_l"] < 1 < result["nist"]
    assert set(result["signature"]) == {"bleu", "chrf", "google_bleu", "rouge_l", "nist"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "test.en"], "`hypotheses` must be of one system at least"),
        (["--hypothesis", "short.en", "--reference", "test.en"], "must be as many as references (42), but is '41'"),
        (["--hypothesis", "short.en", "--manifest", "test.tsv"], "must be as many as references (42), but is '41'"),
        (["--generate", "good.txt", "--manifest", "test.tsv", "--reference", "short.en"], "test.tsv has rows (42)"),
        (["--hypothesis", "test.en"], "Give --manifest TSV or --reference FILE."),
        (["--generate", "gap.txt"], "'39 without rows 3, 17, 40'"),
        (["--generate", "gap.txt", "--manifest", "test.tsv"], "'39 without rows 3, 17, 40'"),
        (["--generate", "tail.txt", "--manifest", "test.tsv"], "'41 without row 41'"),
        (["--generate", "good.txt", "--reference", "short.en"], "of the 41 rows that there are, but is 'row 41'"),
        (["--generate", "good.txt", "good.txt"], "`D- lines` must be one a row"),
        (["--generate", "empty.txt"], "is 'empty' instead"),
        (["--generate", "good.txt", "--reference", "empty.txt"], "is 'empty' instead"),
        (["--generate", "test.en"], "without lines `D-ROW`"),
        (["--generate", "absent.txt"], "absent.txt: No such file or directory."),
        (["--generate", "good.txt", "--manifest", "no_target.tsv"], "tgt_text"),
        (["--generate", "good.txt", "--system", "good.txt"], "`--system` must be NAME=FILE"),
        (["--generate", "good.txt", "--system", "system=fair.txt"], "`names of systems` must be different"),
        (["--generate", "good.txt", "--metrics", "bleu,comet"], "is 'comet' instead"),
        (["--generate", "good.txt", "--metrics", "bertscore"], "--bertscore-model DIR"),
        (["--generate", "good.txt", "--tokenize", "flores200"], "`--tokenize` must be of 13a"),
        (["--generate", "good.txt", "--resamples", "5"], "`--resamples` must be 0, or 40 and more"),
        (["--generate", "good.txt", "--groups", "high"], "`--groups` must be NAME=LANGUAGE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_faults_are_one_message(folder, capsys, monkeypatch, options, message):
    references = (folder / "test.en").read_text("utf-8").splitlines()
    (folder / "short.en").write_text("\n".join(references[:-1]) + "\n", "utf-8")
    (folder / "empty.txt").write_text("")
    write_output(folder / "gap.txt", references, references, skip=(3, 17, 40))
    write_output(folder / "tail.txt", references, references, skip=(41,))
    rows = [{"id": f"u{i}", "audio": "a.wav", "n_frames": 1} for i in range(NUM_ROWS)]
    write_manifest(folder / "no_target.tsv", rows, COLUMNS[:3])
    monkeypatch.chdir(folder)
    assert score(*options, "--json", "out.json") == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (folder / "out.json").exists()
