"""The flags of paper-size recipes build task, model and criterion, without the memory of the model."""

import itertools
import json
from pathlib import Path

import pytest
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="recipes run on the host")

from fairseq import optim, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig, open_dict

import fairseq_samu
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.models.tuning import mark_groups
from fairseq_samu.scoring.resource_groups import COVOST2_GROUPS, parse_groups
from tests.contract.commands import dry_run
from tests.unit.models.test_samu_xlsr import XLSR_300M, count, tuned_groups

fairseq_samu.register()  # --user-dir does not, where another test imported the package before the host

MBART50_TOKENS = 250_054
MULTITASK = "examples/multitask_st/paper/mustc.sh"
HUBERT_BASE = {
    "family": "wav2vec2", "extractor_norm": "group", "pre_norm": False, "conv_bias": False, "normalize": False,
    "dim": 768, "ffn_dim": 3072, "num_layers": 12, "num_heads": 12,
}  # fmt: skip
MULTITASK_HEARING = {
    "feature_extractor": 4_200_448, "encoder": 90_171_264, "projection": 393_728, "compressor": 3_153_408,
}  # fmt: skip
MULTITASK_TEXT = {
    "local_to_global": 4_780_032, "text_encoder": 18_915_328, "decoder_embedding": 5_645_312,
    "self_attention": 6_303_744, "cross_attention": 6_303_744, "feed_forward": 12_598_272, "layer_norms": 20_480,
}  # fmt: skip
EUROPARL = {"en", "fr", "de", "it", "es", "pt", "pl", "ro", "nl"}
MULTILINGUAL, ZERO_SHOT, EUROPARL_ST = (
    f"examples/samu_xlsr_mbart/paper/{name}.sh" for name in ("covost2_multilingual", "covost2_zero_shot", "europarl_st")
)
UNDERSTANDING = [f"examples/samu_slu/paper/{name}.sh" for name in ("media", "portmedia", "taric", "multilingual")]


def config_of(script: str) -> DictConfig:
    """Configuration that the host makes of the recipe's fairseq-train."""
    return next(iter(configs_of(script).values()))


def configs_of(script: str) -> dict[str, DictConfig]:
    """Configurations that the host makes of the recipe's trainings, by the folder above that of their checkpoints."""
    trainings = [command[1:] for command in dry_run(script) if command[0] == "fairseq-train"]
    parsed = [options.parse_args_and_arch(options.get_training_parser(), training) for training in trainings]
    return {Path(one.save_dir).parent.name: convert_namespace_to_omegaconf(one) for one in parsed}


def stage_of(script: str, *program: str) -> dict[str, str]:
    """Options of one of the recipe's commands; one without a value has what follows it."""
    command = next(command for command in dry_run(script) if command[: len(program)] == list(program))
    return {name: value for name, value in itertools.pairwise([*command, ""]) if name.startswith("--")}


def test_samu_xlsr_at_the_papers_size():
    cfg = config_of("examples/samu_xlsr/paper/run.sh")
    with open_dict(cfg):
        # the file of weights is not here; its sizes are
        cfg.model.encoder_config = json.dumps(XLSR_300M)
    task = tasks.setup_task(cfg.task, from_checkpoint=True)
    with FakeTensorMode():
        model = task.build_model(cfg.model, from_checkpoint=True)
    criterion = task.build_criterion(cfg.criterion)
    assert count(model.parameters()) == 316_226_945
    assert count(p for p in model.parameters() if p.requires_grad) == 316_226_945 - 4_210_176
    assert "encoder.feature_extractor" not in tuned_groups(model)
    assert criterion.kd_scale == 20
    assert cfg.task.sampling_alpha == 0.05
    assert Path(cfg.task.teacher_table).name == "teacher"


