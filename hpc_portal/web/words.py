"""What states, reasons, exit codes and event kinds are called: one icon, one word and one colour each."""

import signal
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.cluster_map import Use
from hpc_portal.app.jobs.lifecycle import Phase
from schedulers.cluster import NodeState
from schedulers.jobstate import JobState
from schedulers.reasons import explain
from schedulers.refusals import say_refusal
from workloads.template import N_, Verdict


@dataclass(frozen=True, slots=True)
class Word:
    """A state as it is shown; `text` is translated where it is shown, `tone` is a class in app.css."""

    icon: str
    text: str
    tone: str


STATES = {
    JobState.PENDING: Word("clock", N_("Queued"), "wait"),
    JobState.RUNNING: Word("player-play", N_("Running"), "run"),
    JobState.SUSPENDED: Word("player-pause", N_("Suspended"), "wait"),
    JobState.COMPLETED: Word("circle-check", N_("Completed"), "good"),
    JobState.CANCELLED: Word("ban", N_("Cancelled"), "off"),
    JobState.FAILED: Word("circle-x", N_("Failed"), "bad"),
    JobState.TIMEOUT: Word("alarm", N_("Out of time"), "late"),
    JobState.NODE_FAIL: Word("server-off", N_("Node failed"), "odd"),
    JobState.PREEMPTED: Word("bolt", N_("Preempted"), "odd"),
    JobState.BOOT_FAIL: Word("server-off", N_("Node did not start"), "odd"),
    JobState.DEADLINE: Word("calendar", N_("Deadline missed"), "late"),
    JobState.OUT_OF_MEMORY: Word("cpu", N_("Out of memory"), "late"),
    JobState.UNKNOWN: Word("help-circle", N_("Unknown"), "off"),
}
REFUSED = Word("circle-minus", N_("Refused"), "bad")
HELD = Word("player-pause", N_("On hold"), "wait")
CANCELLING = Word("ban", N_("Cancelling"), "off")

VERDICTS = {
    Verdict.PASS: Word("circle-check", N_("Pass"), "good"),
    Verdict.FAIL: Word("circle-x", N_("Fail"), "bad"),
    Verdict.NO_VERDICT: Word("help-circle", N_("No verdict"), "off"),
}

NODE_STATES = {
    NodeState.UP: Word("circle-check", N_("Up"), "good"),
    NodeState.DRAINING: Word("hourglass", N_("Draining"), "wait"),
    NodeState.DOWN: Word("circle-x", N_("Down"), "bad"),
}

USES = {
    Use.FREE: Word("check", N_("Free"), "good"),
    Use.MINE: Word("user", N_("Mine"), "run"),
    Use.PROJECT: Word("users", N_("My projects'"), "odd"),
    Use.OTHERS: Word("lock", N_("Others'"), "off"),
    Use.DRAINED: Word("hourglass", N_("Drained"), "wait"),
    Use.DOWN: Word("x", N_("Down"), "bad"),
}
"""What becomes of a GPU on the map of a cluster."""
USED = Word("users", N_("In use"), "odd")
"""In place of one's projects', for those who see all jobs."""

OUTCOMES = {
    JobState.COMPLETED: N_("It ran to its end without an error."),
    JobState.CANCELLED: N_("It was cancelled before it finished."),
    JobState.FAILED: N_("The program ended with an error."),
    JobState.TIMEOUT: N_(
        "It reached its time limit and was stopped. Ask for a longer time, or save and resume."
    ),
    JobState.NODE_FAIL: N_("The machine under it failed."),
    JobState.PREEMPTED: N_("A job with a higher priority took its place."),
    JobState.BOOT_FAIL: N_("No machine could be made ready for it."),
    JobState.DEADLINE: N_("It could not finish before its deadline."),
    JobState.OUT_OF_MEMORY: N_("It used more memory than it asked for and was stopped. Ask for more memory."),
}

_ENDS = {
    "NonZeroExitCode": N_("The program ended with an error."),
    "TimeLimit": N_("It reached its time limit."),
    "OutOfMemory": N_("It used more memory than it asked for."),
    "Requeued": N_("It was put back into the queue."),
}
"""Why a run ended; why a job waits is in `schedulers.reasons`."""

