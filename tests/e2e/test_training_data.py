"""Rows in = rows used: remainders, bad recordings, feature cache, resting encoder; seen in the host's own log."""

import shutil
from pathlib import Path

from fairseq_samu.data.manifest import write_manifest
from tests.e2e.training import COLUMNS, PROMPTS, Corpus, logged, read_checkpoint, row_fields, run, train_command

ONE_EPOCH = {"max_update": None, "max_epoch": 1, "save_interval_updates": None, "keep_interval_updates": None}


def test_every_row_is_used_though_the_batch_leaves_a_remainder(corpus: Corpus, tmp_path: Path) -> None:
    output = run(train_command(corpus, tmp_path, batch_size=8, **ONE_EPOCH))
    assert "26 rows in 4 batches" in output
    seconds = sum(row.n_frames for row in corpus.rows["train"]) / 16000
    # batches of 8, 8, 8 and 2
    assert logged(output, "train_bsz")[-1] == 6.5
    assert abs(logged(output, "train_wpb")[-1] * 4 / 16000 - seconds) < 0.1
    assert 0 <= logged(output, "train_padding")[-1] < 0.2
    assert logged(output, "train_audio_s_per_s")[-1] > 0


def corpus_with_a_bad_row(corpus: Corpus, folder: Path) -> Corpus:
    folder.mkdir()
    (folder / "cut.wav").write_bytes(b"RIFF\x00\x00")
    rows = [row_fields(row) for row in corpus.rows["train"]]
    for row in rows:
        row["audio"] = str(PROMPTS / str(row["audio"]))
    rows[5]["audio"] = str(folder / "cut.wav")
    rows[5]["id"] = "the-bad-one"
    write_manifest(folder / "train.tsv", rows, COLUMNS)
    shutil.copy(corpus.folder / "valid.tsv", folder)
    shutil.copytree(corpus.folder / "teacher", folder / "teacher")
    return Corpus(folder, corpus.rows)


def test_a_bad_recording_ends_the_run_or_is_named_and_counted(corpus: Corpus, tmp_path: Path) -> None:
    bad = corpus_with_a_bad_row(corpus, tmp_path / "bad")
    output = run(train_command(bad, tmp_path / "raise", **ONE_EPOCH), expect=1)
    assert "AudioError" in output
    assert "train.tsv:7" in output
    output = run(train_command(bad, tmp_path / "skip", on_bad_audio="skip", num_workers=2, **ONE_EPOCH))
    assert "skipped row the-bad-one" in output
    assert logged(output, "train_num_skipped")[-1] == 1


def test_the_feature_cache_changes_nothing_but_the_time(corpus: Corpus, tmp_path: Path) -> None:
    options = {"num_tuned_layers": 0, "speed_factors": "0.9,1.0,1.1", "max_update": 10}
    plain = run(train_command(corpus, tmp_path / "plain", **options))
    cached = run(train_command(corpus, tmp_path / "cached", feature_cache=tmp_path / "cache", **options))
    assert logged(cached, "train_cache_seconds")[-1] > 0
    for first, second in zip(logged(plain, "train_loss"), logged(cached, "train_loss"), strict=True):
        # frames are kept in half precision
        assert abs(first - second) < 0.05
    again = run(train_command(corpus, tmp_path / "again", feature_cache=tmp_path / "cache", **options))
    assert "0.0 s spent now" in again


def test_a_cache_of_tuned_convolutions_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    options = {"feature_cache": tmp_path / "cache", "tune_feature_extractor": True}
    output = run(train_command(corpus, tmp_path, **options), expect=1)
    assert "`feature_cache` must be used with a frozen feature extractor" in output


def test_a_text_without_an_embedding_is_an_error_before_training(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    rows = [row_fields(row) for row in corpus.rows["train"]]
    rows[3]["src_text"] = "nobody embedded this"
    write_manifest(folder / "train.tsv", rows, COLUMNS)
    shutil.copy(corpus.folder / "valid.tsv", folder)
    shutil.copytree(corpus.folder / "teacher", folder / "teacher")
    output = run(train_command(Corpus(folder, corpus.rows), tmp_path / "save"), expect=1)
    assert "nobody embedded this" in output
    assert "Start iterating" not in output


def test_nothing_but_the_head_moves_while_the_encoder_rests(corpus: Corpus, tmp_path: Path) -> None:
    options = {"head_only_updates": 6, "weight_decay": 0.1, "save_interval_updates": 3, "keep_interval_updates": None}
    run(train_command(corpus, tmp_path, max_update=9, **options))
    states = [read_checkpoint(next(tmp_path.glob(f"checkpoint_*_{update}.pt")))["model"] for update in (3, 6, 9)]
    encoder = [name for name in states[0] if name.startswith("encoder.encoder.layers")]
    assert encoder
    assert all(states[0][name].equal(states[1][name]) for name in encoder)
    assert any(not states[1][name].equal(states[2][name]) for name in encoder)
    head = [name for name in states[0] if name.startswith("head.")]
    assert all(not states[0][name].equal(states[1][name]) for name in head)