@pytest.mark.parametrize("script", [MULTILINGUAL, ZERO_SHOT, EUROPARL_ST], ids=lambda script: Path(script).stem)
def test_speech_translation_at_the_papers_size(script):
    cfg = config_of(script)
    with open_dict(cfg):
        # the files of weights are not here; their sizes are
        cfg.model.encoder_config = json.dumps(XLSR_300M)
        cfg.model.decoder_config = "{}"
    task = tasks.setup_task(cfg.task, from_checkpoint=True)
    for number in range(len(task.target_dictionary), MBART50_TOKENS):
        task.target_dictionary.add_symbol(str(number))
    with FakeTensorMode():
        model = task.build_model(cfg.model, from_checkpoint=True)
    criterion = task.build_criterion(cfg.criterion)
    groups = model.parameter_groups()
    tuned = {name: count(groups[name]) for name in tuned_groups(model)}
    assert tuned == {"encoder_adapters": 25_227_264, "cross_attention": 50_380_800, "layer_norms": 77_824}
    assert sum(tuned.values()) == 75_685_888
    assert count(model.parameters()) == 799_336_064
    masking = model.encoder.masking
    assert (masking.time_prob, masking.time_length, masking.channel_prob, masking.channel_length) == (0.3, 6, 0.5, 64)
    assert model.encoder.checkpoint_activations
    assert (criterion.label_smoothing, criterion.ce_weight, criterion.ctc_weight) == (0.3, 1.0, 0.0)


@pytest.mark.parametrize("script", [MULTILINGUAL, ZERO_SHOT, EUROPARL_ST], ids=lambda script: Path(script).stem)
def test_speech_translation_is_trained_and_decoded_as_in_the_paper(script):
    cfg = config_of(script)
    schedule = cfg.lr_scheduler
    assert (schedule.warmup_steps, schedule.hold_steps, schedule.decay_steps) == (2800, 11200, 14000)
    assert (cfg.optimization.max_update, list(cfg.optimization.lr), cfg.optimizer._name) == (28000, [0.0005], "adam")
    workers = cfg.distributed_training.distributed_world_size
    samples = cfg.dataset.max_tokens * workers * cfg.optimization.update_freq[0]
    assert (workers, samples / SAMPLE_RATE / 60) == (8, 10.0)
    assert cfg.common.fp16
    many = "many" if script == EUROPARL_ST else "one"
    assert Path(cfg.model.decoder_path).name == f"mbart-large-50-many-to-{many}-mmt"
    generation = stage_of(script, "fairseq-generate")
    assert (generation["--beam"], generation["--gen-subset"]) == ("5", "test")
    assert generation["--path"] == f"{cfg.checkpoint.save_dir}/checkpoint_best.pt"
    scoring = stage_of(script, "fairseq-samu", "score", "st")
    assert scoring["--generate"] == f"{generation['--results-path']}/generate-test.txt"


@pytest.mark.parametrize("script", [MULTILINGUAL, ZERO_SHOT], ids=lambda script: Path(script).stem)
def test_covost2_has_the_papers_21_languages(script):
    prepared = stage_of(script, "fairseq-samu", "prepare", "covost2")
    pairs = [pair.split("_") for pair in prepared["--pairs"].split(",")]
    languages = [canonical_language(source) for source, _ in pairs]
    assert languages == [language for group in COVOST2_GROUPS.values() for language in group]
    assert {target for _, target in pairs} == {"en"}
    trained = prepared.get("--train-languages", ",".join(map(str, languages))).split(",")
    assert trained == (list(COVOST2_GROUPS["high"]) if script == ZERO_SHOT else languages)


def test_europarl_st_is_trained_on_32_of_72_directions():
    prepared = stage_of(EUROPARL_ST, "fairseq-samu", "prepare", "europarl-st")
    groups = parse_groups(stage_of(EUROPARL_ST, "fairseq-samu", "score", "st")["--groups"])
    assert "--pairs" not in prepared  # all that there are
    assert prepared["--train-languages"].split(",") == ["fr", "de", "es", "it"] == list(groups["seen"])
    assert set(groups["seen"]) | set(groups["unseen"]) == EUROPARL
    assert (len(groups["seen"]) * 8, len(EUROPARL) * 8) == (32, 72)


