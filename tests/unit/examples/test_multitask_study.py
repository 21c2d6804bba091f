"""The study of multi-task translation: text pairs, recordings, figures of runs, time, tables and plots."""

import importlib.util
import json
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from fairseq_samu.data.manifest import read_manifest, write_manifest
from tests.contract.source_tree import ROOT

pytest.importorskip("sacrebleu")

RECIPE = ROOT / "examples/multitask_st"
SPEECH = ["id", "audio", "n_frames", "src_text", "src_lang", "tgt_text", "tgt_lang"]
LANGUAGES = ("en", "fr")
COUNT = 8


@pytest.fixture
def recipe(monkeypatch):
    """Imports a program of the recipe; what another recipe has under the same name stays untouched."""
    monkeypatch.syspath_prepend(str(RECIPE / "small"))
    hidden = {name: sys.modules.pop(name) for name in ("study_tables", "study_plots") if name in sys.modules}
    before = set(sys.modules)

    def load(name):
        folder = RECIPE / ("paper" if name == "average" else "small")
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    for name in set(sys.modules) - before:
        if str(RECIPE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    sys.modules.update(hidden)


def run(program, monkeypatch, *words):
    monkeypatch.setattr("sys.argv", [program.__name__, *map(str, words)])
    program.main()


def text_of(number, language):
    return f"{language} the fish number {number} swims in the deep blue sea"


@pytest.fixture
def test_manifest(tmp_path):
    """Recordings with both translations, and one with one of them alone."""
    rows = [
        dict(zip(SPEECH, (f"{i}>{code}", f"a.zip:{i}:1", 160, f"ryba {i}", "cs", text_of(i, code), code), strict=True))
        for i in range(COUNT + 1)
        for code in LANGUAGES
        if i < COUNT or code == "en"
    ]
    write_manifest(tmp_path / "test.tsv", rows, SPEECH)
    return tmp_path / "test.tsv"


def add_run(folder, name, right, log2p, manifest, losses=()):
    """A run whose first translations are right, and whose references are this probable."""
    place = folder / "arms" / name
    place.mkdir(parents=True)
    rows = list(read_manifest(manifest))
    texts = [row.tgt_text if int(row.id.split(">")[0]) < right else "nothing at all" for row in rows]
    (place / "test.out").write_text("".join(f"D-{i}\t-1\t{text}\n" for i, text in reversed(list(enumerate(texts)))))
    (place / "ref.out").write_text("".join(f"P-{i}\t{log2p} {log2p - 1}\n" for i in range(len(rows))))
    (place / "asr.out").write_text("".join(f"D-{i}\t-1\tryba {i if i else 9}\n" for i in range(COUNT + 1)))
    (place / "compression.json").write_text(json.dumps([[40, 10, 5]] * (COUNT + 1)))
    (place / "seconds").write_text("90\n")
    logged = []
    for number, loss in enumerate(losses, 1):
        logged.append({"train_wall": "10", "num_updates": f"{number * 5}"})
        logged.append({"valid_num_updates": f"{number * 5}", "valid_nll_loss": f"{loss}"})
    logged.append({"train_train_wall": f"{10 * len(losses)}", "train_num_updates": f"{5 * len(losses)}"})
    lines = ["begin training epoch 1", *(json.dumps({"epoch": 1, **entry}) for entry in logged)]
    (place / "train.log").write_text("\n".join(lines) + "\n")


def measured(update, task, module, cosine):
    fixed = {"layer": None, "norm": 0.5, "main_norm": 1.0, "weight": 1.0, "seconds": 0.1}
    return json.dumps({"update": update, "task": task, "module": module, "cosine": cosine, **fixed})


@pytest.fixture
def study(tmp_path, test_manifest):
    for seed in (1, 2):
        add_run(tmp_path, f"base-{seed}", COUNT, -1.0, test_manifest, losses=(4.0, 2.0))
        add_run(tmp_path, f"fixed-{seed}", 4, -2.0, test_manifest, losses=(4.0, 3.5, 3.0))
    lines = [measured(update, "asr", "acoustic_encoder", update / 100) for update in (10, 20, 30)]
    (tmp_path / "arms/fixed-1/consistency.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "measured").mkdir()
    return tmp_path


def test_equal_english_makes_pairs(recipe):
    pairs = recipe("text_pairs")
    texts = [
        pairs.Text("game", "cs", "Ryba.", "Fish."),
        pairs.Text("game", "cs", "Rybka.", "Fish."),
        pairs.Text("game", "fr", "Poisson.", "Fish."),
        pairs.Text("game", "fr", "Le poisson.", "Fish."),
        pairs.Text("other", "fr", "Autre.", "Fish."),
        pairs.Text("game", "fr", "Seul.", "Alone."),
    ]
    rows = [tuple(row.values()) for row in pairs.pair_texts(texts, ["cs"], ["en", "fr"])]
    assert rows == [
        ("game/1", "Ryba.", "cs", "Fish.", "en"),
        ("game/2", "Ryba.", "cs", "Poisson.", "fr"),
        ("game/3", "Rybka.", "cs", "Fish.", "en"),
        ("game/4", "Rybka.", "cs", "Poisson.", "fr"),
    ]


def test_manifests_of_text_pairs(recipe, tmp_path, test_manifest, monkeypatch):
    lines = ["source\tlanguage\ttext\tenglish", "fillets\tcs\tRyba.\tFish.", 'games\tcs\t"a" b c d\tone two three four']
    (tmp_path / "pairs.tsv").write_text("\n".join([*lines, "games\tcs\tdva\ttwo"]) + "\n")
    test_manifest.rename(tmp_path / "valid.tsv")
    words = ("--sources", "cs", "--targets", "en", "--max-words", 3, "--output", tmp_path / "mt")
    run(recipe("text_pairs"), monkeypatch, "--data", tmp_path, "--pairs", tmp_path / "pairs.tsv", *words)
    found = {name: [row.src_text for row in read_manifest(tmp_path / "mt" / name, ())] for name in ("train.tsv",)}
    found["games"] = [row.src_text for row in read_manifest(tmp_path / "mt/games/train.tsv", ())]
    assert found == {"train.tsv": ["Ryba."], "games": ["dva"]}, "four words are too long for a game's text"
    assert len(read_manifest(tmp_path / "mt/valid.tsv", ())) == 2 * COUNT + 1
    assert json.loads((tmp_path / "mt/counts.json").read_text())["train.tsv"] == {"rows": 1, "cs-en": 1}


def test_a_row_for_each_recording(recipe, tmp_path, test_manifest, monkeypatch):
    run(recipe("recordings"), monkeypatch, "--manifest", test_manifest, "--output", tmp_path / "m/recordings.tsv")
    rows = list(read_manifest(tmp_path / "m/recordings.tsv"))
    assert [row.audio for row in rows] == [f"a.zip:{i}:1" for i in range(COUNT + 1)]
    assert {row.src_text for row in rows} == {f"ryba {i}" for i in range(COUNT + 1)} and rows[0].tgt_text is None


def test_scores_are_of_recordings_with_every_translation(recipe, study, test_manifest):
    rows = recipe("translated_runs").TestRows(test_manifest)
    assert rows.places == {"en": list(range(0, 2 * COUNT, 2)), "fr": list(range(1, 2 * COUNT, 2))}
    scores = rows.score(study / "arms/base-1")
    assert scores["fr"]["bleu"].score == pytest.approx(100) and scores["en"]["likelihood"].score == -1.5
    scores = rows.score(study / "arms/fixed-1")
    samples = [scores[code]["chrf"].samples for code in LANGUAGES]
    assert scores["fr"]["chrf"].score < 70 and abs(samples[0] - samples[1]).max() < 3, "drawn alike in every language"


def test_what_ctc_hears(recipe, study, test_manifest, monkeypatch):
    run(recipe("recordings"), monkeypatch, "--manifest", test_manifest, "--output", study / "measured/recordings.tsv")
    spoken = list(read_manifest(study / "measured/recordings.tsv"))
    heard = recipe("translated_runs").measure_hearing(study / "arms/base-1", spoken)
    assert heard.ratio.score == 4 and heard.pieces.score == 2
    assert heard.words.score == pytest.approx(100 / (2 * (COUNT + 1)))
    assert heard.characters.score == pytest.approx(100 / (6 * (COUNT + 1)))


def test_time_until_an_equal_loss(recipe, study):
    timing = recipe("training_time")
    runs = {run.folder.name: run for run in recipe("translated_runs").find_runs(study)}
    assert timing.curve(runs["base-1"]) == [(10.0, 4.0), (20.0, 2.0)]
    assert timing.reach([(10.0, 4.0), (20.0, 2.0)], 3.0) == pytest.approx(15)
    assert timing.reach([(10.0, 4.0), (20.0, 2.0)], 1.0) is None
    assert timing.reach([(10.0, 4.0)], 4.0) == 10
    rows = {row[0]: row[2:] for row in timing.tabulate_time(list(runs.values())).rows}
    assert rows == {"base": ["20", "2.00", "fixed", "15", "50"], "fixed": ["30", "2.00", "", "", ""]}


def test_gradients_by_third(recipe, study):
    runs = list(recipe("translated_runs").find_runs(study))
    table = recipe("gradients").tabulate_gradients(runs)
    assert list(table.rows) == [
        ["fixed", "ASR", "Acoustic encoder", "1", "0.100", "0.200", "0.300", "0.500", "0.500", "0.500"]
    ]


def test_tables_and_plots(recipe, study, test_manifest, monkeypatch, capsys):
    run(recipe("recordings"), monkeypatch, "--manifest", test_manifest, "--output", study / "measured/recordings.tsv")
    run(recipe("study_tables"), monkeypatch, "--output", study, "--manifest", test_manifest)
    printed = capsys.readouterr().out
    claims = [line.strip("| ").split(" | ") for line in printed.split("\n") if "| base - fixed |" in line]
    assert next((cells[2], cells[3][:6], cells[-1]) for cells in claims) == ("2", "+1.000", "shown")
    assert {cells[-1] for cells in claims} == {"shown"} and len(claims) == 3
    assert "| base | 2 | -1.500 [-1.500, -1.500] | 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] |" in printed
    assert f"Test: {COUNT} recordings" in printed and "bleu: `nrefs:1" in printed
    for name in ("cosines.svg", "time.svg"):
        image = ElementTree.fromstring((study / name).read_text())
        assert len(list(image.iter("{http://www.w3.org/2000/svg}polyline"))) == (1 if name == "cosines.svg" else 2)


def test_checkpoints_are_averaged(recipe, tmp_path, monkeypatch):
    average = recipe("average")
    for epoch in (2, 9, 10):
        weights = {"a": torch.tensor([float(epoch)]).to(torch.float16), "count": torch.tensor(epoch)}
        state = {"model": weights, "last_optimizer_state": {"step": epoch}, "task_state": {"epoch": epoch}}
        torch.save(state, tmp_path / f"checkpoint{epoch}.pt")
    torch.save({"model": {}}, tmp_path / "checkpoint_best.pt")
    run(average, monkeypatch, "--folder", tmp_path, "--last", 2, "--output", tmp_path / "averaged.pt")
    found = torch.load(tmp_path / "averaged.pt", weights_only=True)
    assert found["model"]["a"].tolist() == [9.5] and found["model"]["a"].dtype == torch.float16
    assert (found["model"]["count"].item(), found["task_state"]) == (10, {"epoch": 10})
    assert "last_optimizer_state" not in found
    with pytest.raises(SystemExit, match="4 checkpoints of epochs are needed, and there are 3"):
        average.find_last(tmp_path, 4)
    with pytest.raises(SystemExit, match="different models"):
        average.average([{"model": {"a": torch.zeros(1)}}, {"model": {"b": torch.zeros(1)}}])
