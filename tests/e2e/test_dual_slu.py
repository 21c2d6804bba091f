"""Understanding by the real command line: together, one after the other, moved, and in another language."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch

from fairseq_samu.cli.main import main
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.errors import CheckpointError, ConfigError, ManifestError
from tests.e2e.dual_slu import (
    ANNOTATED,
    WHISPER,
    generate_command,
    labels_of,
    lines_of,
    make_dual_corpus,
    make_talkative,
    run_here,
    train_here,
)
from tests.e2e.training import Corpus, logged, read_checkpoint, row_fields
from tests.e2e.translation import generate

QUIET = {"disable_validation": True, "save_interval_updates": None, "keep_interval_updates": None}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """26 rows to train on, 6 to validate, 13 to test."""
    return make_dual_corpus(tmp_path_factory.mktemp("understanding"), {"train": 26, "valid": 6, "test": 13})


@pytest.fixture(scope="module")
def first(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two updates with both losses, whose tagging head was made to write something."""
    folder = tmp_path_factory.mktemp("first")
    train_here(corpus, folder, max_update=2, **QUIET)
    make_talkative(folder / "checkpoint_last.pt")
    return folder / "checkpoint_last.pt"


def copy_of(corpus: Corpus, folder: Path, **splits: list[dict]) -> Corpus:
    """The corpus in another folder, some of its splits with other rows."""
    shutil.copytree(corpus.folder, folder)
    for split, rows in splits.items():
        write_manifest(folder / f"{split}.tsv", rows, ANNOTATED)
    return Corpus(folder)


def rows_of(corpus: Corpus, split: str) -> list[dict]:
    """Cells of all rows of a split."""
    return [{**row_fields(row), "tgt_text": row.tgt_text} for row in read_manifest(corpus.folder / f"{split}.tsv")]


def differing(one: dict, two: dict) -> set[str]:
    """First parts of the names of tensors that are not the same to the last bit."""
    assert one.keys() == two.keys()
    return {name.split(".")[0] for name in one if not torch.equal(one[name], two[name])}


def test_a_moved_checkpoint_tags_every_row(corpus: Corpus, tmp_path: Path) -> None:
    """All that training started from is removed; 13 rows in batches of 5 give 13 rows, with scores and times."""
    home, away = copy_of(corpus, tmp_path / "home"), tmp_path / "away"
    prefixes = tmp_path / "home" / "relax.tsv"
    prefixes.write_text("other-*,other\n", encoding="utf-8")
    train_here(home, home.folder / "save", max_update=1, concept_prefixes=prefixes, **QUIET)
    away.mkdir()
    shutil.copy(home.folder / "test.tsv", away)
    checkpoint = Path(shutil.move(home.folder / "save" / "checkpoint_last.pt", away / "model.pt"))
    shutil.rmtree(home.folder)
    make_talkative(checkpoint, tag_bonus=30.0)
    rows = rows_of(corpus, "test")
    options = {"task": "dual_slu", "batch_size": 5, "beam": 1, "spans_output": away / "spans.jsonl"}
    greedy = generate(away, checkpoint, **options)
    beam = run_here("generate", generate_command(away, checkpoint, beam=4))
    for output in (greedy, beam):
        assert sorted(lines_of(output, "D")) == sorted(lines_of(output, "H")) == list(range(13))
        assert lines_of(output, "T") == {number: row["tgt_text"] for number, row in enumerate(rows)}
    spans = [json.loads(line) for line in (away / "spans.jsonl").read_text("utf-8").splitlines()]
    assert [(line["row"], line["id"]) for line in spans] == [(number, row["id"]) for number, row in enumerate(rows)]
    assert {line["row"]: line["text"] for line in spans} == lines_of(greedy, "D")
    assert any(line["concepts"] for line in spans)
    files = {name: away / f"{name}.txt" for name in ("greedy", "beam")}
    files["greedy"].write_text(greedy, "utf-8")
    files["beam"].write_text(beam, "utf-8")
    arguments = ["--generate", files["greedy"], "--baseline-generate", files["beam"], "--json", away / "scores.json"]
    assert main(["score", "slu", *map(str, arguments), "--resamples", "50"]) == 0
    scores = json.loads((away / "scores.json").read_text("utf-8"))
    assert {"cher", "wer", "cer", "cver", "counts"} <= scores.keys()
    assert scores["cver"] >= scores["cer"] > 0


