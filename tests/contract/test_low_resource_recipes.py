"""The six recipes of low-resource recognition at the paper's widths: what they tune, and that their flags build it."""

import json

import pytest
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="recipes run on the host")

from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig, open_dict

import fairseq_samu
from tests.contract.commands import dry_run
from tests.unit.models.test_samu_xlsr import XLSR_300M, count, tuned_groups

fairseq_samu.register()  # --user-dir does not, where another test imported the package before the host

ADAPT, BASE = "examples/low_resource_asr/paper/adapt.sh", "examples/low_resource_asr/paper/base.sh"
RECIPES = ("encoder", "decoder", "length", "text", "text-encoder", "pivot")
WIDTHS = (256, 2048)
DIM, ENCODER_LAYERS, DECODER_LAYERS = 1024, 24, 12
VOCABULARY = 32_000


def adapter_size(width: int) -> int:
    """Both projections with their biases."""
    return (DIM + 1) * width + (width + 1) * DIM


def configs_of(script: str, *arguments: str) -> list[DictConfig]:
    """Configurations that the host makes of the recipe's trainings, in their order."""
    trainings = [command[1:] for command in dry_run(script, *arguments) if command[0] == "fairseq-train"]
    parsed = [options.parse_args_and_arch(options.get_training_parser(), training) for training in trainings]
    return [convert_namespace_to_omegaconf(one) for one in parsed]


@pytest.fixture(scope="module")
def sizes() -> str:
    """Sizes of the base's text parts, which the recipes read from its checkpoint."""
    return configs_of(BASE)[0].model.text_config


def build(cfg: DictConfig, sizes: str):
    """Task, model and criterion; the files of weights are not here, their sizes are."""
    with open_dict(cfg):
        cfg.model.encoder_config, cfg.model.text_config = json.dumps(XLSR_300M), sizes
    task = tasks.setup_task(cfg.task, from_checkpoint=True)
    for number in range(len(task.target_dictionary), VOCABULARY):
        task.target_dictionary.add_symbol(str(number))
    with FakeTensorMode():
        model = task.build_model(cfg.model, from_checkpoint=True)
    return task, model, task.build_criterion(cfg.criterion)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_tunes_what_it_says(recipe, width, sizes, monkeypatch):
    monkeypatch.setenv("WIDTH", str(width))
    cfg = configs_of(ADAPT, recipe)[-1]
    _, model, criterion = build(cfg, sizes)
    groups = model.parameter_groups()
    tuned = {name: count(groups[name]) for name in tuned_groups(model)}
    one = adapter_size(width)
    length = {"length_adapter": count(groups["length_adapter"])} if recipe != "text" else {}
    assert (
        tuned
        == {
            "encoder": {"encoder_adapters.or": ENCODER_LAYERS * one},
            "decoder": {"decoder_adapters.or": DECODER_LAYERS * one},
            "text": {"decoder_adapters.or": DECODER_LAYERS * one},
            "text-encoder": {"encoder_adapters.or": ENCODER_LAYERS * one},
            "length": length,
            "pivot": length,
        }[recipe]
    )
    assert (model.encoder is None) == (recipe == "text")
    assert ("decoder_adapters.or" in groups) == (recipe in ("decoder", "text", "text-encoder"))
    assert criterion.tasks == (["mt"] if recipe == "text" else ["asr"])
    assert cfg.task.train_minutes == (0 if recipe == "text" else 300)


def test_widths_are_the_papers():
    """6.3 and 50.3 million in the twelve layers of the decoder; the encoder has twice as many layers here."""
    assert [DECODER_LAYERS * adapter_size(width) for width in WIDTHS] == [6_306_816, 50_368_512]


def test_a_recipe_begins_from_the_base_or_from_the_texts():
    def begun(recipe: str) -> dict[str, str]:
        return {cfg.checkpoint.save_dir.rpartition("/")[2]: cfg.model.text_path for cfg in configs_of(ADAPT, recipe)}

    (base,) = begun("encoder").values()
    assert base.endswith("low_resource_asr_base/base/checkpoint_last.pt")
    second = begun("text-encoder")
    assert list(second) == ["text-256", "text-encoder-256"]
    assert second["text-256"] == base and second["text-encoder-256"].endswith("or/text-256/full.pt")
    assert begun("pivot") == {"pivot-256": base}


def test_what_is_decoded_is_what_was_trained():
    for recipe in RECIPES:
        commands = dry_run(ADAPT, recipe)
        decoding = next(command for command in commands if command[0] == "fairseq-generate")
        expected = "text-256/full.pt" if recipe == "text" else f"{recipe}-256/checkpoint_best.pt"
        assert decoding[decoding.index("--path") + 1].endswith(f"low_resource_asr_or/{expected}")
        assert decoding[1].endswith("low_resource_asr_or/fleurs")
        scored = commands[-1]
        assert scored[:3] == ["fairseq-samu", "score", "asr"]
        assert scored[scored.index("--manifest") + 1] == f"{decoding[1]}/test.tsv"


def test_the_base_is_built_at_its_size(sizes):
    text, speech = configs_of(BASE)
    assert json.loads(sizes)["dim"] == DIM
    _, model, _ = build(speech, sizes)
    assert speech.model.text_path == f"{text.checkpoint.save_dir}/checkpoint_last.pt"
    assert set(tuned_groups(model)) == {*model.parameter_groups()} - {"feature_extractor"}
    assert model.encoder.num_layers == ENCODER_LAYERS and len(model.decoder.layers) == DECODER_LAYERS
