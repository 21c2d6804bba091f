"""The study of low-resource recognition: its manifests keep the test apart, its tables say which arm is better."""

import importlib.util
import json
import sys

import pytest

from fairseq_samu.data.manifest import read_manifest, write_manifest
from tests.contract.source_tree import ROOT

RECIPE = ROOT / "examples/low_resource_asr/small"
SPEECH = ["id", "audio", "n_frames", "src_text", "src_lang", "tgt_text", "tgt_lang", "parallel_id"]
TEXT = ["id", "src_text", "src_lang", "tgt_text", "tgt_lang"]
LANGUAGES = ("es", "ca")
SPLITS = ("train", "valid", "test")
COUNT = 6
SUBSETS = (("new.out", "test_new"), ("joint.out", "test_new"), ("ctc.out", "test_new"), ("seen.out", "test_seen"))


@pytest.fixture
def recipe(monkeypatch):
    """Imports a program of the recipe; what another recipe has under the same name stays untouched."""
    monkeypatch.syspath_prepend(str(RECIPE))
    hidden = {name: sys.modules.pop(name) for name in ("study_tables",) if name in sys.modules}
    before = set(sys.modules)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, RECIPE / f"{name}.py")
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


def text_of(split, language, number):
    return f"{language} {split} picture {number}"


def write_corpus(folder, languages, texts=text_of):
    folder.mkdir()
    for split in SPLITS:
        rows = [
            dict(zip(SPEECH, (f"{code}/{i}", f"a.zip:{i}:1", 16_000, texts(split, code, i), code,
                              f"en {split} picture {i}", "en", str(i)), strict=True))
            for code in languages for i in range(COUNT)
        ]  # fmt: skip
        write_manifest(folder / f"{split}.tsv", rows, SPEECH)


def write_pairs(path, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(TEXT, (str(i), *row), strict=True)) for i, row in enumerate(texts)]
    write_manifest(path, rows, TEXT)


@pytest.fixture
def corpora(tmp_path):
    """Stamps in both languages, dialogues of which one line is said in the test too, texts."""
    write_corpus(tmp_path / "stamps", LANGUAGES)
    spoken = {("train", "cs", 0): text_of("test", "ca", 2).upper() + "!"}
    write_corpus(tmp_path / "fillets", ["cs"], lambda *key: spoken.get(key, text_of(*key) + " aha"))
    pairs = [(f"en train picture {i}", "en", text_of("train", code, i), code) for code in LANGUAGES for i in range(2)]
    write_pairs(tmp_path / "texts/train.tsv", pairs)
    general = [("open file", "en", "obre el fitxer", "ca"), ("a b c d e", "en", "too long", "es")]
    write_pairs(tmp_path / "texts/games/train.tsv", general)
    return tmp_path


def make_manifests(recipe, corpora, monkeypatch):
    folders = [word for name in ("stamps", "fillets", "texts") for word in (f"--{name}", corpora / name)]
    languages = ("--seen", "es", "--new", "ca", "--max-words", 4)
    run(recipe("manifests"), monkeypatch, *folders, *languages, "--output", corpora / "data")
    return {path.stem: list(read_manifest(path, ())) for path in (corpora / "data").glob("*.tsv")}


def test_the_base_hears_nothing_of_the_new_languages(recipe, corpora, monkeypatch):
    found = make_manifests(recipe, corpora, monkeypatch)
    assert {row.src_lang for row in found["train_base"]} == {"es", "cs"}
    assert {row.src_lang for row in found["train_new"]} == {"ca"} == {row.src_lang for row in found["test_new"]}
    assert {row.src_lang for row in found["test_seen"]} == {"es"} == {row.src_lang for row in found["train_es"]}
    texts = [(row.src_text, row.tgt_lang) for row in found["train_text"]]
    assert texts == [("open file", "ca"), ("en train picture 0", "es"), ("en train picture 1", "es")]
    assert {row.tgt_lang for row in found["train_stamps"]} == {"ca"}
    assert [(row.src_lang, row.tgt_lang) for row in found["valid_stamps"]] == [("en", "ca")] * COUNT
    assert all(row.audio.startswith(str(corpora)) for row in found["train_base"])


def test_what_is_tested_is_trained_on_nowhere(recipe, corpora, monkeypatch):
    found = make_manifests(recipe, corpora, monkeypatch)
    assert [row.id for row in found["train_base"] if row.src_lang == "cs"] == [f"cs/{i}" for i in range(1, COUNT)]
    sizes = json.loads((corpora / "data/sizes.json").read_text())
    assert sizes["train_base"] == {"es": {"rows": 6, "minutes": 0.1}, "cs": {"rows": 5, "minutes": 0.08}}
    write_pairs(corpora / "texts/games/train.tsv", [("open", "en", text_of("test", "es", 1), "es")])
    with pytest.raises(SystemExit, match=r"texts of the test in training: .*es test picture 1"):
        make_manifests(recipe, corpora, monkeypatch)


def add_run(folder, right, manifest, tuned=10):
    """A run that recognises the first recordings of every language."""
    folder.mkdir(parents=True)
    for name, subset in SUBSETS:
        rows = list(read_manifest(manifest.with_name(f"{subset}.tsv")))
        texts = [row.src_text if int(row.id.split("/")[1]) < right else "nothing at all" for row in rows]
        lines = [f"D-{i}\t-1\t{text}\n" for i, text in enumerate(texts)]
        (folder / name).write_text("".join(reversed(lines)))
    (folder / "seconds").write_text("90\n")
    (folder / "info.json").write_text(json.dumps({"tuned_parameters": {"total": tuned}}))


@pytest.fixture
def study(recipe, corpora, monkeypatch):
    make_manifests(recipe, corpora, monkeypatch)
    manifest = corpora / "data/test_new.tsv"
    add_run(corpora / "base-whisper", 1, manifest)
    for seed in (1, 2):
        add_run(corpora / f"arms/whisper/encoder-{seed}", COUNT, manifest, 1234)
        add_run(corpora / f"arms/whisper/encoder6-{seed}", 4, manifest)
        add_run(corpora / f"arms/whisper/decoder-{seed}", 2, manifest)
    add_run(corpora / "arms/whisper/pivotes-1", 1, manifest)
    return corpora


def test_tables_of_the_study(recipe, study, monkeypatch, capsys):
    run(recipe("study_tables"), monkeypatch, "--output", study)
    lines = capsys.readouterr().out.splitlines()

    def row(*cells):
        start = "| " + " | ".join(cells) + " |"
        return next([cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith(start))

    assert row("encoder", "2", "1,234")[3].startswith("0.0 [")
    assert row("base", "1")[3].startswith("83.3 ["), "five of six are wrong in every word"
    shown = row("encoder against decoder, equal size", "encoder - decoder", "2")
    assert shown[3].startswith("-66.7 [") and shown[-1] == "shown"
    assert row("adapters in the encoder against none", "encoder - base", "2")[-1] == "shown"
    pivot = row("zero-shot: length adapter of Spanish, on Catalan", "pivotes - base", "1")
    assert pivot[3].startswith("+0.0 [") and pivot[-1] == "not shown"
    assert row("whisper", "pivotes")[2].startswith("83.3 [")
    assert any("norm:basic" in line for line in lines)


def test_findings_name_arms_that_can_be_trained(recipe):
    findings = recipe("study_tables").FINDINGS
    script = (RECIPE / "arms.sh").read_text()
    listed = script.partition("${ARMS:-")[2].partition("}")[0].split()
    assert {arm for _, *pair, _ in findings for arm in pair} == {*listed, "base"}
