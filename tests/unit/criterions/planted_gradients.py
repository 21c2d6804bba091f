"""Tasks whose gradients are planted, and updates of a balance with them."""

import math

import torch

from fairseq_samu.criterions.task_balance import BalanceOptions

ENDLESS = {"asr": 0, "mt": 0}


def options(**changed):
    defaults = {"mode": "task_norm", "measure_interval": 2, "weight_interval": 4, "last_updates": ENDLESS}
    return BalanceOptions(**defaults | changed)


class Vectors:
    """Gradients of given values: each module has one probe, and a task's loss is the product with its vector."""

    def __init__(self, **vectors):
        self.vectors = vectors
        modules = ("acoustic_encoder", "textual_encoder", "decoder")
        self.parameters = {module: torch.nn.Parameter(torch.zeros(2)) for module in modules}
        self.probes = {module: [(0, parameter)] for module, parameter in self.parameters.items()}

    def loss(self, task):
        terms = [
            (torch.tensor(vector) * self.parameters[module]).sum() for module, vector in self.vectors[task].items()
        ]
        return sum(terms)


def run(balance, first, last, source, size=1):
    found = []
    for update in range(first, last + 1):
        balance.begin_update(update)
        for task in source.vectors:
            balance.add(task, source.loss(task), size, source.probes)
        found += balance.finish_update(None)
    return found


def norms(asr=0.5, mt_textual=0.25, mt_decoder=0.36):
    return Vectors(
        st={"acoustic_encoder": [2.0, 0.0], "textual_encoder": [0.0, 4.0], "decoder": [1.0, 0.0]},
        asr={"acoustic_encoder": [2.0 * asr, 0.0]},
        mt={"textual_encoder": [0.0, 4.0 * mt_textual], "decoder": [mt_decoder, 0.0]},
    )


def cosines(asr, mt_textual, mt_decoder):
    def at(cosine):
        return [3 * cosine, 3 * math.sqrt(1 - cosine**2)]

    main = [2.0, 0.0]
    return Vectors(
        st={"acoustic_encoder": main, "textual_encoder": main, "decoder": main},
        asr={"acoustic_encoder": at(asr)},
        mt={"textual_encoder": at(mt_textual), "decoder": at(mt_decoder)},
    )
