"""What a batch inference achieved: its shards and their sums, from files that a tenant could have written."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workloads.template import (
    N_,
    Artefact,
    Column,
    Metric,
    Results,
    Table,
    TaskResult,
    Verdict,
)
from workloads.workspace import list_files, read_text

_LARGEST_RESULT_BYTES = 256 * 1024
_MOST_NAMED = 100
_MOST_NUMBERS = 10
_Text = Annotated[str, Field(max_length=4096)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True)


class _Bad(_Model):
    input: _Text
    error: _Text


class _Number(_Model):
    sum: float = Field(ge=-1e300, le=1e300)
    count: int = Field(ge=1)


class Shard(_Model):
    """What run_shard.py wrote of a shard that is done."""

    inputs: int = Field(ge=0)
    bad: int = Field(ge=0)
    seconds: float = Field(ge=0)
    named: list[_Bad] = Field(max_length=_MOST_NAMED)
    """The inputs without an answer, as far as they are told."""
    numbers: dict[_Text, _Number] = Field(max_length=1000)
    """Of the answers to good inputs: the sum of each number, and how many had it."""


def read_shards(workspace: Path, shards: int) -> Results:
    """A shard passes once it is done: bad inputs are named, and fail nothing."""
    present = frozenset(list_files(workspace, "results"))
    done = [shard for shard in range(shards) if f"{shard}.json" in present]
    found = {shard: _read_shard(workspace, shard) for shard in done}
    known = [shard for shard in found.values() if shard]
    bad = [one for shard in known for one in shard.named]
    return Results(
        tasks=tuple(_task(shard, found[shard]) for shard in done),
        metrics=_metrics(known) if known else (),
        tables=(_table(bad, is_cut=sum(one.bad for one in known) > len(bad)),) if bad else (),
    )


def _read_shard(workspace: Path, shard: int) -> Shard | None:
    text = read_text(workspace, f"results/{shard}.json", max_bytes=_LARGEST_RESULT_BYTES)
    try:
        return Shard.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _task(shard: int, found: Shard | None) -> TaskResult:
    return TaskResult(
        task_index=shard,
        label=f"shard {shard}",
        verdict=Verdict.PASS,
        metrics=_metrics([found]) if found else (),
        artefacts=(Artefact(f"outputs/{shard}.jsonl", "report"),),
    )


def _metrics(shards: Sequence[Shard]) -> tuple[Metric, ...]:
    """Summed over shards; the speed is that of one shard, and numbers of answers are their means."""
    inputs, seconds = sum(one.inputs for one in shards), sum(one.seconds for one in shards)
    sums: dict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for shard in shards:
        for name, number in shard.numbers.items():
            sums[name] += number.sum
            counts[name] += number.count
    return (
        Metric("inputs", inputs),
        Metric("bad_inputs", sum(one.bad for one in shards)),
        *([Metric("inputs_per_second", inputs / seconds, "1/s")] if seconds else []),
        *(Metric(f"mean_{name}"[:200], sums[name] / counts[name]) for name in list(sums)[:_MOST_NUMBERS]),
    )


def _table(bad: Sequence[_Bad], *, is_cut: bool) -> Table:
    rows = tuple((one.input, one.error) for one in bad[:_MOST_NAMED])
    return Table(
        N_("Bad inputs"),
        (Column(N_("Input")), Column(N_("Reason"))),
        rows,
        is_cut=is_cut or len(bad) > _MOST_NAMED,
    )
