"""`fairseq-samu score asr`: the JSON that scripts rely on, languages of the speech, one message for a fault."""

import json
import random

import pytest

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.scoring.recognition import METRICS, RecognitionPlan, score_recognition

COLUMNS = ["id", "audio", "n_frames", "src_lang", "src_text", "tgt_lang", "tgt_text"]
NUM_ROWS = 40


def score(*options):
    return main(["score", "asr", *map(str, options)])


def result_of(folder, *options):
    assert score(*options, "--json", folder / "out.json") == 0
    return json.loads((folder / "out.json").read_text("utf-8"))


def corrupt(text, share, seed):
    draw = random.Random(f"{seed} {text}")
    return " ".join("x" if draw.random() < share else word for word in text.split())


def write_output(path, references, hypotheses, skip=()):
    rows = [row for row in range(len(hypotheses)) if row not in skip]
    random.Random(0).shuffle(rows)
    lines = [f"T-{i}\t{references[i]}\nH-{i}\t-0.5\tx _ y\nD-{i}\t-0.5\t{hypotheses[i]}" for i in rows]
    path.write_text("\n".join(["2026-01-01 | INFO | loading", *lines]) + "\n", "utf-8")


@pytest.fixture
def references():
    draw = random.Random(1)
    return [" ".join([f"Mot{draw.randint(0, 9)}" for _ in range(3 + row % 4)]) + "." for row in range(NUM_ROWS)]


@pytest.fixture
def folder(tmp_path, references):
    """A test manifest of speech in two languages with English translations, and systems as the host and as text."""
    rows = [
        {
            "id": f"u{row}",
            "audio": "a.wav",
            "n_frames": 1,
            "src_lang": ["be", "ro"][row % 2],
            "src_text": text,
            "tgt_lang": "en",
            "tgt_text": f"translation {row}",
        }
        for row, text in enumerate(references)
    ]
    write_manifest(tmp_path / "test.tsv", rows, COLUMNS)
    (tmp_path / "ref.txt").write_text("\n".join(references) + "\n", "utf-8")
    for name, share in (("good", 0.05), ("poor", 0.5)):
        texts = [corrupt(text, share, name) for text in references]
        write_output(tmp_path / f"{name}.gen", references, texts)
        (tmp_path / f"{name}.txt").write_text("\n".join(texts) + "\n", "utf-8")
    return tmp_path


def test_text_and_output_of_the_host_give_the_same(folder, references, capsys):
    assert score("--reference", folder / "ref.txt", "--hypothesis", folder / "poor.txt", "--json", "-") == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    texts = (folder / "poor.txt").read_text("utf-8").splitlines()
    expected = score_recognition(texts, references, RecognitionPlan(num_resamples=0)).figures
    assert {metric: result[metric] for metric in METRICS} == {name: each.score for name, each in expected.items()}
    assert "WER: units:words|average:micro|norm:none|bs:1000|seed:12345|samu:" in printed.err
    decoded = result_of(folder, "--generate", folder / "poor.gen")
    assert decoded.pop("references") == f"T- lines of {folder / 'poor.gen'}"
    result.pop("references")
    assert decoded == result


def test_transcripts_by_the_language_of_the_speech(folder, references, capsys):
    result = result_of(folder, "--generate", folder / "poor.gen", "--manifest", folder / "test.tsv")
    texts = (folder / "poor.txt").read_text("utf-8").splitlines()
    assert list(result["languages"]) == ["be", "ro"], "not of the translation"
    for place, part in enumerate(result["languages"].values()):
        alone = score_recognition(texts[place::2], references[place::2]).figures
        assert (part["wer"], part["cer_interval"]) == (alone["wer"].score, list(alone["cer"].interval()))
    mean = sum(part["wer"] for part in result["languages"].values()) / 2
    assert result["mean"]["wer"] == pytest.approx(mean)
    printed = capsys.readouterr().out
    assert "by language, with 95 % intervals" in printed and "mean of 2" in printed
    one = result_of(folder, "--hypothesis", folder / "poor.txt", "--manifest", folder / "test.tsv", "--languages", "ro")
    assert one["languages"] == {"ro": result["languages"]["ro"]}
    named = result_of(folder, "--generate", folder / "poor.gen", "--language", "be")
    assert list(named["languages"]) == ["be"]


