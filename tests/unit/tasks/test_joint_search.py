"""CTC and language models beside the decoder in a search: what they change, and what is refused."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="the task stands on the host")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq.dataclass.configs import GenerationConfig

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.joint_search_view import JointSearchView
from fairseq_samu.tasks._joint_search import build_views, require_own_tokens
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig, validate
from fairseq_samu.tasks._search import validate_search
from fairseq_samu.tasks.multitask_st import MultitaskStTask
from tests.unit.tasks.test_search import batch
from tests.unit.tiny_translator import TinyTranslator, make_translator


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyTranslator:
    made = make_translator(tmp_path_factory.mktemp("tiny"), ctc_head=True)
    torch.nn.init.normal_(made.model.ctc_head.weight, std=1.0)  # type: ignore[union-attr]
    return made


def search(tiny: TinyTranslator, options: dict, **task_options: object) -> list[list[int]]:
    task = MultitaskStTask(MultitaskStConfig(tasks="asr", bf16=False, **task_options))  # type: ignore[arg-type]
    task.load_state_dict({"vocabulary": tiny.vocabulary.state_dict()})
    extra = {"lm_model": options.pop("lm_model", None), "lm_weight": options.pop("lm_weight", 0.0)}
    config = GenerationConfig(max_len_b=8, **options)
    generator = task.build_generator([tiny.model], config, extra_gen_cls_kwargs=extra)
    found = task.inference_step(generator, [tiny.model], batch(task.vocabulary))
    return [hypotheses[0]["tokens"].tolist() for hypotheses in found]


@pytest.mark.parametrize("beam", [1, 4])
def test_the_weight_of_ctc_decides(tiny: TinyTranslator, beam: int) -> None:
    alone = search(tiny, {"beam": beam})
    joint = search(tiny, {"beam": beam}, ctc_decoding_weight=0.5)
    tags = [tokens[0] for tokens in alone]
    assert [tokens[0] for tokens in joint] == tags
    assert joint != alone
    assert search(tiny, {"beam": beam}, ctc_decoding_weight=0.0) == alone
    assert not any(
        isinstance(view, JointSearchView) for view in build_views(MultitaskStConfig(), [tiny.model], tiny.vocabulary)
    )


class Unigrams(torch.nn.Module):
    """A language model of the host's kind that knows one token to be probable, wherever it is."""

    def __init__(self, tokens: list[str], favourite: int) -> None:
        super().__init__()
        self.decoder = SimpleNamespace(dictionary=SimpleNamespace(symbols=tokens))
        self.favourite = favourite

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, len(self.decoder.dictionary.symbols))
        logits[:, :, self.favourite] = 9.0
        return logits

    def get_normalized_probs(self, net_output: torch.Tensor, log_probs: bool, sample: object) -> torch.Tensor:
        return net_output.log_softmax(-1)


@pytest.mark.parametrize("ctc", [0.0, 0.4])
def test_a_language_model_takes_part_beside_ctc(tiny: TinyTranslator, ctc: float) -> None:
    model = Unigrams(tiny.vocabulary.tokens, 50)
    without = search(tiny, {"beam": 2}, ctc_decoding_weight=ctc)
    silent = search(tiny, {"beam": 2, "lm_model": model, "lm_weight": 0.0}, ctc_decoding_weight=ctc)
    loud = search(tiny, {"beam": 2, "lm_model": model, "lm_weight": 30.0}, ctc_decoding_weight=ctc)
    assert silent == without != loud
    assert all(set(tokens[1:-1]) == {50} for tokens in loud)


def test_a_language_model_of_other_tokens_is_refused(tiny: TinyTranslator) -> None:
    tokens = tiny.vocabulary.tokens
    require_own_tokens(None, tiny.vocabulary)
    require_own_tokens(Unigrams(tokens, 5), tiny.vocabulary)
    others = {"of another vocabulary": [*tokens[:-2], tokens[-1], tokens[-2]], "trimmed for": [*tokens, "more"]}
    for reason, symbols in others.items():
        with pytest.raises(ConfigError, match=reason):
            require_own_tokens(Unigrams(symbols, 5), tiny.vocabulary)


def fake(**changed: object) -> SimpleNamespace:
    return SimpleNamespace(**{"encoder": 1, "decoder": 1, "has_ctc": True, "adapter_names": [], **changed})


@pytest.mark.parametrize(
    ("models", "task", "options", "faults"),
    [
        ([fake()], {"tasks": "st"}, {}, ["`ctc_decoding_weight` must be 0 but for transcripts"]),
        ([fake(has_ctc=False)], {}, {}, ["`ctc_decoding_weight` must be 0 without both"]),
        ([fake(decoder=None)], {}, {}, ["`ctc_decoding_weight` must be 0 without both"]),
        ([fake()], {"ctc_decoding": True}, {}, ["0 where CTC decodes alone"]),
        ([fake(), fake()], {}, {}, ["one model where CTC has a weight"]),
        ([fake()], {}, {"score_reference": True, "sampling": True}, ["--score-reference out", "--sampling out"]),
    ],
)
def test_what_keeps_ctc_out_is_named(models: list, task: dict, options: dict, faults: list[str]) -> None:
    cfg = MultitaskStConfig(**{"tasks": "asr", "ctc_decoding_weight": 0.3, **task})
    with pytest.raises(ConfigError) as caught:
        validate_search(cfg, GenerationConfig(**options), models, has_texts=True)
    for fault in faults:
        assert fault in str(caught.value)
    validate_search(MultitaskStConfig(tasks="asr", ctc_decoding_weight=0.3), GenerationConfig(), [fake()], True)


def test_a_language_model_needs_the_decoder() -> None:
    with pytest.raises(ConfigError, match="`lm_path` must be left out where CTC decodes"):
        validate_search(MultitaskStConfig(tasks="asr"), GenerationConfig(lm_path="lm.pt"), [fake(decoder=None)], True)


@pytest.mark.parametrize("weight", [-0.1, 1.5])
def test_a_weight_is_a_share(weight: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`ctc_decoding_weight` must be from 0 to 1"):
        validate(MultitaskStConfig(data=str(tmp_path), ctc_decoding_weight=weight))
