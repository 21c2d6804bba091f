"""What decoding by CTC refuses, and what options make of it."""

from argparse import Namespace

import pytest

pytest.importorskip("fairseq", reason="the options are the host's")

from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import ConfigError
from fairseq_samu.models.ctc_search import BeamCtcGenerator, GreedyCtcGenerator
from fairseq_samu.tasks._ctc_search import build_ctc_generator
from fairseq_samu.tasks._ctc_search_options import CtcSearchOptions

VOCABULARY = ConceptVocabulary.from_texts(["<n> a >"])


def build(args=None, models=("one",), **options):
    host = {"beam": 5, "nbest": 1, "prefix_size": 0, "lm_path": None, "sampling": False, **(args or {})}
    return build_ctc_generator(CtcSearchOptions(**options), Namespace(**host), models, VOCABULARY)


def test_a_beam_of_one_takes_the_best_path():
    assert isinstance(build({"beam": 1}), GreedyCtcGenerator)


def test_options_of_host_and_task_reach_the_search():
    generator = build({"beam": 7, "nbest": 3}, labels_per_frame=4, label_bonus=0.5)
    assert isinstance(generator, BeamCtcGenerator)
    assert generator.nbest == 3
    options = generator.options
    assert (options.beam, options.labels_per_frame, options.label_bonus) == (7, 4, 0.5)
    assert options.forbidden == (VOCABULARY.pad, VOCABULARY.eos)
    assert options.model is None


def test_all_that_cannot_work_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        build(
            {"beam": 2, "nbest": 3, "sampling": True, "lm_path": "lm.pt"},
            models=("one", "two"),
            ngram_model="nowhere.arpa",
            ngram_weight=-1.0,
            labels_per_frame=-1,
            spans_output="nowhere/spans.jsonl",
        )
    lines = str(caught.value).split("\n")
    names = ["ngram_model", "ngram_weight", "labels_per_frame", "spans_output", "path", "nbest", "sampling", "lm_path"]
    assert len(lines) == len(names)
    assert all(f"`{name}`" in line for name, line in zip(names, lines, strict=True))


def test_a_beam_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="`beam` must be 1 or more"):
        build({"beam": 0})


def test_a_head_that_never_learnt_to_tag_is_not_asked():
    with pytest.raises(ConfigError, match="`path` must be a model that learnt to tag"):
        build(models=(Namespace(slu_rests=True),))


def test_spans_do_not_take_the_place_of_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="`spans_output` must be a file"):
        build(spans_output=str(tmp_path))
