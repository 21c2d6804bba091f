"""Adapters trained apart, kept in small files, and put together: the model writes what each training's own wrote."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest
from tests.e2e.joint_training import joint_command
from tests.e2e.training import COLUMNS, read_checkpoint, row_fields, run
from tests.e2e.translation import (
    LANGUAGES,
    TranslationCorpus,
    choose_rows,
    generate,
    make_translation_corpus,
    translation_command,
    translations,
)

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

SHORT = {"max_update": 4, "lr": 0.01, "disable_validation": True, "save_interval_updates": 0}
TUNED = "encoder_adapters,decoder_adapters"


def write_rows(path: Path, split: str, count: int, names: tuple[str, ...]) -> None:
    """A manifest whose rows go through adapters by turns."""
    texts = translations()
    lines = []
    for place, row in enumerate(choose_rows(split, count)):
        language = LANGUAGES[place % 3]
        target = {"tgt_lang": language, "tgt_text": texts[row.parallel_id or "", language]}
        lines.append({**row_fields(row), **target, "adapter": names[place % len(names)]})
    write_manifest(path, lines, [*COLUMNS, "tgt_text", "tgt_lang", "adapter"])


def with_rows(corpus: TranslationCorpus, folder: Path, *names: str) -> TranslationCorpus:
    """The corpus with rows of some adapters alone to train on."""
    folder.mkdir()
    write_rows(folder / "train.tsv", "train", 12, names)
    return TranslationCorpus(folder, corpus.encoder, corpus.decoder)


@dataclass
class Trained:
    """A base, two trainings on it, and files of what these have learnt.

    Attributes:
        corpus: with test.tsv for adapters of both.
        base: checkpoint without adapters.
        checkpoints: of the trainings by adapter.
        files: adapters alone.
        merged: checkpoint of the base with both.
    """

    corpus: TranslationCorpus
    base: Path
    checkpoints: dict[str, Path]
    files: dict[str, Path]
    merged: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("adapters")
    corpus = make_translation_corpus(folder, {"train": 12})
    write_rows(folder / "test.tsv", "test", 6, ("be", "ro"))
    run(translation_command(corpus, folder / "base", adapter_dim=None, tuned_groups="layer_norms", **SHORT))
    base = folder / "base" / "checkpoint_last.pt"
    checkpoints, files = {}, {}
    for name, size in (("be", 8), ("ro", 5)):
        options = {"adapter_names": name, "adapter_dim": size, "decoder_adapter_dim": 4, "tuned_groups": TUNED}
        own = with_rows(corpus, folder / f"rows-{name}", name)
        output = run(translation_command(own, folder / name, finetune_from_model=base, **options, **SHORT))
        assert f"the checkpoint lacks adapters of this model: {name}" in output
        checkpoints[name] = folder / name / "checkpoint_last.pt"
        files[name] = folder / "files" / f"{name}.safetensors"
        assert main(["adapters", "export", str(checkpoints[name]), "--output", str(folder / "files")]) == 0
    merged = folder / "merged.pt"
    assert main(["adapters", "add", str(base), *map(str, files.values()), "--output", str(merged)]) == 0
    return Trained(corpus, base, checkpoints, files, merged)


def hypotheses(output: str) -> dict[int, list[str]]:
    """Lines of scores and texts by row."""
    found: dict[int, list[str]] = {}
    for line in output.splitlines():
        if line.startswith(("D-", "H-")):
            found.setdefault(int(line.split("\t")[0][2:]), []).append(line)
    assert sorted(found) == list(range(6))
    return found


def test_what_was_trained_apart_decodes_together(trained: Trained) -> None:
    """Both in one checkpoint, and both given to the base as it decodes, write what each training's own model wrote."""
    folder = trained.corpus.folder
    together = hypotheses(generate(folder, trained.merged))
    for place, (name, checkpoint) in enumerate(trained.checkpoints.items()):
        alone = hypotheses(generate(folder, checkpoint, missing_adapter="base"))
        for row in range(place, 6, 2):  # rows take turns
            assert together[row] == alone[row], name
        assert any(together[row] != alone[row] for row in range(1 - place, 6, 2))
    listed = ",".join(map(str, trained.files.values()))
    overrides = repr({"adapter_files": listed})
    assert hypotheses(generate(folder, trained.base, model_overrides=overrides)) == together