def test_one_after_the_other(corpus: Corpus, tmp_path: Path) -> None:
    """Whisper's family; with weight decay, what rests keeps its bits and what is learnt moves."""
    options = {"encoder_config": json.dumps(WHISPER), "weight_decay": 0.1, **QUIET}
    start_of = train_here(corpus, tmp_path / "start", max_update=1, lr=0.0, **options)[0]["model"]
    distilled, log = train_here(corpus, tmp_path / "distilled", max_update=4, slu_weight=0, **options)
    assert differing(start_of, distilled["model"]) == {"encoder", "head"}
    assert logged(log, "mean_cosine") and not logged(log, "ctc_loss")
    assert "loss: 1 * semantic + 0 * tagging" in log
    path = tmp_path / "distilled" / "checkpoint_last.pt"
    options |= {"encoder_config": None, "encoder_path": path, "semantic_weight": 0}
    tagged, log = train_here(corpus, tmp_path / "tagged", max_update=4, **options)
    assert differing(distilled["model"], tagged["model"]) == {"encoder", "slu_head"}
    assert logged(log, "ctc_loss") and logged(log, "mean_cosine"), "what the encoder forgets is seen"
    assert "sentence head from" in log
    without, log = train_here(
        corpus, tmp_path / "without", max_update=4, teacher_table=None, embedding_dim=16, **options
    )
    assert not differing(tagged["model"], without["model"]), "a teacher that teaches nobody changes nothing"
    assert not logged(log, "mean_cosine")
    output = run_here("generate", generate_command(corpus.folder, tmp_path / "tagged" / "checkpoint_last.pt"))
    assert sorted(lines_of(output, "D")) == list(range(13))
    with pytest.raises(ConfigError, match="a model that learnt to tag"):
        run_here("generate", generate_command(corpus.folder, tmp_path / "distilled" / "checkpoint_last.pt"))


def test_another_language_with_other_labels(corpus: Corpus, first: Path, tmp_path: Path) -> None:
    rows = rows_of(corpus, "train")
    language, count = Counter(str(row["src_lang"]) for row in rows).most_common(1)[0]
    for row in rows:
        row["tgt_text"] = str(row["tgt_text"]).replace("<word-last>", "<ending>")
    other = copy_of(corpus, tmp_path / "other", train=rows)
    vocabulary = ConceptVocabulary.from_texts([str(row["tgt_text"]) for row in rows])
    vocabulary.save(tmp_path / "new.txt")
    options = {"encoder_path": first, "encoder_config": None, "slu_checkpoint": first, "languages": language}
    options |= {"concept_labels": tmp_path / "new.txt", "train_share": 0.5, "max_update": 1, "lr": 0.0, **QUIET}
    tuned, log = train_here(other, tmp_path / "tuned", **options)
    assert f"{count} of 26 rows are in {language}" in log
    assert f"{max(1, round(count / 2))} of {count} rows are used (train_share 0.5)" in log
    assert "new: <ending>" in log
    before, labels = read_checkpoint(first), labels_of(tuned)
    known = labels_of(before).dictionary.indices
    assert labels.labels == vocabulary.labels
    assert differing_names(before["model"], tuned["model"]) <= {"slu_head.output.weight", "slu_head.output.bias"}
    old, new = (state["model"]["slu_head.output.weight"] for state in (before, tuned))
    shared = [symbol for symbol in labels.dictionary.symbols if symbol in known]
    assert len(shared) == len(labels) - 1
    for symbol in shared:
        assert torch.equal(new[labels.dictionary.indices[symbol]], old[known[symbol]]), symbol


def differing_names(one: dict, two: dict) -> set[str]:
    """Names of tensors that are not the same to the last bit, or of another shape."""
    assert one.keys() == two.keys()
    return {name for name in one if one[name].shape != two[name].shape or not torch.equal(one[name], two[name])}


