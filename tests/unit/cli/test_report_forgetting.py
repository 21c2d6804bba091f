"""`fairseq-samu report forgetting`: scores as `score` has them, several manifests and systems, faults."""

import json

import pytest

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest
from tests.unit.parsed_page import Page

COLUMNS = ["id", "audio", "n_frames", "src_lang", "src_text", "tgt_lang", "tgt_text"]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUM_ROWS = 12


def text_of(row):
    return f"{WORDS[row]} {WORDS[row - 1]} {WORDS[row - 2]} {WORDS[row - 3]} {WORDS[row - 4]}"


def write_rows(path, languages):
    rows = [
        {
            "id": f"{path.stem}{row}", "audio": "a.wav", "n_frames": 1, "src_lang": languages[row % len(languages)],
            "src_text": text_of(row), "tgt_lang": "en_XX", "tgt_text": text_of(row).upper(),
        }
        for row in range(NUM_ROWS)
    ]  # fmt: skip
    write_manifest(path, rows, COLUMNS)


def write_output(path, texts):
    """As `fairseq-generate` does, the last row first."""
    lines = [f"D-{row}\t-0.5\t{text}" for row, text in reversed(list(enumerate(texts)))]
    path.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture
def folder(tmp_path):
    """Romanian and Catalan by turns, of which Romanian suffers; Belarusian, tuned, in a manifest of its own."""
    write_rows(tmp_path / "others.tsv", ["ro", "ca"])
    write_rows(tmp_path / "be.tsv", ["be_BY"])
    texts = [text_of(row) for row in range(NUM_ROWS)]
    write_output(tmp_path / "others.before", texts)
    write_output(
        tmp_path / "others.after", [f"lost {text}"[:-4] if row % 2 == 0 else text for row, text in enumerate(texts)]
    )
    write_output(tmp_path / "be.before", ["nothing"] * NUM_ROWS)
    (tmp_path / "be.after").write_text("\n".join(texts) + "\n", "utf-8")  # plain text serves as well
    return tmp_path


def report(folder, *more, manifests=("others", "be"), after="after"):
    files = {side: [str(folder / f"{name}.{side}") for name in manifests] for side in ("before", after)}
    options = ["--manifest", *(str(folder / f"{name}.tsv") for name in manifests), "--before", *files["before"]]
    options += ["--after", f"adapters={','.join(files[after])}", "--tuned", "be", "--output", str(folder / "page.html")]
    return main(["report", "forgetting", *options, *map(str, more)])


def test_languages_before_and_after(folder, capsys):
    assert report(folder, "--json", folder / "out.json", "--note", "Tiny texts.") == 0
    result = json.loads((folder / "out.json").read_text("utf-8"))
    assert result["rows"] == 2 * NUM_ROWS and "norm:none" in result["signature"]["wer"]
    found = result["systems"]["adapters"]
    assert list(found["languages"]) == ["ro", "ca", "be"]
    verdicts = {name: part["change"]["wer"]["verdict"] for name, part in found["languages"].items()}
    assert verdicts == {"ro": "worse", "ca": "same output", "be": "better"}
    assert found["languages"]["ca"]["changed"] == 0 and found["languages"]["ro"]["changed"] == 6
    assert found["languages"]["be"]["before"]["wer"] == 100 and found["languages"]["be"]["after"]["wer"] == 0
    printed = capsys.readouterr().out
    assert "mean of 2 not tuned" in printed and "be (tuned)" in printed
    page = Page((folder / "page.html").read_text("utf-8"))
    assert len(page.find("article")) == 6 and "Tiny texts." in page.text and "others0" in page.text


def test_figures_are_those_of_score_asr(folder):
    assert report(folder, "--json", folder / "out.json", "--normalise", "lower") == 0
    found = json.loads((folder / "out.json").read_text("utf-8"))["systems"]["adapters"]["languages"]
    options = ["--manifest", folder / "others.tsv", "--generate", folder / "others.after", "--normalise", "lower"]
    options += ["--baseline-generate", folder / "others.before", "--json", folder / "score.json"]
    assert main(["score", "asr", *map(str, options)]) == 0
    scored = json.loads((folder / "score.json").read_text("utf-8"))
    for language in ("ro", "ca"):
        for metric in ("wer", "cer"):
            part, own = found[language], scored["languages"][language]
            assert part["after"][metric] == own[metric]
            assert part["after"][f"{metric}_interval"] == own[f"{metric}_interval"]
            expected = scored["comparison"]["languages"][language][metric]
            assert {key: part["change"][metric][key] for key in expected} == expected


def test_translations_are_scored_by_bleu_and_chrf(folder):
    for name in ("before", "after"):
        texts = [text_of(row).upper() for row in range(NUM_ROWS)]
        write_output(folder / f"others.{name}", texts if name == "before" else [text[:-5] for text in texts])
    options = ["--task", "st", "--json", folder / "out.json"]
    assert report(folder, *options, manifests=["others"]) == 0
    result = json.loads((folder / "out.json").read_text("utf-8"))
    assert list(result["signature"]) == ["bleu", "chrf"] and "tok:13a" in result["signature"]["bleu"]
    languages = result["systems"]["adapters"]["languages"]
    assert list(languages) == ["ro-en", "ca-en"]
    assert languages["ro-en"]["before"]["bleu"] == pytest.approx(100)
    assert {part["change"]["chrf"]["verdict"] for part in languages.values()} == {"worse"}


def test_several_systems_and_some_languages(folder, capsys):
    more = ["--after", f"same={folder / 'others.before'}", "--languages", "ro", "--json", "-"]
    assert report(folder, *more, manifests=["others"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["systems"]) == ["adapters", "same"]
    assert [list(found["languages"]) for found in result["systems"].values()] == [["ro"], ["ro"]]
    assert result["systems"]["same"]["languages"]["ro"]["change"]["cer"]["verdict"] == "same output"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--after", "adapters=x"], "`names of systems` must be different, but is 'adapters'"),
        (["--after", "before=x"], "`names of systems` must be different, but is 'before'"),
        (["--after", "one=x"], "`files of one` must be as many as manifests (2), but is '1'"),
        (["--resamples", "7"], "`--resamples` must be 0, or 40 and more"),
        (["--tuned", "be,ro,ca"], "`languages` must be some that were not tuned, but is 'ro, ca, be'"),
    ],
)
def test_faults(folder, capsys, more, message):
    assert report(folder, *more) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "page.html").exists()


def test_a_missing_row_is_named(folder, capsys):
    write_output(folder / "others.after", ["short"] * 3)
    assert report(folder) == 1
    assert "others.after" in (error := capsys.readouterr().err) and "rows 3, 4" in error


def test_rows_without_a_language(folder, capsys):
    rows = [{"id": "a", "audio": "a.wav", "n_frames": 1, "src_text": "one"}]
    write_manifest(folder / "others.tsv", rows, ["id", "audio", "n_frames", "src_text"])
    for side in ("before", "after"):
        write_output(folder / f"others.{side}", ["one"])
    assert report(folder, manifests=["others"]) == 1
    assert "others.tsv: `src_lang` must be filled in" in capsys.readouterr().err
