"""Replies about what a job left behind: logs, files, results."""

from datetime import datetime

from hpc_portal.api.schemas import Number, Reply
from hpc_portal.app.files.list_files import EntryKind
from hpc_portal.app.files.preview import PreviewKind
from workloads.template import Verdict


class LogReply(Reply):
    """Some lines of a log, numbered from 0."""

    path: str
    """Relative to the job's workspace."""
    first_line: int
    lines: list[str]
    next_line: int
    is_at_end: bool
    """Nothing complete follows for now."""
    has_ended: bool
    """The task will write no more."""


class LogMatchReply(Reply):
    """A line in which something was found."""

    line: int
    """Counted from 0."""
    text: str
    """The line without escapes; of a very long one its head."""
    start: int
    """Where the first match starts, in characters; past the end of `text` when it lies in what is cut off."""
    end: int


class LogSearchReply(Reply):
    """What a bounded search found, in the order in which it looked."""

    path: str
    matches: list[LogMatchReply]
    next_line: int
    """Where to go on."""
    is_over: bool
    """There is nothing more to look at now."""


class FileReply(Reply):
    """One entry of a folder in a job's workspace."""

    name: str
    path: str
    kind: EntryKind
    size_bytes: int
    changed_at: datetime


class MetricReply(Reply):
    """One number of a result."""

    name: str
    value: Number
    unit: str


class FailureReply(Reply):
    """Why a task failed; equal causes have equal signatures."""

    signature: str
    line: str
    file: str
    line_number: int


class ArtefactReply(Reply):
    """A file worth showing."""

    path: str
    kind: str


class TaskResultReply(Reply):
    """What one task achieved."""

    task_index: int
    label: str
    verdict: Verdict
    metrics: list[MetricReply]
    failure: FailureReply | None
    artefacts: list[ArtefactReply]


class SeriesReply(Reply):
    """A curve."""

    name: str
    x_label: str
    unit: str
    points: list[tuple[Number, Number]]


class MarkerReply(Reply):
    """Something that happened on a curve."""

    kind: str
    x: Number


class ColumnReply(Reply):
    """What the cells of one column of a table mean."""

    title: str
    unit: str


class TableReply(Reply):
    """Rows worth reading one by one."""

    title: str
    columns: list[ColumnReply]
    rows: list[list[str | Number]]
    """A cell a column; null where there is no valid value."""
    is_cut: bool
    """There are more rows than these."""


class CampaignCellReply(Reply):
    """Where a task stands in its campaign's matrix."""

    task_index: int
    row: str
    column: str


class ResultsReply(Reply):
    """What a job achieved, as far as its workspace tells now."""

    tasks: list[TaskResultReply]
    metrics: list[MetricReply]
    series: list[SeriesReply]
    markers: list[MarkerReply]
    tables: list[TableReply]
    campaign: list[CampaignCellReply]


class PreviewReply(Reply):
    """A look at a file's beginning."""

    kind: PreviewKind
    size_bytes: int
    is_whole: bool
    """Whether nothing of the file is missing here."""
    text: str
    rows: list[list[str]]
    """Of a table; the first row is its head."""
    series: list[SeriesReply]
    """Of curves."""
