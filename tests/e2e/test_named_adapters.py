"""Named adapters by the real command line: trained together and one alone, decoded row by row, under each policy."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_samu.data.manifest import Row, read_manifest, write_manifest
from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.speech_translator import SpeechTranslator
from tests.e2e.joint_training import joint_command
from tests.e2e.training import (
    COLUMNS,
    PROMPTS,
    finish_workers,
    free_port,
    read_checkpoint,
    row_fields,
    run,
    start,
)
from tests.e2e.translation import (
    MAX_TOKENS,
    TranslationCorpus,
    generate,
    make_translation_corpus,
    translation_command,
)

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

SPOKEN = ("en", "fr", "es")
OPTIONS = {
    "tasks": "asr",
    "adapter_names": "en,fr,es",
    "adapter_dim": 8,
    "decoder_adapter_dim": 4,
    "adapter_placement": "one",
    "tuned_groups": "encoder_adapters,decoder_adapters",
    "disable_validation": True,
    "decoder_dropout": 0.0,
    "label_smoothing": 0.0,
    "weight_decay": 0.1,
    "lr": 0.02,
    "max_update": 24,
}
PARTS = ("encoder", "decoder")
SEARCH = {"tasks": "asr", "beam": 3, "batch_size": 4}


def rows_of(split: str, language: str, count: int) -> list[Row]:
    """Short rows of a language, from about a second up."""
    manifest = read_manifest(PROMPTS / f"{split}.tsv")
    order = (int(index) for index in np.argsort(np.asarray(manifest.n_frames), kind="stable"))
    rows = (manifest[index] for index in order if manifest.n_frames[index] >= 14000)
    return [row for row, _ in zip((row for row in rows if row.src_lang == language), range(count), strict=False)]


def write_rows(path: Path, rows: list[Row], adapters: dict[str, str] | None = None) -> None:
    """Write a manifest; with ``adapters``, the column of that name for the rows of some languages."""
    lines = [{**row_fields(row), "adapter": (adapters or {}).get(row.src_lang or "", "")} for row in rows]
    columns = COLUMNS if adapters is None else [*COLUMNS, "adapter"]
    write_manifest(path, [{name: line[name] for name in columns} for line in lines], columns)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """Eight rows of each of three languages to train on, three of each to decode, together and by language."""
    corpus = make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"valid": 1})
    write_rows(corpus.folder / "train.tsv", [row for language in SPOKEN for row in rows_of("train", language, 8)])
    tested = {language: rows_of("test", language, 3) for language in SPOKEN}
    mixed = [row for rows in zip(*tested.values(), strict=True) for row in rows]
    write_rows(corpus.folder / "test.tsv", mixed)
    for language, rows in tested.items():
        write_rows(corpus.folder / f"test_{language}.tsv", rows)
    # as if the Spanish rows were Galician, which has no adapter, but a tag
    foreign = [replace(row, src_lang="gl") if row.src_lang == "es" else row for row in mixed]
    write_rows(corpus.folder / "foreign.tsv", foreign)
    write_rows(corpus.folder / "named.tsv", foreign, {"gl": "es"})
    return corpus


@pytest.fixture(scope="module")
def together(corpus: TranslationCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose adapters of three languages were trained together."""
    folder = tmp_path_factory.mktemp("together")
    output = run(translation_command(corpus, folder, **OPTIONS))
    for language in SPOKEN:
        assert f"encoder_adapters.{language}" in output and f"decoder_adapters.{language}" in output
    return folder / "checkpoint_last.pt"


def found(output: str) -> dict[int, tuple[str, float]]:
    """Tokens and score of each row's best hypothesis."""
    lines = [line.split("\t") for line in output.splitlines() if line.startswith("H-")]
    return {int(name[2:]): (tokens, float(score)) for name, score, tokens in lines}


def texts_of(output: str) -> list[str]:
    """Text of each row, in the order of the manifest."""
    lines = [line.split("\t") for line in output.splitlines() if line.startswith("D-")]
    texts = {int(name[2:]): text for name, _, text in lines}
    return [texts[row] for row in range(len(texts))]


