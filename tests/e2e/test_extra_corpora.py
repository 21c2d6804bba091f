"""Further corpora for some of the tasks, by the real command line: recordings elsewhere, and texts without any."""

from pathlib import Path

import pytest
import soundfile

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.manifest import TEXT_PAIR_COLUMNS, write_manifest
from tests.e2e.joint_training import joint_command
from tests.e2e.training import COLUMNS, PROMPTS, logged, row_fields, run
from tests.e2e.translation import TranslationCorpus, choose_rows, generate, make_translation_corpus, translations

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow


@pytest.fixture
def corpus(tmp_path: Path) -> TranslationCorpus:
    """12 rows to train on; 5 more with recordings beside their manifest; 9 pairs of texts; 7 pairs to decode."""
    made = make_translation_corpus(tmp_path, {"train": 12, "valid": 4})
    (tmp_path / "other").mkdir()
    rows = choose_rows("train", 17)[12:]
    for number, row in enumerate(rows):
        soundfile.write(tmp_path / "other" / f"{number}.wav", read_audio(row.audio, PROMPTS), 16000)
    fields = [{**row_fields(row), "id": f"other-{n}", "audio": f"{n}.wav"} for n, row in enumerate(rows)]
    write_manifest(tmp_path / "other" / "train.tsv", fields, COLUMNS)
    texts = translations()
    pairs = [
        {"id": key, "src_text": texts[key, "en"], "src_lang": "en", "tgt_text": texts[key, "es"], "tgt_lang": "es"}
        for key in dict.fromkeys(key for key, language in texts)
        if (key, "en") in texts and (key, "es") in texts
    ]
    write_manifest(tmp_path / "pairs.tsv", pairs[:9], TEXT_PAIR_COLUMNS)
    wanted = ("id", "src_text", "tgt_lang")
    write_manifest(tmp_path / "texts.tsv", [{name: pair[name] for name in wanted} for pair in pairs[9:16]], wanted)
    return made


def test_corpora_are_mixed_and_texts_are_decoded_without_recordings(corpus: TranslationCorpus, tmp_path: Path) -> None:
    options = {
        "extra_manifests": "asr=other/train.tsv,mt=pairs.tsv",
        "task_ratios": "asr=0.5,mt=1.5",
        "corpus_temperature": 5.0,
        "source_noise_prob": 0.5,
        "max_text_tokens": 400,
        "tuned_layers": None,
        "encoder_path": corpus.encoder,
        "encoder_config": None,
        "tuned_groups": "projection,compressor,text_encoder,local_to_global,decoder",
        "num_tuned_layers": 0,
        "feature_cache": tmp_path / "cache",
        "disable_validation": None,
        "num_workers": 2,
        "max_update": 6,
    }
    output = run(joint_command(corpus, tmp_path / "save", **options))
    assert "feature cache: 21 recordings" in output  # each of all corpora once for both tasks
    assert "asr: 6 of 6 rows drawn from 17" in output
    assert "mt: 16 of 18 rows drawn from 21 are in 3 joint batches; 2 do not fit" in output  # 400 tokens a batch
    assert len(logged(output, "valid_loss_mt")) > 0
    decoded = generate(tmp_path, tmp_path / "save" / "checkpoint_last.pt", "texts", tasks="mt", batch_size=4, beam=2)
    rows = [int(line.split("\t")[0][2:]) for line in decoded.splitlines() if line.startswith("D-")]
    assert sorted(rows) == list(range(7))