@pytest.mark.parametrize("script", UNDERSTANDING, ids=lambda script: Path(script).stem)
def test_understanding_at_the_papers_size(script):
    """Every training tunes what its name says, by optimizers and a schedule that know all of its groups."""
    configs = configs_of(script)
    convolutions, tagging = 4_210_176, 67_158_016 + 2_098_176 + 1025 * 162
    sentence, encoder = 788_225, 315_438_720
    for name, cfg in configs.items():
        with open_dict(cfg):
            # files of weights and labels are not here; their sizes are
            cfg.model.encoder_config, cfg.model.num_labels = json.dumps(XLSR_300M), 162
        task = tasks.setup_task(cfg.task, from_checkpoint=True)
        with FakeTensorMode():
            model = task.build_model(cfg.model, from_checkpoint=True)
            mark_groups(model.parameter_groups())
            optimizer = optim.build_optimizer(cfg.optimizer, [p for p in model.parameters() if p.requires_grad])
            optim.lr_scheduler.build_lr_scheduler(cfg.lr_scheduler, optimizer)
        criterion = task.build_criterion(cfg.criterion)
        heads = {"specialised": sentence, "sequential": tagging}.get(name.removesuffix("-aeb"), sentence + tagging)
        assert count(model.parameters()) == encoder + sentence + tagging == 316_226_945 + tagging
        assert count(p for p in model.parameters() if p.requires_grad) == encoder - convolutions + heads
        assert (criterion.slu_weight > 0, criterion.semantic_weight > 0) == (heads != sentence, heads != tagging)
        rates = {group["group_name"]: (group["kind"], group["lr_scale"]) for group in optimizer.param_groups}
        assert {rates[group] for group in rates if group.startswith("encoder.")} == {("adam", 0.0001)}
        assert rates.get("slu_head.lstm") == (("adadelta", 1.0) if heads != sentence else None)
        assert (cfg.optimization.lr, cfg.lr_scheduler._name) == ([1.0], "newbob")


@pytest.mark.parametrize("script", UNDERSTANDING, ids=lambda script: Path(script).stem)
def test_understanding_one_after_the_other_goes_on_from_what_was_distilled(script):
    configs = configs_of(script)
    home = Path(configs["dual"].checkpoint.save_dir).parents[1]
    assert [name for name in configs if not name.endswith("-aeb")] == ["dual", "specialised", "sequential"]
    encoders = {name: Path(cfg.model.encoder_path) for name, cfg in configs.items()}
    assert encoders["dual"] == encoders["specialised"]
    assert encoders["sequential"] == home / "specialised" / "model" / "checkpoint_best.pt"
    assert all(1 <= cfg.criterion.slu_weight <= 20 for name, cfg in configs.items() if name != "specialised")
    languages = {"media": "fr", "portmedia": "it", "taric": "aeb", "multilingual": "fr,it"}
    for name, cfg in configs.items():
        tuned_on = "aeb" if name.endswith("-aeb") else languages[Path(script).stem]
        assert cfg.task.languages == tuned_on
        if name.endswith("-aeb"):
            before = str(home / name.removesuffix("-aeb") / "model" / "checkpoint_best.pt")
            assert cfg.model.slu_checkpoint == cfg.model.encoder_path == before
    generation, scoring = (stage_of(script, *program) for program in (["fairseq-generate"], ["fairseq-samu", "score"]))
    assert scoring["--generate"] == f"{generation['--results-path']}/generate-test.txt"


@pytest.mark.parametrize("target", ["de", "es", "fr", "it", "nl", "pt", "ro", "ru"])
def test_multitask_translation_trains_text_first(target):
    commands = dry_run(MULTITASK, target)
    assert [command[0] for command in commands if command[0].startswith("fairseq")] == [
        *("fairseq-samu", "fairseq-samu", "fairseq-train", "fairseq-train", "fairseq-generate", "fairseq-samu")
    ]
    prepared, text, speech = commands[0], *(command for command in commands if command[0] == "fairseq-train")
    assert prepared[prepared.index("--target") + 1] == target
    assert text[text.index("--vocabulary-languages") + 1] == f"en,{target}"
    saved = text[text.index("--save-dir") + 1]
    assert speech[speech.index("--text-path") + 1] == f"{saved}/checkpoint_best.pt"


