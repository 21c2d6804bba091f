"""`fairseq-samu score slu`: the JSON that scripts rely on, the cases of the specification, one message for a fault."""

import json
import random

import pytest

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.scoring.understanding import METRICS, UnderstandingPlan, score_understanding

HOTEL = "<nombre> deux > <chambre-type> {} doubles > pour <temps-date> le trois mai >\n"
CASES = {
    "A": (HOTEL.format("chambres"), HOTEL.format("chambre"), 0, 100 / 3),
    "B": (
        "<reponse> oui > <localisation-ville> à Paris > <nombre> trois >\n",
        "<localisation-ville> Paris > <nombre> trois > <objet> nuits >\n",
        200 / 3,
        100,
    ),
    "C": ("euh bonjour\n<reponse> oui >\n", "<reponse> oui >\n<reponse> oui >\n", 100, 100),
    "D": ("<reponse> oui > <nombre> trois >\n", "<reponse> oui <nombre> trois\n", 0, 0),
    "E": ("<reponse> oui >\n", "oui > <reponse> > oui\n", 0, 100),
    "F": ("<a> x > <b> y >\n", "<b> y > <a> x >\n", 100, 100),
}
COLUMNS = ["id", "audio", "n_frames", "src_lang", "tgt_lang", "tgt_text"]
NUM_ROWS = 60


def score(*options):
    return main(["score", "slu", *map(str, options)])


def result_of(folder, *options):
    assert score(*options, "--json", folder / "out.json") == 0
    return json.loads((folder / "out.json").read_text("utf-8"))


def corrupt(text, share, seed):
    draw = random.Random(f"{seed} {text}")
    return " ".join(draw.choice(["w", "<z>", ">"]) if draw.random() < share else word for word in text.split())


def write_output(path, references, hypotheses, skip=()):
    rows = [row for row in range(len(hypotheses)) if row not in skip]
    random.Random(0).shuffle(rows)
    lines = [f"T-{i}\t{references[i]}\nH-{i}\t-0.5\tx _ y\nD-{i}\t-0.5\t{hypotheses[i]}" for i in rows]
    path.write_text("\n".join(["2026-01-01 | INFO | loading", *lines, "Generate test with beam=1"]) + "\n", "utf-8")


@pytest.fixture
def references():
    draw = random.Random(1)
    rows = []
    for row in range(NUM_ROWS):
        concepts = [f"<{draw.choice('ab')}-{draw.choice('xy')}> mot{draw.randint(0, 9)} >" for _ in range(row % 4)]
        rows.append(" ".join(["je", "veux", *concepts, f"fin{row}"]))
    return rows


