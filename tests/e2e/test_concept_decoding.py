"""Words and concepts by the real `fairseq-generate`: best path, beam, language model, times, and from Python."""

import json
import re
from pathlib import Path

import pytest

from fairseq_samu import ConceptTagger
from fairseq_samu.concepts import extract_concepts
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.models.ctc_search import CtcSearch
from tests.e2e.dual_slu import annotate, make_talkative
from tests.e2e.training import PROMPTS, make_corpus, run, train_command
from tests.e2e.translation import generate

ROWS = 7
SIZES = {"lstm_dim": 16, "num_lstm_layers": 1, "slu_hidden_dim": 16, "max_update": 2}
ARPA = """\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-2\t<unk>
-99\t<s>\t-0.5
-1\t</s>
-0.3\t_\t-0.2
-0.4\t>\t-0.1

\\2-grams:
-0.1\t<s> >

\\end\\
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data folder, and a checkpoint of a run of two updates whose tagging head was made to write something."""
    folder = tmp_path_factory.mktemp("concepts")
    corpus = make_corpus(folder, {"train": 8, "valid": ROWS})
    texts = [text for split in ("train", "valid") for text in annotate(folder / f"{split}.tsv")]
    ConceptVocabulary.from_texts(texts).save(folder / "labels.txt")
    save_dir = folder / "checkpoints"
    run(train_command(corpus, save_dir, task="dual_slu", arch="samu_slu", criterion="dual_slu", **SIZES))
    make_talkative(save_dir / "checkpoint_last.pt")
    return folder, save_dir / "checkpoint_last.pt"


def decode(trained, **options):
    """Texts of each row, best first, of a run in batches of three rows."""
    folder, checkpoint = trained
    output = generate(folder, checkpoint, "valid", task="dual_slu", batch_size=3, max_len_b=200, **options)
    found: dict[int, list[str]] = {}
    for row, text in re.findall(r"^D-(\d+)\t[^\t\n]*\t(.*)$", output, re.MULTILINE):
        found.setdefault(int(row), []).append(text)
    assert sorted(found) == list(range(ROWS))
    return found


def tag(trained, search):
    folder, checkpoint = trained
    manifest = read_manifest(folder / "valid.tsv")
    tagger = ConceptTagger.load(checkpoint, root=PROMPTS, search=search)
    return tagger.tag([row.audio for row in manifest])


def read_spans(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("beam", [1, 4])
def test_texts_and_times_agree(trained, tmp_path, beam):
    path = tmp_path / "spans.jsonl"
    texts = decode(trained, beam=beam, spans_output=path)
    manifest = read_manifest(trained[0] / "valid.tsv")
    lines = read_spans(path)
    assert [line["row"] for line in lines] == list(range(ROWS))
    assert any(line["concepts"] for line in lines)
    for line, utterance in zip(lines, tag(trained, CtcSearch(beam=beam)), strict=True):
        row = manifest[line["row"]]
        assert line["id"] == row.id
        assert [line["text"]] == texts[line["row"]] == [utterance.text]
        found = [(one.name, one.value) for one in extract_concepts(line["text"])]
        assert [(span["concept"], span["value"]) for span in line["concepts"]] == found
        assert line["concepts"] == [span.as_json() for span in utterance.concepts]
        assert all(0 <= span["start"] < span["end"] <= row.n_frames / 16000 + 1e-3 for span in line["concepts"])


@pytest.mark.slow
def test_several_hypotheses_and_a_language_model(trained, tmp_path):
    (tmp_path / "lm.arpa").write_text(ARPA, encoding="utf-8")
    several = decode(trained, beam=6, nbest=3)
    assert all(len(set(texts)) == len(texts) == 3 for texts in several.values())
    model = {"ngram_model": str(tmp_path / "lm.arpa"), "ngram_weight": 2.0}
    with_model = decode(trained, beam=6, label_bonus=0.5, **model)
    assert [texts[0] for texts in with_model.values()] != [texts[0] for texts in several.values()]
    search = CtcSearch(beam=6, label_bonus=0.5, **model)
    assert [with_model[row][0] for row in range(ROWS)] == [one.text for one in tag(trained, search)]