def test_the_base_keeps_its_bits(trained: Trained) -> None:
    base, merged = (read_checkpoint(path)["model"] for path in (trained.base, trained.merged))
    assert all(torch.equal(merged[name], tensor) for name, tensor in base.items())
    sizes = [path.stat().st_size for path in (*trained.files.values(), trained.base)]
    assert max(sizes[:2]) < sizes[2]
    for name, checkpoint in trained.checkpoints.items():
        own = {key: value for key, value in read_checkpoint(checkpoint)["model"].items() if f"_adapter.{name}." in key}
        assert own and all(torch.equal(merged[key], value) for key, value in own.items())


def test_a_further_adapter_is_trained_beside_those_of_files(trained: Trained, tmp_path: Path) -> None:
    """The files' own are frozen and keep their bits; the checkpoint holds all three."""
    files = [Path(shutil.copy(file, tmp_path)) for file in trained.files.values()]
    own = with_rows(trained.corpus, tmp_path / "rows", "ca", "be")
    options = {
        "adapter_files": ",".join(map(str, files)),
        "adapter_names": "ca",
        "tuned_adapters": "ca",
        "tuned_groups": TUNED,
        "finetune_from_model": trained.base,
        **SHORT,
    }
    run(translation_command(own, tmp_path / "run", **options))
    state = read_checkpoint(tmp_path / "run" / "checkpoint_last.pt")
    assert state["cfg"]["model"]["adapter_files"] == ""
    assert state["cfg"]["model"]["adapter_names"] == "ca,be,ro"
    merged = read_checkpoint(trained.merged)["model"]
    after = state["model"]
    assert all(torch.equal(after[name], tensor) for name, tensor in merged.items())
    new = {name: tensor for name, tensor in after.items() if name not in merged}
    assert new and all("_adapter.ca." in name for name in new)
    assert any(tensor.any() for name, tensor in new.items() if ".up." in name)
    assert main(["adapters", "list", str(tmp_path / "run" / "checkpoint_last.pt")]) == 0


@pytest.fixture
def broken(trained: Trained, tmp_path: Path) -> dict[str, tuple[Path, Path, str]]:
    """Bases and files that do not go together, each with what is said of it."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    whole = trained.files["be"].read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    later = tmp_path / "later.safetensors"
    with safe_open(trained.files["be"], framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        told = {**json.loads(opened.metadata()["adapter"]), "version": "2"}
        save_file(tensors, later, {"adapter": json.dumps(told)})
    state = read_checkpoint(trained.base)
    bias = "encoder.encoder.layers.0.fc1.bias"
    state["model"][bias] = state["model"][bias] + 1e-6
    torch.save(state, tmp_path / "other.pt")
    shallow = read_checkpoint(trained.base)
    shallow["model"] = {name: tensor for name, tensor in shallow["model"].items() if "encoder.layers.2." not in name}
    sizes = shallow["cfg"]["model"]["encoder_config"]
    shallow["cfg"]["model"]["encoder_config"] = sizes.replace('"num_layers": 3', '"num_layers": 2')
    torch.save(shallow, tmp_path / "shallow.pt")
    return {
        "a byte": (trained.base, damaged, "`checksum` must be that of its contents"),
        "a later version": (trained.base, later, "`version` must be 1, but is '2'"),
        "another base": (tmp_path / "other.pt", trained.files["be"], "`base of the encoder` must be the one"),
        "other sizes": (tmp_path / "shallow.pt", trained.files["be"], "`sizes of the encoder's adapter` must be"),
    }


def test_what_does_not_fit_is_refused_whole(
    trained: Trained, broken: dict[str, tuple[Path, Path, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 1, and no file: not even for the other adapter, which is fine."""
    for case, (base, file, fault) in broken.items():
        output = tmp_path / "output.pt"
        words = ["adapters", "add", base, file, trained.files["ro"], "--output", output]
        capsys.readouterr()
        assert main([str(word) for word in words]) == 1, case
        said = [line for line in capsys.readouterr().err.splitlines() if str(file) in line]
        assert len(said) == 1 and said[0].startswith(f"{file}: ") and fault in said[0], case
        assert not output.exists() and not list(tmp_path.glob("*.partial"))


