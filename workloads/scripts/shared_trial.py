"""A trial in a study that the tasks of an array share: Optuna, with a journal file in the workspace."""

from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend


class SharedTrial:
    """Asked for at once: with the given values, or with values that Optuna draws."""

    def __init__(
        self, journal: Path, sweep: dict[str, Any], task: int, values: dict[str, Any] | None
    ) -> None:
        self._study = optuna.create_study(
            study_name="sweep",
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
            sampler=_sampler(sweep, task, values),
            pruner=_pruner(sweep),
            direction="maximize",
            load_if_exists=True,
        )
        self._fail_earlier_runs(task)
        self._trial = self._study.ask()
        self._trial.set_user_attr("task", task)
        self.values = {name: _suggest(self._trial, name, space) for name, space in sweep["space"].items()}
        self._is_pruned = False
        self._last: float | None = None

    def report(self, epoch: int, accuracy: float) -> None:
        """Tell the others how far this trial is."""
        self._trial.report(accuracy, epoch)
        self._last = accuracy

    def is_hopeless(self) -> bool:
        """Whether the others were so much better at this epoch that going on is not worth it."""
        self._is_pruned = self._trial.should_prune()
        return self._is_pruned

    def end(self) -> None:
        """Tell the others that this was all."""
        if self._is_pruned:
            self._study.tell(self._trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(self._trial, self._last)

    def _fail_earlier_runs(self, task: int) -> None:
        """A run of this task that was killed told nobody; its values are asked for again."""
        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            if trial.user_attrs.get("task") == task:
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _sampler(sweep: dict[str, Any], task: int, values: dict[str, Any] | None) -> optuna.samplers.BaseSampler:
    seed = sweep["seed"] + task
    if values is not None:
        return optuna.samplers.PartialFixedSampler(values, optuna.samplers.RandomSampler(seed=seed))
    # Trials that still run count as bad, so that tasks that ask at the same time get different values.
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=4, constant_liar=True)


def _pruner(sweep: dict[str, Any]) -> optuna.pruners.BasePruner:
    epochs = sweep["fixed"]["epochs"]
    match sweep["pruning"]:
        case "median":
            return optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=epochs // 5)
        case "hyperband":
            return optuna.pruners.HyperbandPruner(max_resource=epochs)
    return optuna.pruners.NopPruner()


def _suggest(trial: optuna.Trial, name: str, space: dict[str, Any]) -> Any:  # noqa: ANN401 - a number of either kind
    if "choices" in space:
        return trial.suggest_categorical(name, space["choices"])
    return trial.suggest_float(name, space["low"], space["high"], log=True)