def test_multitask_translation_at_the_papers_size():
    """HuBERT base, 6 + 6 layers of 512; every group is trained but the convolutions."""
    text, speech = multitask_configs()
    sizes = {}
    for name, cfg in (("mt", text), ("st", speech)):
        task = tasks.setup_task(cfg.task, from_checkpoint=True)
        for number in range(len(task.target_dictionary), 10_000):
            task.target_dictionary.add_symbol(str(number))
        with FakeTensorMode():
            model = task.build_model(cfg.model, from_checkpoint=True)
        groups = model.parameter_groups()
        sizes[name] = {group: count(groups[group]) for group in groups}
        assert set(tuned_groups(model)) == set(groups) - {"feature_extractor"}
        criterion = task.build_criterion(cfg.criterion)
        assert (criterion.terms.label_smoothing, cfg.model.text_dropout) == (0.2, 0.1)
    hearing = {name: sizes["st"].pop(name) for name in ("feature_extractor", "encoder", "projection", "compressor")}
    assert hearing == MULTITASK_HEARING
    assert sizes["st"] == sizes["mt"] == MULTITASK_TEXT
    assert sum(hearing.values()) + sum(MULTITASK_TEXT.values()) == 152_485_760
    terms = criterion.terms
    assert (terms.auxiliary_share, terms.st_start_update, terms.asr_ce_weight) == (0.3, 3000, 0.0)
    assert (terms.alignment.weight, terms.alignment.gold, terms.alignment.step) == (1.0, 1.0, 5000)
    balance = criterion.balance.options
    assert (balance.mode, balance.weight_interval, balance.drop_below) == ("task_norm", 5000, 0.1)
    assert balance.last_updates == {"asr": 20000, "mt": 30000}


def test_multitask_translation_is_trained_and_decoded_as_released():
    text, speech = multitask_configs()
    schedule = speech.lr_scheduler
    assert (schedule._name, schedule.warmup_updates, schedule.warmup_init_lr) == ("inverse_sqrt", 5000, 1e-7)
    optimization = speech.optimization
    assert (list(optimization.lr), optimization.max_update, optimization.clip_norm) == ([0.0003], 30000, 10)
    workers = speech.distributed_training.distributed_world_size
    frames = speech.dataset.max_tokens * 100 // SAMPLE_RATE  # of 10 ms
    assert (workers, frames, list(optimization.update_freq)) == (8, 15000, [3])
    # the default refuses an encoder that rests and several passes in one update
    assert text.distributed_training.ddp_backend == speech.distributed_training.ddp_backend == "legacy_ddp"
    model = speech.model
    assert model.encoder_freeze_updates == model.compressor_start_update == 3000
    assert (str(model.compressor), str(model.compressor_lookback), str(model.compressor_blanks)) == (
        *("first", "segment", "keep"),
    )
    assert (model.l2g_kernel, model.l2g_step, speech.task.source_noise_prob) == (5, 3, 0.1)
    assert (speech.task.tasks, speech.task.joint_tasks) == ("st,asr,mt", True)
    pieces, generation = (
        stage_of(MULTITASK, "fairseq-samu", "prepare", "sentencepiece"),
        stage_of(MULTITASK, "fairseq-generate"),
    )
    assert (pieces["--size"], pieces["--columns"]) == ("10000", "src_text,tgt_text")
    assert (generation["--beam"], generation["--lenpen"], generation["--gen-subset"]) == ("8", "1.2", "test")
    averaging = next(command for command in dry_run(MULTITASK) if command[1:2] and command[1].endswith("average.py"))
    assert averaging[averaging.index("--last") + 1] == "5" and averaging[-1] == generation["--path"]
    assert averaging[averaging.index("--folder") + 1] == speech.checkpoint.save_dir
    assert text.checkpoint.save_dir != speech.checkpoint.save_dir


def multitask_configs() -> list[DictConfig]:
    """Configurations of both trainings; the files of weights are not here, their sizes are."""
    trainings = [command[1:] for command in dry_run(MULTITASK) if command[0] == "fairseq-train"]
    parsed = [options.parse_args_and_arch(options.get_training_parser(), training) for training in trainings]
    configs = [convert_namespace_to_omegaconf(one) for one in parsed]
    with open_dict(configs[1]):
        configs[1].model.encoder_config = json.dumps(HUBERT_BASE)
        configs[1].model.text_config = configs[0].model.text_config
    return configs