_SIGNALS = {
    signal.SIGKILL: N_("killed by signal 9 (SIGKILL): often the memory limit, or an administrator"),
    signal.SIGSEGV: N_("crashed by signal 11 (SIGSEGV): the program touched memory that is not its own"),
    signal.SIGABRT: N_("aborted by signal 6 (SIGABRT): usually a failed assertion in the program"),
    signal.SIGTERM: N_("stopped by signal 15 (SIGTERM)"),
    signal.SIGINT: N_("interrupted by signal 2 (SIGINT)"),
    signal.SIGFPE: N_("stopped by signal 8 (SIGFPE): an arithmetic error such as a division by zero"),
}
_EXIT_CODES = {
    0: N_("0: all went well"),
    1: N_("1: the program reported an error; its last lines in the log say which"),
    2: N_("2: usually wrong options or a missing file"),
    75: N_("75: saved its state and asks to be run again"),
    126: N_("126: the file is not executable"),
    127: N_("127: command not found; is the tool loaded and spelled right?"),
}

EVENTS = {
    "job.submitted": Word("rocket", N_("Submitted"), "run"),
    "job.dispatched": Word("server-2", N_("Handed to the scheduler"), "run"),
    "job.refused": Word("circle-minus", N_("Refused by the scheduler"), "bad"),
    "job.started": Word("player-play", N_("Started"), "run"),
    "job.state": Word("timeline", N_("State changed"), "run"),
    "job.progress": Word("timeline", N_("Progress"), "run"),
    "job.requeued": Word("repeat", N_("Back in the queue"), "wait"),
    "job.change_requested": Word("adjustments", N_("Change asked for"), "run"),
    "job.changed": Word("adjustments", N_("Changed as asked"), "good"),
    "job.change_refused": Word("circle-minus", N_("Change refused"), "bad"),
    "job.cancel_requested": Word("ban", N_("Cancellation asked for"), "off"),
    "job.ended": Word("flag", N_("Ended"), "run"),
    "job.corrected": Word("receipt-2", N_("Charge corrected"), "wait"),
    "job.doubt_decided": Word("help-circle", N_("An administrator decided"), "wait"),
    "job.settled": Word("receipt-2", N_("Charged"), "good"),
    "campaign.read": Word("grid-dots", N_("Results read"), "run"),
    "campaign.stopped": Word("flag", N_("Stopped by the campaign's rule"), "wait"),
}

METRICS = {
    "pass_rate": N_("Pass rate"),
    "tasks_pass": N_("Passed tasks"),
    "tasks_fail": N_("Failed tasks"),
    "tasks_no_verdict": N_("Tasks without a verdict"),
    "epochs": N_("Epochs"),
    "train_loss": N_("Training loss"),
    "val_acc": N_("Validation accuracy"),
    "best_val_acc": N_("Best validation accuracy"),
    "samples_per_second": N_("Samples per second"),
    "preemptions": N_("Times stopped"),
    "resumes": N_("Times resumed"),
    "wall_seconds": N_("Wall time"),
    "coverage_total": N_("Coverage"),
    "coverage_line": N_("Line coverage"),
    "coverage_branch": N_("Branch coverage"),
    "coverage_toggle": N_("Toggle coverage"),
    "coverage_user": N_("Cover points of the design"),
    "coverage_points": N_("Points hit"),
    "design__lint_error__count": N_("Lint errors"),
    "design__lint_warning__count": N_("Lint warnings"),
    "design__inferred_latch__count": N_("Inferred latches"),
    "design__instance__utilization": N_("Utilisation of the die"),
    "design__die__area": N_("Die area"),
    "timing__fmax": N_("Highest clock frequency"),
    "timing__fmax__stage:placement": N_("Highest clock frequency before routing"),
    "route__wirelength": N_("Wire length"),
    "route__vias": N_("Vias"),
    "route__unrouted_net__count": N_("Nets without a route"),
    "magic__drc_error__count": N_("Design rule errors"),
    "design__lvs_error__count": N_("Differences of layout and netlist"),
    "design__device__count": N_("Compared devices"),
    "klayout__drc_error__count": N_("Design rule errors"),
    "best__seed": N_("Best seed"),
    "best__fmax": N_("Highest clock frequency"),
    "best__margin": N_("Achieved over target frequency"),
    "cocotb_passed": N_("Passed cocotb tests"),
    "cocotb_failed": N_("Failed cocotb tests"),
    "cocotb_skipped": N_("Skipped cocotb tests"),
    "simulated_ns": N_("Simulated time"),
    "formal__assert__count": N_("Assertions"),
    "formal__cover__count": N_("Cover points"),
    "formal__bmc__step": N_("Last step of the bounded check"),
    "yield_low_rate": N_("Yield, 95 % from"),
    "yield_high_rate": N_("Yield, 95 % to"),
    "yield_by_period": N_("Yield by clock period"),
    "nominal_delay": N_("Nominal delay"),
    "mean_delay": N_("Mean delay"),
    "sd_delay": N_("Standard deviation of the delay"),
    "samples": N_("Samples"),
    "stages": N_("Stages"),
    "fault_coverage": N_("Fault coverage"),
    "fault_coverage_rate": N_("Fault coverage"),
    "fault_coverage_of_all_rate": N_("Coverage of all faults"),
    "faults": N_("Faults"),
    "collapsed_faults": N_("Collapsed faults"),
    "detected_faults": N_("Detected faults"),
    "patterns": N_("Patterns"),
    "last_useful_pattern": N_("Last useful pattern"),
    "gates": N_("Gates"),
    "simulation_seconds": N_("Simulation time"),
    "copy_bandwidth": N_("Copy bandwidth"),
    "triad_bandwidth": N_("Triad bandwidth"),
    "gemm": N_("Matrix product"),
    "checked_products": N_("Checked products"),
    "devices": N_("Devices"),
    "sick_devices": N_("Sick devices"),
    "degraded_devices": N_("Degraded devices"),
    "trials_ended": N_("Trials ended"),
    "trials_stopped_early": N_("Trials stopped early"),
    "trials_failed": N_("Trials failed"),
    "best_objective": N_("Best objective"),
    "best_trial": N_("Best trial"),
    "objective": N_("Objective"),
    "steps": N_("Steps"),
    "steps_reported": N_("Steps reported"),
    "inputs": N_("Inputs"),
    "bad_inputs": N_("Bad inputs"),
    "inputs_per_second": N_("Inputs per second"),
    "mean_correct": N_("Share answered right"),
    "invalid__count": N_("Invalid simulations"),
    "yield_rate": N_("Yield"),
    "worst_yield_rate": N_("Yield of the worst corner"),
    "worst_yield_low_rate": N_("Its yield, 95 % from"),
    "worst_yield_high_rate": N_("Its yield, 95 % to"),
    "design__instance__area": N_("Area"),
    "design__instance__count": N_("Cells"),
    "design__instance__area__class:sequential_cell": N_("Area of registers"),
    "design__instance__count__class:sequential_cell": N_("Registers"),
    "timing__setup__ws": N_("Worst slack"),
    "timing__setup__tns": N_("Total negative slack"),
    "timing__setup_vio__count": N_("Violated endpoints"),
}
"""What our templates' numbers are called; others are shown under their own names."""

