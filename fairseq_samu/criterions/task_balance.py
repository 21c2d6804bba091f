"""Weights of auxiliary tasks that follow how their gradients agree with the main task's."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from fairseq_samu.criterions.balance_options import EXPONENTS, MODULES, BalanceOptions, find_balance_faults
from fairseq_samu.criterions.consistency_log import ConsistencyLog, Measurement
from fairseq_samu.criterions.gradient_sums import AllReduce, Comparison, GradientSums, Probes
from fairseq_samu.criterions.measuring_time import Stopwatch
from fairseq_samu.errors import ConfigError, report_all
from fairseq_samu.ops.consistency import decay_by_consistency, decay_by_norms, mean_of, ratio_of

__all__ = ["BalanceOptions", "Measurement", "TaskBalance", "find_balance_faults"]


class TaskBalance:
    """Measures, every so many updates, each task's gradient beside the main task's, and weights the tasks by it.

    Source: the task-norm weight decay of arXiv:2311.03810, and its measure of consistency (cosines of gradients, mean
    over layers) as a second mode. What is measured is the gradient of the task's mean loss over the whole update,
    alone and before its weight, and is the same for every order of the tasks, for every --update-freq and for every
    number of workers; the released code measures what had been summed up in ``.grad`` so far.

    An update is: :meth:`begin_update` before every batch, :meth:`add` for every task in it, and :meth:`finish_update`
    once; :meth:`discard` where it begins anew. A task is dropped where its weight falls under ``drop_below`` and after
    its last update, and stays dropped. The ratio of norms needs the main task: where a module has nothing to compare,
    it says nothing about a weight.

    Args:
        options: see there.
        main: name of the main task, whose weight is 1.
        log_path: file for one JSON line a measurement; None writes nothing (all workers but the first).

    Raises:
        ConfigError: an option cannot work.
    """

    def __init__(self, options: BalanceOptions, main: str = "st", log_path: str | None = None) -> None:
        faults = find_balance_faults(options, "task balance")
        if faults:
            raise ConfigError(report_all(faults))
        self.options = options
        self.main = main
        self.due = False
        self._log = ConsistencyLog(log_path) if log_path else None
        self._has_begun = False
        self._finished = 0  # number of the last update that was finished
        self._at_hand = 1
        self._counts, self._loss_scale = True, 1.0
        self._weights = dict(options.weights)
        self._dropped: set[str] = set()
        self._cosines: dict[str, tuple[float, int]] = {}  # sum and number since the last change, by task
        self._watch = Stopwatch()
        self._sums: GradientSums | None = None

    def begin_update(self, update: int, counts: bool = True, loss_scale: float = 1.0) -> None:
        """Say which update the next batch belongs to; to be called before each of its batches.

        The first call of a run cuts off what the log holds of this update and later ones, which a run that was killed
        has left there. An update that has been finished is not measured again where it is repeated, as the host does
        after an overflow of mixed precision.

        Args:
            update: its number, from 1.
            counts: False for a batch that only keeps a worker busy and adds nothing to the update.
            loss_scale: factor that keeps gradients in half precision from vanishing, and is taken out afterwards; a
                new one within an update begins it anew, since the host has thrown away what came before.
        """
        if not self._has_begun:
            self._has_begun, self._finished = True, update - 1
            if self._log:
                self._log.cut_after(self._finished)
        if (update, loss_scale) != (self._at_hand, self._loss_scale):
            self._sums = None
        self._at_hand, self._counts, self._loss_scale = update, counts, loss_scale
        self.due = update > self._finished and self._is_due()

    def discard(self) -> None:
        """Forget what has been added to the update at hand: the host has thrown its batches away, or begins one.

        A new loss scale says so as well, but an overflow that is tolerated, or at the least scale, leaves it as it is.
        """
        self._sums = None

    def _is_due(self) -> bool:
        if not any(self.active(task) for task in self._weights):
            return False
        every = self.options.measure_interval
        return self._changes_weights() or (every > 0 and self._at_hand % every == 0)

    def _changes_weights(self) -> bool:
        return self.options.mode != "fixed" and self._at_hand % self.options.weight_interval == 0

    def prepare(self, probes: Probes) -> None:
        """Say what gradients are compared on; :meth:`add` does it too.

        Where there are several workers, one of them may have batches without any loss that is measured; it must call
        this, since all workers sum up together.

        Args:
            probes: parameters, the same in all calls.
        """
        if self.due and self._sums is None:
            self._sums = GradientSums([self.main, *(name for name in self._weights if self.active(name))])
            self._sums.lay_out(probes)

    def add(self, task: str, loss: Tensor, size: float, probes: Probes) -> None:
        """Measure a batch's loss where a measurement is due: one backward pass down to the lowest probe.

        ``.grad`` and the graph of the loss stay as they are.

        Args:
            task: name; one that is not active adds nothing.
            loss: scalar, the sum of the task's losses in this batch, without the task's weight.
            size: what the mean is over, such as the number of target tokens.
            probes: parameters to compare the gradients on; the same in all calls.
        """
        if not self.due or not self.active(task):
            return
        self.prepare(probes)
        assert self._sums is not None
        with self._watch.running(loss.device):
            self._sums.add(task, loss, size, probes, self._counts, self._loss_scale)

    def finish_update(self, all_reduce: AllReduce | None = None) -> list[Measurement]:
        """Compare the tasks, change the weights where it is time, and write the log.

        Args:
            all_reduce: gives the sum over all workers of a tensor that each of them hands in; None for one worker.

        Returns:
            What was measured, in the order of tasks and layers; the mean over a module's layers comes after them.
        """
        sums, self._sums = self._sums, None
        found: dict[str, list[Comparison]] = {}
        if self.due and sums is not None:
            with self._watch.running(sums.device):
                found = sums.compare(all_reduce)
        means = {task: _mean_by_module(comparisons) for task, comparisons in found.items()}
        for task, by_module in means.items():
            self._take_in(task, by_module)
            if self._changes_weights():
                self._change_weight(task, by_module)
        self.due = False
        self._finished, self._at_hand = self._at_hand, self._at_hand + 1
        measurements = list(self._measurements(found, means)) if found else []
        if self._log and measurements:
            self._log.append(measurements)
        return measurements

    def _take_in(self, task: str, means: Mapping[str, Comparison]) -> None:
        cosine = mean_of(means[module].cosine for module in MODULES[task] if module in means)
        if cosine is not None:
            total, number = self._cosines.get(task, (0.0, 0))
            self._cosines[task] = (total + cosine, number + 1)

    def _change_weight(self, task: str, means: Mapping[str, Comparison]) -> None:
        weight = self._weights[task]
        if self.options.mode == "task_norm":
            own = [means[module] for module in MODULES[task] if module in means]
            exponent = EXPONENTS[task] * (self._at_hand // self.options.weight_interval)
            weight = decay_by_norms(weight, [ratio_of(one.norm, one.main_norm) for one in own], exponent)
        else:
            total, number = self._cosines.pop(task, (0.0, 0))
            weight = decay_by_consistency(weight, total / number if number else None, self.options.rate)
        self._weights[task] = weight
        if weight < self.options.drop_below:
            self._dropped.add(task)

    def _measurements(
        self, found: Mapping[str, list[Comparison]], means: Mapping[str, Mapping[str, Comparison]]
    ) -> Iterable[Measurement]:
        seconds = round(self._watch.read(), 3)
        for task, comparisons in found.items():
            for module, mean in means[task].items():
                for one in [*(one for one in comparisons if one.module == module), mean]:
                    yield Measurement(
                        update=self._finished,
                        task=task,
                        module=module,
                        layer=one.layer,
                        cosine=one.cosine,
                        norm=one.norm,
                        main_norm=one.main_norm,
                        weight=self.weight(task),
                        seconds=seconds,
                    )

    def active(self, task: str) -> bool:
        """Whether a task is trained on in the update at hand.

        Args:
            task: name.

        Returns:
            True for the main task; False for one that was dropped, has weight 0, or is not known.
        """
        if task == self.main:
            return True
        last = self.options.last_updates.get(task, 0)
        is_over = 0 < last < self._at_hand
        return task not in self._dropped and not is_over and self._weights.get(task, 0.0) > 0

    def weight(self, task: str) -> float:
        """Weight of a task's loss in the update at hand.

        Args:
            task: name.

        Returns:
            1 for the main task, 0 for one that is not active.
        """
        if task == self.main:
            return 1.0
        return self._weights[task] if self.active(task) else 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, of plain values.

        Returns:
            The mode, the last update that was finished, weights, dropped tasks, cosines since the last change, seconds.
        """
        return {
            "mode": self.options.mode,
            "update": self._finished,
            "seconds": self._watch.read(),
            "weights": dict(self._weights),
            "dropped": sorted(self._dropped),
            "cosines": {task: list(values) for task, values in self._cosines.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; the weights of mode ``fixed``, and those after another mode, are those of the options.

        The log is cut when the next update begins, not before: who only evaluates a checkpoint leaves it whole.

        Args:
            state: of :meth:`state_dict`; tasks that are no longer trained are passed over.
        """
        self._finished = int(state["update"])
        self._at_hand = self._finished + 1
        self._has_begun, self._sums, self.due = False, None, False
        self._watch = Stopwatch(float(state["seconds"]))
        if self.options.mode == "fixed" or state.get("mode", self.options.mode) != self.options.mode:
            return
        own = self.options.weights
        self._weights |= {task: float(weight) for task, weight in state["weights"].items() if task in own}
        self._dropped = {task for task in state["dropped"] if task in own}
        self._cosines = {task: (float(a), int(b)) for task, (a, b) in state["cosines"].items() if task in own}


def _mean_by_module(comparisons: Iterable[Comparison]) -> dict[str, Comparison]:
    """Means over the layers of each module, of what is known."""
    by_module: dict[str, list[Comparison]] = {}
    for one in comparisons:
        by_module.setdefault(one.module, []).append(one)
    return {
        module: Comparison(
            module,
            None,
            mean_of(one.norm for one in layers),
            mean_of(one.main_norm for one in layers),
            mean_of(one.cosine for one in layers),
        )
        for module, layers in by_module.items()
    }
