"""The study of understanding: rows that are measured, runs by name, figures of both tasks, tables and plots."""

import importlib
import importlib.util
import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.teachers.table_building import TableOptions, fill_table
from fairseq_samu.teachers.texts import normalise_text
from tests.contract.source_tree import ROOT

SMALL = ROOT / "examples/samu_slu/small"
COLUMNS = ["id", "audio", "n_frames", "src_text", "src_lang", "parallel_id", "tgt_text", "tgt_lang"]
LANGUAGES = ("fr", "it", "es")
ITEMS = 12
LOG = "| num. shared model params: {} (num. trained: {})\n"


@pytest.fixture
def recipe(monkeypatch):
    """Imports a program of the recipe; what another recipe has under the same name stays untouched."""
    monkeypatch.syspath_prepend(str(SMALL))

    def load(name):
        if name != "study_tables":
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location("tables_of_understanding", SMALL / "study_tables.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


class Teacher:
    """Gives texts with the same number the same direction."""

    dim, fingerprint, versions = ITEMS, "numbers", {}

    def encode(self, texts):
        return np.eye(self.dim, dtype=np.float32)[[int(re.search(r"\d+", text)[0]) for text in texts]]


def annotation(item, language):
    return f"<{'count' if item % 2 else 'day'}> {language}{item} > fin"


@pytest.fixture
def corpus(tmp_path):
    rows = [
        dict(
            zip(
                COLUMNS,
                (f"{lang}/{i}", "a.zip:0:1", 160, f"{lang}{i} fin", lang, f"item{i:02}", annotation(i, lang), lang),
                strict=True,
            )
        )
        for lang in LANGUAGES
        for i in (reversed(range(ITEMS)) if lang == "it" else range(ITEMS))
    ]
    write_manifest(tmp_path / "test.tsv", rows, COLUMNS)
    texts = dict.fromkeys((normalise_text(row["src_text"]) for row in rows), True)
    fill_table(tmp_path / "study/teacher", texts, Teacher(), TableOptions(teacher="numbers"))
    return tmp_path


def add_run(folder, name, rows, right=1.0, known=ITEMS, trained="10"):
    """A run: the concepts of the first share of the items right, embeddings of the first items known."""
    (folder / name).mkdir(parents=True)
    (folder / name / "seconds").write_text("40\n")
    (folder / name / "train.log").write_text("x\n" + LOG.format("1,000", trained))
    languages = re.sub(r"[\d.]+$", "", name.split("-")[1]).split("_")
    lines = []
    for place, row in enumerate(rows):
        if row.src_lang in languages:
            item = int(row.parallel_id[4:])
            lines.append(f"D-{place}\t-1\t{row.tgt_text if item < right * ITEMS else row.src_text}")
    (folder / name / "test.out").write_text("\n".join(reversed(lines)) + "\n")
    embed(folder / name / "retention.npy", rows, known)


def embed(path, rows, known):
    path.parent.mkdir(parents=True, exist_ok=True)
    items = [int(row.parallel_id[4:]) for row in rows if row.src_lang != "es"]
    np.save(path, np.eye(ITEMS, dtype=np.float32)[[i if i < known else (i + 1) % ITEMS for i in items]])


@pytest.fixture
def study(corpus):
    rows, folder = list(read_manifest(corpus / "test.tsv")), corpus / "study"
    kept = [{name: getattr(row, name) for name in COLUMNS[:6]} for row in rows if row.src_lang != "es"]
    (folder / "measured").mkdir()
    for name in ("retention", "compositions"):
        write_manifest(folder / f"measured/{name}.tsv", kept, COLUMNS[:6])
    (folder / "measured/oracle.txt").write_text("".join(f"{row.tgt_text}\n" for row in rows))
    embed(folder / "base/retention.npy", rows, ITEMS)
    embed(folder / "base/compositions.npy", rows, 6)
    for seed in (1, 2):
        for mix in ("fr", "it", "fr_it"):
            add_run(folder, f"head-{mix}-{seed}", rows, right=0.25)
            add_run(folder, f"dual-{mix}-{seed}", rows, trained="600")
            add_run(folder, f"tagging-{mix}-{seed}", rows, known=3, trained="500")
            add_run(folder, f"distilled-{mix}-{seed}", rows, trained="300")
            add_run(folder, f"sequential-{mix}-{seed}", rows, right=0.5, known=6, trained="500")
    add_run(folder, "lambda0.2-fr-1", rows, right=0.75)
    add_run(folder, "lambda20-fr-1", rows, known=9)
    add_run(folder, "dual-es0.05-1", rows, right=0.25)
    for name, language in (("dual-fr_it-1", "es"), ("dual-fr-1", "it")):
        lines = [f"D-{place}\t-1\t{row.src_text}" for place, row in enumerate(rows) if row.src_lang == language]
        (folder / name / "zero.out").write_text("\n".join(lines) + "\n")
    add_run(folder, "sequential-es0.05-1", rows, right=0.75)
    return folder


def test_runs_by_name(recipe, study):
    runs = {run.folder.name: run for run in recipe("measured_runs").find_runs(study)}
    assert len(runs) == 2 * 3 * 5 + 4
    spanish = runs["sequential-es0.05-1"]
    assert (spanish.arm, spanish.languages, spanish.share, spanish.seed) == ("sequential", "es", 0.05, 1)
    assert (runs["lambda0.2-fr-1"].arm, runs["dual-fr_it-2"].languages) == ("lambda0.2", "fr_it")
    assert runs["dual-fr-1"].sizes() == (1000, 600)
    assert (runs["sequential-fr-1"].sizes(), runs["sequential-fr-1"].seconds()) == ((2000, 800), 80), "both steps"
    assert (spanish.sizes(), spanish.seconds()) == ((1000, 10), 40)


def test_error_rates_and_recall(recipe, study, corpus):
    measures = recipe("study_measures").measure_all(study, corpus / "test.tsv")
    runs = {run.folder.name: run for run in measures.rates}
    assert not any(name.startswith("distilled") for name in runs)
    assert measures.rates[runs["dual-fr_it-1"]].keys() == {"fr", "it"}
    assert measures.rates[runs["dual-fr_it-1"]]["it"]["cer"].score == 0
    assert measures.rates[runs["sequential-it-1"]]["it"]["cer"].score == 50
    assert measures.rates[runs["sequential-it-1"]]["it"]["wer"].score == 0
    # of the texts in two languages those of known items are found first; an unknown item finds its neighbour
    assert measures.recall[runs["sequential-fr-1"]].score == pytest.approx(50)
    assert measures.cosine[runs["sequential-fr-1"]].score == pytest.approx(50)
    assert measures.recall[runs["head-fr-1"]].score == measures.recall_before["fr"].score == 100
    assert measures.compositions[("before", 0)][0].score == pytest.approx(50)
    assert measures.beside["words given, tagged by phrases"]["es"]["cver"].score == 0


def test_languages_are_drawn_together(recipe, study, corpus):
    """Items that French gets right and Italian wrong leave no doubt about their mean."""
    rows = recipe("measured_runs").TestRows(corpus / "test.tsv")
    ids = [[rows.rows[place].parallel_id for place in rows.places(language)] for language in LANGUAGES]
    assert ids[0] == ids[1] == ids[2] == sorted(ids[0])
    texts = [
        row.tgt_text if (int(row.parallel_id[4:]) < 6) == (row.src_lang == "fr") else row.src_text for row in rows.rows
    ]
    scores = rows.score(texts, ["fr", "it"])
    both = [scores[language]["cer"].samples for language in ("fr", "it")]
    assert np.ptp(both[0]) > 0 and np.ptp(both[0] + both[1]) == 0


def test_tables(recipe, study, corpus, monkeypatch, capsys):
    tables = recipe("study_tables")
    words = ["study_tables.py", "--output", str(study), "--manifest", str(corpus / "test.tsv")]
    monkeypatch.setattr("sys.argv", words)
    tables.main()
    printed = capsys.readouterr().out
    assert "| fr+it | dual | 2 | 0.0 [0.0, 0.0] |" in printed
    claims = [line.strip("| ").split(" | ") for line in printed.split("\n") if line.startswith("| dual - sequential")]
    verdicts = {(cells[1], cells[3]): cells[-1] for cells in claims}
    assert verdicts["all", "CER"] == "shown" and verdicts["all", "WER"] == "not shown"
    assert verdicts["fr", "R@1"] == "shown"
    assert {cells[2] for cells in claims if cells[1] == "all"} == {"6"}
    weights = printed[printed.index("**Weight lambda") : printed.index("**Spanish")]
    assert re.findall(r"^\| ([\w. ]+) \|", weights, re.MULTILINE) == [
        *("lambda", "frozen encoder", "0.2", "5", "20", "tagging alone"),
    ]
    assert re.search(r"^\| 5 % \| sequential \| .* \| 25\.0 \[", printed, re.MULTILINE)
    assert re.search(r"^\| 0 % \| dual \| .* \| 100\.0 \[", printed, re.MULTILINE)
    assert re.search(r"^\| fr \| dual \| it \| .* \| 100\.0 \[", printed, re.MULTILINE)
    assert "Seeds 1, 2" in printed
    for name, dots in (("lambda", 6), ("portability", 2)):
        image = ElementTree.parse(study / f"{name}.svg").getroot()
        assert len(image.findall("{*}circle")) == dots


def test_unfinished_studies_have_tables(recipe, corpus, monkeypatch, capsys):
    rows, folder = list(read_manifest(corpus / "test.tsv")), corpus / "study"
    add_run(folder, "dual-fr-1", rows)
    (folder / "tagging-fr-1").mkdir()
    monkeypatch.setattr("sys.argv", ["x", "--output", str(folder), "--manifest", str(corpus / "test.tsv")])
    recipe("study_tables").main()
    printed = capsys.readouterr().out
    assert "**Arms**" in printed and "against each other" not in printed


def test_measured_rows(recipe, corpus, monkeypatch, tmp_path):
    measured_rows = recipe("measured_rows")
    (tmp_path / "prompts.tsv").write_text("prompt\tprompt_split\trows\nitem03\ttest\t9\nitem04\ttrain\t9\n")

    def write(*options):
        words = ["measured_rows.py", *options, "--manifest", str(corpus / "test.tsv"), "--languages", "fr,it"]
        monkeypatch.setattr("sys.argv", [*words, "--output", str(tmp_path / "out.tsv")])
        measured_rows.main()
        return list(read_manifest(tmp_path / "out.tsv"))

    prompts = write("prompts", "--parts", str(tmp_path / "prompts.tsv"))
    assert len(prompts) == 2 * (ITEMS - 1) and "item03" not in {row.parallel_id for row in prompts}
    assert prompts[0].tgt_text == annotation(0, "fr")
    compositions = write("compositions", "--count", "5")
    assert [row.id for row in compositions[:2]] == ["fr/0", "it/0"] and len(compositions) == 10
    assert {row.tgt_text for row in compositions} == {None}, "tags are no text that a teacher knows"
    with pytest.raises(SystemExit):
        write("prompts")


def test_modules_of_the_recipes_do_not_meet():
    others = {path.stem for path in (ROOT / "examples/samu_xlsr_mbart/small").glob("*.py")}
    mine = {path.stem for path in SMALL.glob("*.py")} - {"study_tables"}
    assert not others & mine
    assert "tables_of_understanding" not in sys.modules