def assert_same(one: dict[int, tuple[str, float]], two: dict[int, tuple[str, float]]) -> None:
    assert one.keys() == two.keys()
    for row, (tokens, score) in one.items():
        assert tokens == two[row][0]
        assert score == pytest.approx(two[row][1], abs=1e-4)


def differ(one: dict[int, tuple[str, float]], two: dict[int, tuple[str, float]]) -> set[int]:
    """Rows of which two searches found something else, or the same with another probability."""
    return {row for row in one if one[row][0] != two[row][0] or abs(one[row][1] - two[row][1]) > 1e-3}


@pytest.fixture(scope="module")
def decoded(corpus: TranslationCorpus, together: Path) -> dict[int, tuple[str, float]]:
    """What the mixed manifest says: rows 0, 3, 6 English, 1, 4, 7 French, 2, 5, 8 Spanish."""
    return found(generate(corpus.folder, together, **SEARCH))


def test_adapters_trained_together_differ(together: Path) -> None:
    state = read_checkpoint(together)["model"]
    own = {name: tensor for name, tensor in state.items() if "_adapter.en." in name and name.endswith("up.weight")}
    assert {name.partition(".")[0] for name in own} == {"encoder", "decoder"}
    for name, tensor in own.items():
        others = [state[name.replace(".en.", f".{language}.")] for language in SPOKEN[1:]]
        assert bool(tensor.any()) and not any(torch.equal(tensor, other) for other in others), name


def test_one_language_alone_leaves_all_else_as_it_was(
    corpus: TranslationCorpus, together: Path, decoded: dict[int, tuple[str, float]], tmp_path: Path
) -> None:
    """Rows of the other languages stand in the manifest too; they teach nothing, and are left out and counted."""
    options = {**OPTIONS, "tuned_adapters": "fr", "finetune_from_model": together, "max_update": 12}
    output = run(translation_command(corpus, tmp_path, **options))
    assert "16 of 24 rows are left out of training" in output
    before, after = (read_checkpoint(path)["model"] for path in (together, tmp_path / "checkpoint_last.pt"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "_adapter.fr." in name}
    again = found(generate(corpus.folder, tmp_path / "checkpoint_last.pt", **SEARCH))
    assert differ(decoded, again) == {1, 4, 7}
    assert_same({row: decoded[row] for row in (0, 2, 3, 5, 6, 8)}, {row: again[row] for row in (0, 2, 3, 5, 6, 8)})


def test_mixed_rows_are_decoded_as_each_language_alone(
    corpus: TranslationCorpus, together: Path, decoded: dict[int, tuple[str, float]]
) -> None:
    for place, language in enumerate(SPOKEN):
        alone = found(generate(corpus.folder, together, f"test_{language}", **SEARCH))
        assert_same(alone, {row: decoded[3 * row + place] for row in range(3)})


def test_a_language_without_adapter_by_every_policy(
    corpus: TranslationCorpus, together: Path, decoded: dict[int, tuple[str, float]]
) -> None:
    """Galician is nearest to Spanish, by CLDR; the column `adapter` says the same."""
    refused = generate(corpus.folder, together, "foreign", expect=1, **SEARCH)
    assert "'gl (3 rows)'" in refused and "--missing-adapter" in refused and "en, fr, es" in refused
    nearest = generate(corpus.folder, together, "foreign", missing_adapter="nearest", **SEARCH)
    assert nearest.count("gl: uses adapter es") == 1
    named = generate(corpus.folder, together, "named", **SEARCH)
    assert_same(found(nearest), found(named))
    base = generate(corpus.folder, together, "foreign", missing_adapter="base", **SEARCH)
    assert base.count("gl: uses the base without adapter") == 1
    assert differ(found(base), found(nearest)) == {2, 5, 8}
    others = (0, 1, 3, 4, 6, 7)
    assert_same({row: decoded[row] for row in others}, {row: found(base)[row] for row in others})


def test_python_chooses_adapters_by_language(corpus: TranslationCorpus, together: Path) -> None:
    expected = texts_of(generate(corpus.folder, together, "foreign", missing_adapter="nearest", **SEARCH))
    rows = list(read_manifest(corpus.folder / "foreign.tsv"))
    specs, languages = [row.audio for row in rows], [row.src_lang or "" for row in rows]
    translator = SpeechTranslator.load(together, root=PROMPTS, max_tokens=MAX_TOKENS, missing_adapter="nearest")
    assert translator.transcribe(specs, languages, beam=3) == expected
    strict = SpeechTranslator.load(together, root=PROMPTS, max_tokens=MAX_TOKENS)
    names = ["es" if language == "gl" else language for language in languages]
    assert strict.transcribe(specs, languages, beam=3, adapter=names) == expected
    with pytest.raises(ConfigError, match=r"but is 'gl' instead"):
        strict.transcribe(specs, languages)


def test_training_that_could_not_move_an_adapter_is_refused(
    corpus: TranslationCorpus, together: Path, tmp_path: Path
) -> None:
    shutil.copy(corpus.folder / "test_en.tsv", tmp_path / "train.tsv")
    home = replace(corpus, folder=tmp_path)
    options = {**OPTIONS, "tuned_adapters": "fr", "finetune_from_model": together}
    output = run(translation_command(home, tmp_path / "save", **options), expect=1)
    assert "adapters that are tuned, fr, at least, but is 'of en alone' instead" in output


def test_two_workers_with_other_languages_equal_one(corpus: TranslationCorpus, tmp_path: Path) -> None:
    """Batches of two rows: most updates have an adapter that one worker's rows go through and the other's do not."""
    options = {**OPTIONS, "batch_size": 2, "max_update": 6, "lr": 0.05, "optimizer": "sgd", "momentum": 0.9}
    options |= {"adam_betas": None, "lr_scheduler": "fixed"}
    run(translation_command(corpus, tmp_path / "one", update_freq=2, **options))
    options |= {"distributed_world_size": 2, "distributed_init_method": f"tcp://localhost:{free_port()}"}
    options |= {"distributed_no_spawn": True, "distributed_backend": "gloo", "ddp_backend": "legacy_ddp"}
    commands = [translation_command(corpus, tmp_path / "two", distributed_rank=rank, **options) for rank in range(2)]
    finish_workers([start(command) for command in commands])
    one, two = (read_checkpoint(tmp_path / name / "checkpoint_last.pt")["model"] for name in ("one", "two"))
    moved = {name for name in one if "_adapter." in name and ".up." in name and bool(one[name].any())}
    assert {name.split("_adapter.")[1][:2] for name in moved} == {*SPOKEN}
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6, msg=lambda text, name=name: name + text)


