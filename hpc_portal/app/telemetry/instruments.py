"""What each process counts about itself, as Prometheus metrics; docs/operations.md says what to look at."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 604_800)

HTTP_REQUESTS = Counter(
    "hpc_http_requests",
    "Requests answered, by the route's pattern (never the address, which names tenants' things).",
    ("method", "route", "status"),
)
HTTP_SECONDS = Histogram(
    "hpc_http_request_seconds",
    "From a request's first byte to its answer's last; event streams are not in it.",
    ("method", "route"),
    buckets=_FAST,
)
EVENT_STREAMS = Gauge("hpc_event_streams", "Event streams that are open now.")

LOOP_STEPS = Counter("hpc_loop_steps", "Steps of a controller's loop.", ("loop", "outcome"))
LOOP_SECONDS = Histogram("hpc_loop_step_seconds", "How long one step took.", ("loop",), buckets=_FAST)
LOOP_LAST_STEP = Gauge(
    "hpc_loop_last_step_timestamp_seconds", "When a step of the loop last ended without an error.", ("loop",)
)

JOBS_SUBMITTED = Counter("hpc_jobs_submitted", "Jobs stored.", ("cluster",))
JOBS_DISPATCHED = Counter(
    "hpc_jobs_dispatched", "Jobs that were offered to a cluster, by what it said.", ("cluster", "outcome")
)
DISPATCH_SECONDS = Histogram(
    "hpc_dispatch_seconds",
    "From submission to the cluster's acceptance; what waits for other jobs waits here, too.",
    ("cluster",),
    buckets=(*_FAST, 30, 60, 300),
)
WAIT_SECONDS = Histogram(
    "hpc_job_wait_seconds",
    "From a job's submission to the first start of a task; told when that run is settled.",
    ("cluster",),
    buckets=_SLOW,
)
RUNS_SETTLED = Counter("hpc_runs_settled", "Runs that were charged and closed.", ("cluster",))

SPANS = Counter("hpc_spans", "Spans of traces, by whether the collector took them.", ("outcome",))
