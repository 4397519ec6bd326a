"""A trial in a study that the tasks of an array share: Optuna, with a journal file in the workspace."""

from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

_ENDS = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned"}


class SharedTrial:
    """Asked for at once: with the given values, or with values that Optuna draws.

    `ended` says how an earlier run of this task ended, when it told the others and nobody else; a task that
    has ended is not asked for again, so that nothing counts twice.
    """

    def __init__(
        self, journal: Path, sweep: dict[str, Any], task: int, values: dict[str, Any] | None
    ) -> None:
        self._study = optuna.create_study(
            study_name="sweep",
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
            sampler=_sampler(sweep, task, values),
            pruner=_pruner(sweep),
            direction=sweep["direction"],
            load_if_exists=True,
        )
        self._warmup_steps = sweep["warmup_steps"]
        self._steps: set[int] = set()
        self.ended = ""
        earlier = [
            one for one in self._study.get_trials(deepcopy=False) if one.user_attrs.get("task") == task
        ]
        for trial in earlier:
            if trial.state is TrialState.RUNNING:  # killed, it told nobody; its values are asked for again
                self._study.tell(trial.number, state=TrialState.FAIL)
            elif trial.state in _ENDS:
                self.ended, self.values = _ENDS[trial.state], trial.params
        if self.ended:
            return
        self._trial = self._study.ask()
        self._trial.set_user_attr("task", task)
        self.values = {name: _suggest(self._trial, name, space) for name, space in sweep["space"].items()}

    def report(self, step: float, value: float) -> None:
        """Tell the others how far this trial is; a step counts once."""
        if int(step) >= 0 and int(step) not in self._steps:
            self._steps.add(int(step))
            self._trial.report(value, int(step))

    def is_hopeless(self) -> bool:
        """Whether the others were so much better at this step that going on is not worth it."""
        if not self._steps or max(self._steps) < self._warmup_steps:
            return False
        return self._trial.should_prune()

    def finish(self, best: float) -> None:
        """Tell the others that this was all, and how good it was."""
        self._study.tell(self._trial, best)

    def prune(self) -> None:
        """Tell the others that it was stopped as hopeless."""
        self._study.tell(self._trial, state=TrialState.PRUNED)

    def fail(self) -> None:
        """Tell the others that nothing is to be learnt from it."""
        self._study.tell(self._trial, state=TrialState.FAIL)


def _sampler(sweep: dict[str, Any], task: int, values: dict[str, Any] | None) -> optuna.samplers.BaseSampler:
    seed = sweep["seed"] + task
    if values is not None:
        return optuna.samplers.PartialFixedSampler(values, optuna.samplers.RandomSampler(seed=seed))
    # Trials that still run count as bad, so that tasks that ask at the same time get different values.
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=4, constant_liar=True)


def _pruner(sweep: dict[str, Any]) -> optuna.pruners.BasePruner:
    match sweep["pruning"]:
        case "median":
            return optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=sweep["warmup_steps"])
        case "hyperband":
            return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()


def _suggest(trial: optuna.Trial, name: str, space: dict[str, Any]) -> Any:  # noqa: ANN401 - a number or a text
    match space["kind"]:
        case "choice":
            return trial.suggest_categorical(name, space["choices"])
        case "int":
            return trial.suggest_int(name, space["low"], space["high"], log=space["log"])
    return trial.suggest_float(name, space["low"], space["high"], log=space["log"])
