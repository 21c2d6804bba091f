"""The peer: SpeechBrain's wav2vec 2.0 wrapper, LSTM, linear layers, CTC loss and CTC decoders.

Runs in an environment of its own. SpeechBrain imports torchaudio wherever it is imported, and the wheel of torchaudio
does not load beside a torch without CUDA; none of the parts here uses it, so an empty module stands in for it while
they are imported.
"""

import importlib.machinery
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.understanding.sizes import BEAM, BLANK, Sizes
from benchmarks.understanding.system import System
from benchmarks.understanding.work import Batch


@contextmanager
def _without_torchaudio() -> Iterator[None]:
    stand_in = types.ModuleType("torchaudio")
    stand_in.__version__ = "2.11.0"  # type: ignore[attr-defined]
    stand_in.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = stand_in
    try:
        yield
    finally:
        del sys.modules["torchaudio"]


with _without_torchaudio():
    from speechbrain.decoders.ctc import CTCPrefixBeamSearcher, ctc_greedy_decode
    from speechbrain.integrations.huggingface.wav2vec2 import Wav2Vec2
    from speechbrain.nnet.activations import Softmax
    from speechbrain.nnet.containers import LengthsCapableSequential, Sequential
    from speechbrain.nnet.linear import Linear
    from speechbrain.nnet.losses import ctc_loss
    from speechbrain.nnet.RNN import LSTM

FIRST_SYMBOL = 0x4E00  # a label is written as one character, since the searcher writes text


class SpeechBrainPeer(System):
    """SpeechBrain's parts, put together as its recipe MEDIA/SLU/CTC does, with the paper's head in the recipe's place.

    Args:
        sizes: of the model.
        folder: the common weights.
        freeze: keep the whole encoder frozen; otherwise the convolutions alone.
        prune: have beam search leave out what is improbable, as SpeechBrain's defaults do.
        lengths: have the LSTM end at each row's length (a packed sequence). Without, it reads padding as if it were
            speech, as the plain ``Sequential`` of most recipes does: faster, and another function.
    """

    def __init__(
        self, sizes: Sizes, folder: Path, freeze: bool = False, lengths: bool = True, prune: bool = True
    ) -> None:
        with tempfile.TemporaryDirectory() as cache:
            self.encoder = Wav2Vec2(
                str(folder / "encoder"), cache, output_norm=False, freeze=freeze, freeze_feature_extractor=True
            )
        container = LengthsCapableSequential if lengths else Sequential
        shape = [None, None, sizes.encoder["dim"]]
        self.head = container(input_shape=shape)
        dim, layers = sizes.lstm_dim, sizes.num_lstm_layers
        self.head.append(LSTM, hidden_size=dim, num_layers=layers, bidirectional=True, layer_name="lstm")
        self.head.append(Linear, n_neurons=dim, layer_name="hidden")
        self.head.append(nn.LeakyReLU(), layer_name="activation")
        self.head.append(Linear, n_neurons=sizes.labels, layer_name="output")
        self.log_softmax = Softmax(apply_log=True)
        self.takes_lengths = lengths
        _load_head(self.head, load_file(folder / "state.safetensors"))
        self.model = nn.ModuleList([self.encoder, self.head])
        optimizers = [] if freeze else [torch.optim.Adam(self._tuned(self.encoder), lr=0.0)]
        self.optimizer = _Both([*optimizers, torch.optim.Adadelta(self._tuned(self.head), lr=0.0, rho=0.95, eps=1e-8)])
        symbols = ["", *(chr(FIRST_SYMBOL + label) for label in range(1, sizes.labels))]
        limits = {} if prune else {"beam_prune_logp": -1e4, "token_prune_min_logp": -1e4}
        self.searcher = CTCPrefixBeamSearcher(BLANK, symbols, beam_size=BEAM, prune_history=False, **limits)

    def train(self) -> None:
        """Switch to training; the frozen convolutions stay as the wrapper's constructor leaves them.

        Otherwise they make gradients of the wave, which nobody wants, and which SpeechBrain's own trainer does.
        """
        self.model.train()
        self.encoder.model.feature_extractor.eval()

    def loss(self, batch: Batch) -> Tensor:
        """CTC by SpeechBrain's loss and its mean reduction."""
        shares = batch.label_lengths / batch.labels.size(1)
        return ctc_loss(self._log_probs(batch), batch.labels, batch.shares, shares, BLANK)

    @torch.no_grad()
    def log_probs(self, batch: Batch) -> Tensor:
        """Log-probabilities of the labels."""
        return self._log_probs(batch)

    def greedy(self, batch: Batch) -> list[list[int]]:
        """Best path by SpeechBrain's decoder."""
        return ctc_greedy_decode(self.log_probs(batch), batch.shares, BLANK)

    def search(self, batch: Batch, log_probs: Tensor) -> list[list[int]]:
        """Prefix beam search by SpeechBrain."""
        found = self.searcher(log_probs, batch.shares)
        return [[ord(symbol) - FIRST_SYMBOL for symbol in row[0].text] for row in found]

    def tagging_parameters(self) -> list[nn.Parameter]:
        """Parameters of the whole model, which has no other head."""
        return list(self.model.parameters())

    def _log_probs(self, batch: Batch) -> Tensor:
        frames = self.encoder(batch.wave, batch.shares)
        logits = self.head(frames, lengths=batch.shares) if self.takes_lengths else self.head(frames)
        return self.log_softmax(logits)

    @staticmethod
    def _tuned(module: nn.Module) -> list[nn.Parameter]:
        return [parameter for parameter in module.parameters() if parameter.requires_grad]


class _Both:
    """The recipe's two optimizers as one."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()


def _load_head(head: nn.Module, state: dict[str, Tensor]) -> None:
    renamed = {"slu_head.lstm.": "lstm.rnn.", "slu_head.hidden.": "hidden.w.", "slu_head.output.": "output.w."}
    found = {
        theirs + name.removeprefix(ours): tensor
        for name, tensor in state.items()
        for ours, theirs in renamed.items()
        if name.startswith(ours)
    }
    head.load_state_dict(found)