def test_relax_mode(corpus: Corpus, tmp_path: Path) -> None:
    prefixes = tmp_path / "relax.tsv"
    prefixes.write_text("word-*,word\n", encoding="utf-8")
    files = [str(corpus.folder / f"{split}.tsv") for split in ("train", "valid", "test")]
    output = ["--output", str(tmp_path / "labels.txt"), "--prefix-map", str(prefixes)]
    assert main(["prepare", "concept-labels", "--manifest", *files, *output]) == 0
    relaxed = {"concept_prefixes": prefixes, "concept_labels": tmp_path / "labels.txt"}
    checkpoint, _ = train_here(corpus, tmp_path / "save", max_update=1, **relaxed, **QUIET)
    assert labels_of(checkpoint).concepts == ["word"]
    make_talkative(tmp_path / "save" / "checkpoint_last.pt", tag_bonus=30.0)
    command = generate_command(corpus.folder, tmp_path / "save" / "checkpoint_last.pt", concept_prefixes=prefixes)
    output = run_here("generate", command)
    references, hypotheses = lines_of(output, "T"), lines_of(output, "D")
    assert all("<word>" in text and "<word-" not in text for text in references.values())
    assert any("<word>" in text for text in hypotheses.values())


def test_features_that_stay_are_computed_once(corpus: Corpus, tmp_path: Path) -> None:
    """With the last of three layers tuned, a cache of what enters it gives the losses of the waves."""
    options = {"num_tuned_layers": 1, "max_update": 4, **QUIET}
    _, plain = train_here(corpus, tmp_path / "plain", **options)
    _, cached = train_here(corpus, tmp_path / "cached", feature_cache=tmp_path / "cache", **options)
    assert "inputs of layer 3 of 3" in cached
    losses = [logged(log, "loss") for log in (plain, cached)]
    assert len(losses[0]) >= 4
    assert losses[1] == pytest.approx(losses[0], rel=5e-3)


def test_a_run_goes_on_with_its_own_labels_alone(corpus: Corpus, first: Path, tmp_path: Path) -> None:
    ConceptVocabulary.from_texts(["<other> abc >"]).save(tmp_path / "labels.txt")
    shutil.copy(first, tmp_path / "checkpoint_last.pt")
    with pytest.raises(CheckpointError, match="--concept-labels that it was trained with"):
        train_here(corpus, tmp_path, concept_labels=tmp_path / "labels.txt")


def test_bad_annotations_are_named_with_their_lines(corpus: Corpus, tmp_path: Path) -> None:
    rows = rows_of(corpus, "train")
    rows[2]["tgt_text"] = "<word-first> never closed"
    rows[4]["tgt_text"] = "<unheard-of> a >"
    with pytest.raises(ManifestError) as caught:
        train_here(copy_of(corpus, tmp_path / "bad", train=rows), tmp_path / "save")
    assert "train.tsv:4: " in str(caught.value) and "train.tsv:6: " in str(caught.value)
    assert "unheard-of" in str(caught.value)
    rows = rows_of(corpus, "train")
    rows[3]["src_text"] = rows[3]["tgt_text"]
    with pytest.raises(ManifestError, match=r"train\.tsv:5: `src_text` must be text without tags"):
        train_here(copy_of(corpus, tmp_path / "told", train=rows), tmp_path / "save")


def test_rows_too_short_for_their_labels_are_named(corpus: Corpus, tmp_path: Path) -> None:
    rows = rows_of(corpus, "train")
    rows[5]["tgt_text"] = " ".join([str(rows[5]["tgt_text"])] * 30)
    valid = rows_of(corpus, "valid")
    valid[1]["tgt_text"] = " ".join([str(valid[1]["tgt_text"])] * 30)
    short = copy_of(corpus, tmp_path / "short", train=rows, valid=valid)
    _, log = train_here(short, tmp_path / "save", max_update=1)
    left = next(line for line in log.splitlines() if "fewer frames than CTC needs for their labels;" in line)
    assert "rows are left out of training" in left and str(rows[5]["id"]) in left
    named = next(line for line in log.splitlines() if "and no loss of CTC" in line)
    assert "valid.tsv" in named and str(valid[1]["id"]) in named
    assert logged(log, "valid_num_ctc_impossible")[-1] >= 1
    assert all(0 < value < 100 for value in logged(log, "valid_ctc_loss"))