def test_training_and_decoding_refuse_it_too(
    trained: Trained, broken: dict[str, tuple[Path, Path, str]], tmp_path: Path
) -> None:
    _, damaged, fault = broken["a byte"]
    options = {"adapter_files": damaged, "adapter_names": "ca", "tuned_groups": TUNED, **SHORT}
    own = with_rows(trained.corpus, tmp_path / "rows", "ca")
    output = run(translation_command(own, tmp_path / "run", **options), expect=1)
    assert f"{damaged}: {fault}" in output
    # without --finetune-from-model the training starts from files whose norms are others than the base's
    fits_not = {"adapter_files": trained.files["be"], "adapter_names": "ca", "tuned_groups": TUNED, **SHORT}
    output = run(translation_command(own, tmp_path / "run", **fits_not), expect=1)
    assert "`base of the decoder` must be the one that it was trained on" in output
    assert not list(tmp_path.glob("run/*.pt"))
    other, file, fault = broken["another base"]
    with pytest.raises(AssertionError, match=fault):
        generate(trained.corpus.folder, other, model_overrides=repr({"adapter_files": str(file)}))


TEXT_ALONE = {
    "tasks": "mt",
    "joint_tasks": None,
    "without_speech": True,
    "audio_root": None,
    "encoder_config": None,
    **SHORT,
}


def test_a_decoder_adapter_of_texts_alone_belongs_to_the_model_of_speech(tmp_path: Path) -> None:
    """Trained where there is no speech encoder at all, it writes the same translations in the whole model."""
    corpus = make_translation_corpus(tmp_path, {"train": 12})
    write_rows(tmp_path / "train.tsv", "train", 12, ("be",))
    write_rows(tmp_path / "test.tsv", "test", 6, ("be",))
    run(joint_command(corpus, tmp_path / "text", **TEXT_ALONE))
    text = tmp_path / "text" / "checkpoint_last.pt"
    start = {"text_path": text, "text_config": None, "sentencepiece_model": None}
    adapter = {"adapter_names": "be", "decoder_adapter_dim": 4, "tuned_groups": "decoder_adapters"}
    run(joint_command(corpus, tmp_path / "adapted", **{**TEXT_ALONE, **start, **adapter}))
    adapted = tmp_path / "adapted" / "checkpoint_last.pt"
    speech = {"encoder_path": corpus.encoder, "encoder_config": None, "tuned_groups": "projection,compressor"}
    run(joint_command(corpus, tmp_path / "speech", **{**start, **speech, **SHORT}))
    assert main(["adapters", "export", str(adapted), "--output", str(tmp_path / "files")]) == 0
    file, whole = tmp_path / "files" / "be.safetensors", tmp_path / "whole.pt"
    words = ["adapters", "add", tmp_path / "speech" / "checkpoint_last.pt", file, "--output", whole]
    assert main([str(word) for word in words]) == 0
    options = {"tasks": "mt", "max_len_b": 12, "beam": 2}
    written = [hypotheses(generate(tmp_path, path, **options)) for path in (adapted, whole)]
    assert written[0] == written[1]
    assert written[0] != hypotheses(generate(tmp_path, text, **options))
    assert len(hypotheses(generate(tmp_path, whole, tasks="asr", max_len_b=12, beam=1))) == 6