def test_joint_tasks_reach_each_the_adapters_of_their_languages(tmp_path: Path) -> None:
    """Speech in five languages, translated into three of them; transcripts are learnt by CTC, without the decoder."""
    corpus = make_translation_corpus(tmp_path, {"train": 24, "valid": 1, "test": 6})
    spoken = {row.src_lang or "" for row in read_manifest(tmp_path / "train.tsv")}
    options = {"adapter_names": "en,fr,es,it,ru", "adapter_dim": 8, "decoder_adapter_dim": 8, "weight_decay": 0.0}
    options |= {"tuned_groups": "encoder_adapters,decoder_adapters,projection", "max_update": 6, "lr": 0.01}
    run(joint_command(corpus, tmp_path / "save", **options))
    checkpoint = tmp_path / "save" / "checkpoint_last.pt"
    state = read_checkpoint(checkpoint)["model"]
    moved = {name for name, tensor in state.items() if "_adapter." in name and ".up." in name and bool(tensor.any())}
    reached = {part: {name.split("_adapter.")[1][:2] for name in moved if name.startswith(part)} for part in PARTS}
    assert reached == {"encoder": spoken, "decoder": {"en", "fr", "es"}}
    assert len(spoken) > 3
    printed = texts_of(generate(tmp_path, checkpoint, tasks="mt", beam=2, batch_size=4))
    rows = list(read_manifest(tmp_path / "test.tsv"))
    translator = SpeechTranslator.load(checkpoint, max_tokens=MAX_TOKENS)
    sources, languages = [row.src_text or "" for row in rows], [row.tgt_lang or "" for row in rows]
    assert translator.translate_texts(sources, languages, beam=2) == printed