FACTS = {
    "change": N_("Change"),
    "walltime_seconds": N_("Time limit"),
    "nice": N_("Priority (nice)"),
    "tasks": N_("Tasks"),
    "state": N_("State"),
    "reason": N_("Reason"),
    "by": N_("By"),
    "charged_vnd": N_("Charged"),
    "change_vnd": N_("Changed by"),
    "scheduler_job_id": N_("Id at the scheduler"),
    "runs": N_("Runs"),
    "exit_code": N_("Exit code"),
    "tasks_running": N_("Running"),
    "tasks_completed": N_("Completed"),
    "tasks_failed": N_("Failed"),
    "tasks_cancelled": N_("Cancelled"),
}
"""What the facts of an event are called; others are left to the API."""


BECOMING = {
    "cancel": CANCELLING,
    "hold": Word("player-pause", N_("Being held"), "wait"),
    "release": Word("player-play", N_("Being released"), "wait"),
    "requeue": Word("repeat", N_("Goes back into the queue"), "wait"),
}
"""How a job is shown once somebody has asked for it and before the portal has answered."""


def state_word(
    *, phase: Phase, state: JobState, cancel_requested_at: datetime | None, is_held: bool = False
) -> Word:
    """How a job is shown: refusal, a wish to cancel and a hold say more than the scheduler's state."""
    if phase is Phase.REFUSED:
        return REFUSED
    if cancel_requested_at and phase not in (Phase.ENDED, Phase.SETTLED):
        return CANCELLING
    if is_held and state is JobState.PENDING:
        return HELD
    return STATES[state]


def reason_text(reason: str, language: str) -> str:
    """Why it waits or ended, in plain words; an unknown reason is shown as the scheduler wrote it.

    Why it ended still has to be translated, which leaves the rest as it is.
    """
    return _ENDS.get(reason) or say_refusal(explain(reason, language).text, language)


def exit_text(exit_code: int | None, exit_signal: int | None) -> str:
    """What an exit code or signal usually means; "" when there is nothing to explain."""
    if exit_signal:
        return _SIGNALS.get(signal.Signals(exit_signal), "") if exit_signal in set(signal.Signals) else ""
    return _EXIT_CODES.get(exit_code, "") if exit_code is not None else ""
