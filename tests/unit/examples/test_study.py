"""Figures of the study: who is seen, means over seeds and directions, paired differences, verdicts."""

import pytest

from fairseq_samu.errors import SamuError

pytest.importorskip("sacrebleu")

HEADER = "id\taudio\tn_frames\tsrc_text\tsrc_lang\ttgt_text\ttgt_lang"
ENGLISH = [f"The fish number {count} swims in the deep blue sea tonight" for count in range(12)]


def wrong(text: str) -> str:
    return text.replace("swims", "sits").replace("blue", "old").replace("tonight", "again")


@pytest.fixture
def output(tmp_path):
    """Results of two encoders on two languages: the semantic one right on both, the plain one on what it has seen."""
    rows = [f"{i}\ta.zip:{i}:1\t160\tx\t{'cs' if i < 6 else 'nl'}\t{text}\ten" for i, text in enumerate(ENGLISH)]
    (tmp_path / "test.tsv").write_text("\n".join([HEADER, *rows]) + "\n")
    for encoder in ("samu", "plain"):
        for trained in ("cs", "nl"):
            for seed in (1, 2):
                folder = tmp_path / f"st/{encoder}-{trained}-{seed}-adapters"
                folder.mkdir(parents=True)
                (folder / "seconds").write_text("90\n")
                texts = [
                    text if encoder == "samu" or (i < 6) == (trained == "cs") else wrong(text)
                    for i, text in enumerate(ENGLISH)
                ]
                # the host writes rows in the order of its batches
                lines = [f"D-{i}\t-0.5\t{texts[i]}" for i in reversed(range(12))]
                (folder / "test.out").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def scores(recipe, output):
    study = recipe("study")
    return list(study.read_scores(output / "st", study.TestSet.read(output / "test.tsv")))


def test_runs_are_read_by_their_names(recipe, scores):
    study = recipe("study")
    assert len(scores) == 2 * 2 * 2 * 2
    assert {score.arm for score in scores} == {study.Arm("samu", "adapters"), study.Arm("plain", "adapters")}
    assert {(score.trained, score.tested, score.test) for score in scores} == {
        ("cs", "cs", "seen"),
        ("cs", "nl", "unseen"),
        ("nl", "nl", "seen"),
        ("nl", "cs", "unseen"),
    }


def test_means_are_over_seeds_and_languages(recipe, scores):
    study = recipe("study")
    plain = study.Arm("plain", "adapters")
    assert study.mean(study.pick(scores, plain, "seen"), "chrf").score == pytest.approx(100)
    unseen = study.pick(scores, plain, "unseen")
    figure = study.mean(unseen, "chrf")
    by_language = {score.tested: score.figures["chrf"].score for score in unseen}
    assert figure.score == pytest.approx(sum(by_language.values()) / 2)
    low, high = figure.interval()
    assert low <= figure.score <= high < 100


def test_contrasts_are_paired(recipe, scores):
    study = recipe("study")
    samu, plain = study.Arm("samu", "adapters"), study.Arm("plain", "adapters")
    compared, runs = study.contrast(scores, samu, plain, "unseen", "chrf")
    assert runs == 4
    assert compared.delta > 0 and compared.interval[0] > 0 and compared.p_value < 0.01
    compared, _ = study.contrast(scores, samu, plain, "seen", "chrf")
    assert (compared.delta, compared.interval) == (0, (0, 0))
    assert study.contrast(scores, samu, study.Arm("ctc", "adapters"), "seen", "chrf") is None


def test_only_runs_of_both_arms_are_compared(recipe, scores):
    study = recipe("study")
    samu, plain = study.Arm("samu", "adapters"), study.Arm("plain", "adapters")
    fewer = [score for score in scores if score.arm == samu or (score.trained, score.seed) == ("nl", 2)]
    compared, runs = study.contrast(fewer, samu, plain, "unseen", "chrf")
    assert runs == 1
    alone = study.mean(study.pick(scores, plain, "unseen", {("nl", 2)}), "chrf")
    assert compared.delta == pytest.approx(100 - alone.score)


def test_tables_say_what_is_not_shown(recipe, output, scores, monkeypatch, capsys):
    tables = recipe("study_tables")
    words = ["study_tables.py", "--output", str(output), "--manifest", str(output / "test.tsv")]
    monkeypatch.setattr("sys.argv", words)
    tables.main()
    printed = capsys.readouterr().out
    claims = {
        line.split(" | ")[2]: line.split(" | ")[7].removesuffix(" |")
        for line in printed.split("\n")
        if "semantic against" in line
    }
    assert claims == {"seen": "not shown", "unseen": "shown"}
    assert "| transcripts, not translated | 0.0 [0.0, 0.0] |" in printed
    assert "| SAMU-distilled | adapters | 4 | 100.0 [100.0, 100.0] |" in printed
    assert "chrf: `nrefs:1" in printed
    assert printed.count(" 90 s |") == 8


def test_a_decoder_is_taken_over(recipe):
    import torch

    taken = recipe("tuned_decoder").replace_decoder
    model = {"encoder.x": torch.zeros(2), "decoder.x": torch.zeros(2)}
    tuned = {"encoder.y": torch.ones(3), "decoder.x": torch.ones(2, dtype=torch.bfloat16)}
    replaced = taken(model, tuned)
    assert replaced["decoder.x"].tolist() == [1, 1] and replaced["decoder.x"].dtype == torch.float32
    assert set(replaced) == set(model) and replaced["encoder.x"].tolist() == [0, 0]
    names = ["decoder.embed_tokens.weight", "decoder.output_projection.weight"]
    replaced = taken(dict.fromkeys(names, torch.zeros(2)), {names[0]: torch.ones(2)})
    assert all(replaced[name].tolist() == [1, 1] for name in names), "one matrix under two names"
    for other in ({"encoder.y": torch.ones(3)}, {"decoder.x": torch.ones(3)}, {"decoder.z": torch.ones(2)}):
        with pytest.raises(SystemExit, match="another one"):
            taken(model, other)


def test_manifests_of_one_language(recipe):
    lines = [HEADER, "1\ta\t1\tx\tcs\ty\ten", "2\ta\t1\tcs\tnl\ty\ten", ""]
    assert recipe("rows_of_languages").keep_language(lines, "cs") == lines[:2]
    assert recipe("rows_of_languages").keep_language(lines, "nl") == [lines[0], lines[2]]


def test_likelihoods_are_means_over_tokens(recipe, output):
    study = recipe("study")
    test_set = study.TestSet.read(output / "test.tsv")
    lines = [f"P-{row}\t" + " ".join(["-1.0"] * (row + 1) if row < 6 else ["-3.0", "-5.0"]) for row in range(12)]
    (output / "ref.out").write_text("\n".join(reversed(lines)) + "\n")
    figures = study.read_likelihoods(output / "ref.out", test_set)
    assert figures["cs"].score == pytest.approx(-1)
    assert figures["nl"].score == pytest.approx(-4)
    assert figures["cs"].interval() == pytest.approx((-1, -1))
    (output / "ref.out").write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(SamuError, match="without row 0"):
        study.read_likelihoods(output / "ref.out", test_set)