def test_a_named_normal_form(folder, references):
    (folder / "loud.txt").write_text("\n".join(references).upper().replace(".", "") + "\n", "utf-8")
    options = ["--reference", folder / "ref.txt", "--hypothesis", folder / "loud.txt", "--resamples", 0]
    rates = {name: result_of(folder, *options, "--normalise", name) for name in ("none", "lower", "basic")}
    assert rates["none"]["wer"] == 100
    assert 0 < rates["lower"]["wer"] < 50
    assert (rates["basic"]["wer"], rates["basic"]["cer"]) == (0, 0)
    assert "|norm:lower|unicode:" in rates["lower"]["signature"]["wer"]


def test_a_baseline_and_further_systems(folder, capsys):
    options = ["--generate", folder / "good.gen", "--name", "adapted", "--manifest", folder / "test.tsv"]
    more = ["--system", f"copy={folder / 'good.txt'}", "--baseline-generate", folder / "poor.gen"]
    result = result_of(folder, *options, *more, "--markdown")
    assert list(result["systems"]) == ["adapted", "copy", "baseline"]
    found = result["comparison"]["mean"]["wer"]
    assert found["delta"] == pytest.approx(result["mean"]["wer"] - result["systems"]["baseline"]["mean"]["wer"])
    assert found["delta"] < 0 and found["p_value"] < 0.01
    assert result["systems"]["copy"]["comparison"] == result["comparison"]
    printed = capsys.readouterr().out
    assert "| adapted | be | WER |" in printed
    assert "**paired bootstrap against baseline, less is better**" in printed


def test_alignments_as_text_and_as_json_lines(folder, references):
    files = [folder / "made" / "a.txt", folder / "made" / "a.jsonl"]
    options = ["--generate", folder / "poor.gen", "--manifest", folder / "test.tsv", "--resamples", 0]
    result = result_of(folder, *options, "--alignments", *files, "--normalise", "lower")
    blocks = files[0].read_text("utf-8").strip().split("\n\n")
    lines = [json.loads(line) for line in files[1].read_text("utf-8").splitlines()]
    assert len(blocks) == len(lines) == NUM_ROWS
    assert blocks[1].startswith("row 1  u1  ro  WER ")
    assert "words    REF mot" in blocks[1], "units as they are compared"
    assert [line["reference"] for line in lines] == references, "texts as they were given"
    for metric in METRICS:
        for kind, count in result["counts"][metric].items():
            assert sum(line["counts"][metric][kind] for line in lines) == count
    assert (
        sum(step["kind"] == "S" for line in lines for step in line["words"])
        == (result["counts"]["wer"]["substitutions"])
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "ref.txt"], "`hypotheses` must be of one system at least"),
        (["--hypothesis", "short.txt", "--manifest", "test.tsv"], "(40), but is '39' instead. Each"),
        (["--generate", "gap.gen", "--manifest", "test.tsv"], "'38 without rows 3, 17'"),
        (["--generate", "good.gen", "--manifest", "bare.tsv"], "src_text"),
        (["--hypothesis", "ref.txt"], "Give --manifest TSV or --reference FILE."),
        (["--generate", "good.gen", "--normalise", "os:system"], "of none, lower, basic, punctuation, accents"),
        (["--generate", "good.gen", "--resamples", "5"], "`--resamples` must be 0, or 40 and more"),
        (["--generate", "good.gen", "--manifest", "test.tsv", "--languages", "de"], "'de' instead. It has be, ro."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_faults_are_one_message(folder, references, capsys, monkeypatch, options, message):
    (folder / "short.txt").write_text("\n".join(references[:-1]) + "\n", "utf-8")
    write_output(folder / "gap.gen", references, references, skip=(3, 17))
    write_manifest(folder / "bare.tsv", [{"id": "a", "audio": "a.wav", "n_frames": 1}], COLUMNS[:3])
    monkeypatch.chdir(folder)
    assert score(*options, "--json", "out.json") == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not (folder / "out.json").exists()