@pytest.fixture
def folder(tmp_path, references):
    """A test manifest of two languages, its references as plain text, and systems as the host and as text."""
    rows = [
        {
            "id": f"u{row}",
            "audio": "a.wav",
            "n_frames": 1,
            "src_lang": ["fr", "it"][row % 2],
            "tgt_lang": ["fr", "it"][row % 2],
            "tgt_text": text,
        }
        for row, text in enumerate(references)
    ]
    write_manifest(tmp_path / "test.tsv", rows, COLUMNS)
    (tmp_path / "ref.txt").write_text("\n".join(references) + "\n", "utf-8")
    for name, share in (("good", 0.05), ("poor", 0.4)):
        texts = [corrupt(text, share, name) for text in references]
        write_output(tmp_path / f"{name}.gen", references, texts)
        (tmp_path / f"{name}.txt").write_text("\n".join(texts) + "\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_cases_of_the_specification(tmp_path, case):
    reference, hypothesis, cer, cver = CASES[case]
    (tmp_path / "ref.txt").write_text(reference, "utf-8")
    (tmp_path / "hyp.txt").write_text(hypothesis, "utf-8")
    result = result_of(tmp_path, "--reference", tmp_path / "ref.txt", "--hypothesis", tmp_path / "hyp.txt")
    assert (result["cer"], result["cver"]) == pytest.approx((cer, cver))
    for metric in METRICS:
        counts = result["counts"][metric]
        errors = counts["substitutions"] + counts["deletions"] + counts["insertions"]
        assert result[metric] == pytest.approx(100 * errors / counts["reference"])


def test_text_and_output_of_the_host_give_the_same(folder, references, capsys):
    plain = ["--reference", folder / "ref.txt", "--hypothesis", folder / "poor.txt"]
    assert score(*plain, "--json", "-") == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    texts = (folder / "poor.txt").read_text("utf-8").splitlines()
    expected = score_understanding(texts, references, UnderstandingPlan(num_resamples=0)).figures
    assert {metric: result[metric] for metric in METRICS} == {name: each.score for name, each in expected.items()}
    assert "CVER: units:concept+value|average:micro|mode:full|values:identity|bs:1000|seed:12345|samu:" in printed.err
    decoded = result_of(folder, "--generate", folder / "poor.gen")
    assert decoded.pop("references") == f"T- lines of {folder / 'poor.gen'}"
    result.pop("references")
    assert decoded == result


def test_the_manifest_gives_references_and_languages(folder, references, capsys):
    result = result_of(folder, "--generate", folder / "poor.gen", "--manifest", folder / "test.tsv")
    assert result["references"] == str(folder / "test.tsv")
    texts = (folder / "poor.txt").read_text("utf-8").splitlines()
    assert list(result["languages"]) == ["fr", "it"]
    for place, part in enumerate(result["languages"].values()):
        alone = score_understanding(texts[place::2], references[place::2])
        assert part["cver"] == alone.figures["cver"].score
        assert part["cver_interval"] == list(alone.figures["cver"].interval())
        assert part["rows"] == NUM_ROWS / 2
    assert "by language" in capsys.readouterr().out


def test_some_languages_of_a_manifest(folder, references, tmp_path, capsys):
    whole = result_of(folder, "--generate", folder / "poor.gen", "--manifest", folder / "test.tsv")
    texts = (folder / "poor.txt").read_text("utf-8").splitlines()
    write_output(tmp_path / "it.gen", references, texts, skip=range(0, NUM_ROWS, 2))  # as --languages it decodes
    options = ("--manifest", folder / "test.tsv", "--languages", "it,de", "--alignments", tmp_path / "rows.jsonl")
    for system in (("--generate", tmp_path / "it.gen"), ("--hypothesis", folder / "poor.txt")):
        result = result_of(folder, *system, *options)
        assert result["languages"].keys() == {"it"}
        assert result["languages"]["it"] == whole["languages"]["it"]
        assert result["cer"] == whole["languages"]["it"]["cer"]
        aligned = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
        assert [row["row"] for row in aligned] == list(range(1, NUM_ROWS, 2)), "numbers of the whole manifest"
    capsys.readouterr()
    write_output(tmp_path / "less.gen", references, texts, skip=[*range(0, NUM_ROWS, 2), 7])
    assert score("--generate", tmp_path / "less.gen", *options) == 1
    assert "must be 30, one for each row, but is '29 without row 7'" in capsys.readouterr().err


def test_concepts_and_their_confusion(folder, references):
    result = result_of(folder, "--reference", folder / "ref.txt", "--hypothesis", folder / "poor.txt")
    total = sum(text.count("<") for text in references)
    assert sum(part["reference"] for part in result["concepts"]) == total
    assert sum(cell["count"] for cell in result["confusion"] if cell["reference"]) == total
    assert {cell["hypothesis"] for cell in result["confusion"]} >= {None, "z", "a-x"}
    assert 0 < result["entity_f1"]["f1"] < result["label_f1"]["f1"] < 100


def test_a_baseline_and_further_systems(folder, capsys):
    options = ["--generate", folder / "good.gen", "--name", "dual", "--manifest", folder / "test.tsv"]
    more = ["--system", f"copy={folder / 'good.txt'}", "--baseline-generate", folder / "poor.gen"]
    result = result_of(folder, *options, *more, "--markdown")
    assert list(result["systems"]) == ["dual", "copy", "baseline"]
    found = result["comparison"]["overall"]["cer"]
    assert found["delta"] == pytest.approx(result["cer"] - result["systems"]["baseline"]["cer"])
    assert found["delta"] < 0
    assert found["p_value"] < 0.01
    assert result["systems"]["copy"]["comparison"] == result["comparison"]
    printed = capsys.readouterr().out
    assert "| dual | fr | ChER |" in printed
    assert "**paired bootstrap against baseline, less is better**" in printed
    same = result_of(folder, *options, "--baseline-hypothesis", folder / "good.txt")
    assert {values["p_value"] for values in same["comparison"]["overall"].values()} == {1}


def test_the_seed_gives_the_interval(folder):
    options = ["--reference", folder / "ref.txt", "--hypothesis", folder / "poor.txt", "--resamples", 80, "--seed"]
    first, again, other = (result_of(folder, *options, seed) for seed in (1, 1, 2))
    assert first == again
    assert first["cer_interval"] != other["cer_interval"]
    assert first["cer"] == other["cer"]


def test_alignments_as_text_and_as_json_lines(folder, references):
    files = [folder / "made" / "a.txt", folder / "made" / "a.jsonl"]
    options = ["--generate", folder / "poor.gen", "--manifest", folder / "test.tsv", "--resamples", 0]
    result = result_of(folder, *options, "--alignments", *files)
    blocks = files[0].read_text("utf-8").strip().split("\n\n")
    lines = [json.loads(line) for line in files[1].read_text("utf-8").splitlines()]
    assert len(blocks) == len(lines) == NUM_ROWS
    assert blocks[1].startswith("row 1  u1  it  ChER ")
    assert [line["reference"] for line in lines] == references
    assert (lines[3]["id"], lines[3]["language"]) == ("u3", "it")
    for metric in METRICS:
        for kind, count in result["counts"][metric].items():
            assert sum(line["counts"][metric][kind] for line in lines) == count


def test_relaxed_names_and_normal_forms(folder, references):
    loud = [text.replace("mot", "MOT").replace("-x>", "-y>") for text in references]
    (folder / "loud.txt").write_text("\n".join(loud) + "\n", "utf-8")
    (folder / "relax.csv").write_text("a-*,a\nb-*,b\n", "utf-8")
    options = ["--reference", folder / "ref.txt", "--hypothesis", folder / "loud.txt", "--resamples", 0]
    plain = result_of(folder, *options)
    assert (plain["cer"] > 20, plain["cver"]) == (True, 100)
    relaxed = result_of(folder, *options, "--prefix-map", folder / "relax.csv")
    assert (relaxed["cer"], relaxed["cver"]) == (0, 100)
    both = result_of(folder, *options, "--prefix-map", folder / "relax.csv", "--normaliser", "lowercase, punctuation")
    assert (both["cer"], both["cver"], both["wer"]) == (0, 0, plain["wer"])
    assert "mode:relax-" in both["signature"]["cver"]
    assert "values:lowercase+punctuation" in both["signature"]["cver"]
    assert {part["concept"] for part in both["concepts"]} == {"a", "b"}


def test_a_system_that_says_nothing_is_scored(folder):
    (folder / "silent.txt").write_text("\n" * NUM_ROWS)
    for name in ("--hypothesis", "--baseline-hypothesis"):
        rest = [] if name == "--hypothesis" else ["--hypothesis", folder / "good.txt"]
        result = result_of(folder, "--reference", folder / "ref.txt", name, folder / "silent.txt", *rest)
        silent = result if name == "--hypothesis" else result["systems"]["baseline"]
        assert [silent[metric] for metric in METRICS] == [100] * 4
    result = result_of(folder, "--manifest", folder / "test.tsv", "--system", f"silent={folder / 'silent.txt'}")
    assert result["cer"] == 100


def test_references_without_concepts_or_words_have_no_rate(tmp_path, capsys):
    (tmp_path / "ref.txt").write_text("\n")
    (tmp_path / "hyp.txt").write_text("<a> x >\n")
    options = ["--reference", tmp_path / "ref.txt", "--hypothesis", tmp_path / "hyp.txt"]
    result = result_of(tmp_path, *options)
    assert [result[metric] for metric in METRICS] == [None] * 4
    assert result["counts"]["cer"]["insertions"] == 1
    assert "CER     -" in capsys.readouterr().out


def test_badly_annotated_references_are_noted(folder, references, capsys):
    damaged = [*references[:3], "je veux <a-x> mot1", *references[4:]]
    (folder / "damaged.txt").write_text("\n".join(damaged) + "\n", "utf-8")
    result = result_of(folder, "--reference", folder / "damaged.txt", "--hypothesis", folder / "good.txt")
    assert len(result["notes"]) == 1
    assert "row 3 (counted from 0), the first: `<a-x>` must be closed" in result["notes"][0]
    assert f"note: {result['notes'][0]}" in capsys.readouterr().out
    assert result_of(folder, "--reference", folder / "ref.txt", "--hypothesis", folder / "good.txt")["notes"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "ref.txt"], "`hypotheses` must be of one system at least"),
        (
            ["--hypothesis", "short.txt", "--reference", "ref.txt"],
            "short.txt: `lines` must be as many as references (60), but is '59' instead. "
            "Each line must belong to the same line of the references, those of ref.txt.",
        ),
        (["--hypothesis", "short.txt", "--manifest", "test.tsv"], "(60), but is '59' instead. Each"),
        (["--hypothesis", "good.txt", "--manifest", "test.tsv", "--reference", "short.txt"], "test.tsv has rows (60)"),
        (["--generate", "gap.gen", "--manifest", "test.tsv"], "'58 without rows 3, 17'"),
        (["--generate", "good.gen", "--reference", "short.txt"], "of the 59 rows that there are, but is 'row 59'"),
        (["--hypothesis", "ref.txt"], "Give --manifest TSV or --reference FILE."),
        (["--hypothesis", "empty.txt", "--reference", "ref.txt"], "is 'empty' instead"),
        (["--generate", "absent.gen"], "absent.gen: No such file or directory."),
        (["--generate", "good.gen", "--normaliser", "os:system"], "of identity, lowercase, punctuation, accents"),
        (["--generate", "good.gen", "--prefix-map", "ref.txt"], "ref.txt:1: `line` must be two names of concepts"),
        (["--generate", "good.gen", "--languages", "fr"], "`--languages` must be given with a manifest"),
        (["--generate", "good.gen", "--manifest", "test.tsv", "--languages", "de"], "'de' instead. It has fr, it."),
        (["--generate", "good.gen", "--resamples", "5"], "`--resamples` must be 0, or 40 and more"),
        (["--generate", "good.gen", "--system", "system=poor.gen"], "`names of systems` must be different"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_faults_are_one_message(folder, references, capsys, monkeypatch, options, message):
    (folder / "short.txt").write_text("\n".join(references[:-1]) + "\n", "utf-8")
    (folder / "empty.txt").write_text("")
    write_output(folder / "gap.gen", references, references, skip=(3, 17))
    monkeypatch.chdir(folder)
    assert score(*options, "--json", "out.json", "--alignments", "a.txt") == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not (folder / "out.json").exists()
    assert not (folder / "a.txt").exists()
