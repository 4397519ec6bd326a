"""Placement: examples to check by hand, and safety and order against a plain sort that shares no code."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from schedulers.cluster import LicenseSupply, NodeState, Partition
from schedulers.dask.placement import ConcurrentLimits, Plan, plan
from schedulers.dask.pool import Pool, PoolNode
from schedulers.dask.queue import Demand, Entry, LimitGroup, PendingQueue

MAIN = Partition("main", ("*",), 10**6, 3600, is_default=True)
HOUR = 3600


@dataclass
class World:
    """A pool and a queue with shortcuts."""

    pool: Pool
    queue: PendingQueue
    ids: "itertools.count[int]"
    now: float = 0.0

    def plan(self, limits: dict[LimitGroup, ConcurrentLimits] | None = None) -> Plan:
        return plan(
            self.queue, self.pool, now=self.now, new_slot_id=lambda: str(next(self.ids)), limits=limits
        )

    def started(self, limits: dict[LimitGroup, ConcurrentLimits] | None = None) -> list[str]:
        return [start.entry.job_id for start in self.plan(limits).starts]


def world(
    nodes: dict[str, tuple[int, dict[str, int]]] | None = None,
    *,
    licenses: dict[str, int] | None = None,
    partitions: tuple[Partition, ...] = (MAIN,),
) -> World:
    """Nodes by name: CPUs and GPU counts by type; 1000 MiB for each CPU."""
    pool = Pool(partitions, licenses or {})
    for name, (cpus, gpus) in (nodes or {"n1": (4, {})}).items():
        first = itertools.count()
        indices = {kind: tuple(next(first) for _ in range(count)) for kind, count in gpus.items()}
        pool.put_node(PoolNode(name, cpus, cpus * 1000, indices))
    return World(pool, PendingQueue(), itertools.count())


def demand(  # noqa: PLR0913 - a test names the one or two that it cares about
    cpus: int = 1,
    *,
    nodes: int = 1,
    memory: int = 10,
    gpus: dict[str, int] | None = None,
    licenses: dict[str, int] | None = None,
    walltime: int = HOUR,
) -> Demand:
    return Demand(
        nodes=nodes,
        cpus=cpus,
        memory_mib=memory,
        gpus=tuple(sorted((gpus or {}).items(), reverse=True)),
        licenses=tuple(sorted((licenses or {}).items())),
        walltime_seconds=walltime,
    )


_sequence = itertools.count()


def job(name: str, asked: Demand | None = None, **facts: object) -> Entry:
    entry = Entry(name, "uni", "lab", "main", asked or demand(), next(_sequence))
    for field, value in facts.items():
        setattr(entry, field, value)
    return entry


def add(place: World, *entries: Entry) -> None:
    for entry in entries:
        place.queue.add(entry)


def test_higher_priority_starts_first_and_equals_in_order_of_submission() -> None:
    place = world({"n1": (2, {})})
    add(place, job("first"), job("second"), job("urgent", priority=5))
    assert place.started() == ["urgent", "first"]


def test_whoever_waits_is_told_why() -> None:
    place = world({"n1": (2, {})})
    add(place, job("big", demand(2)), job("next", demand(1)))
    assert place.plan().reasons == {"next": "Resources"}


def test_a_job_goes_only_where_its_programs_are_and_waits_for_such_a_node() -> None:
    place = world({"n1": (2, {}), "n2": (2, {})})
    place.pool.put_node(PoolNode("n1", 2, 2000, {}, missing_programs=frozenset({"yosys"})))
    needs = replace(demand(2), programs=frozenset({"yosys"}))
    add(place, job("first", needs), job("second", needs), job("other", demand(2)))
    found = place.plan()
    assert [(start.entry.job_id, list(start.slot.gpus)) for start in found.starts] == [
        ("first", ["n2"]),
        ("other", ["n1"]),
    ]
    assert found.reasons == {"second": "Resources"}
    place.pool.put_node(PoolNode("n2", 2, 2000, {}, missing_programs=frozenset({"yosys"})))
    assert place.plan().reasons == {"second": "ReqNodeNotAvail"}


def test_typed_gpus_are_given_by_index_and_never_twice() -> None:
    place = world({"n1": (8, {"a100": 1, "h100": 2})})
    add(place, *(job(f"g{n}", demand(gpus={"h100": 1})) for n in range(3)))
    starts = place.plan().starts
    assert [start.slot.gpus for start in starts] == [{"n1": {"h100": (1,)}}, {"n1": {"h100": (2,)}}]


def test_an_untyped_gpu_is_taken_from_the_most_plentiful_type() -> None:
    place = world({"n1": (8, {"a100": 1, "h100": 2})})
    add(place, job("any", demand(gpus={"": 1})))
    assert place.plan().starts[0].slot.gpu_types == {"h100": 1}


def test_a_gang_starts_on_all_its_nodes_or_not_at_all() -> None:
    place = world({"n1": (4, {}), "n2": (4, {})})
    add(place, job("filler", demand(4)), job("gang", demand(4, nodes=2)))
    assert place.started() == ["filler"]
    place.pool.release("0")
    assert place.plan().starts[0].slot.nodes == ("n1", "n2")


def test_an_array_starts_no_more_tasks_than_its_throttle() -> None:
    place = world({"n1": (8, {})})
    array = job("array", waiting=10, throttle=3)
    add(place, array)
    done = place.plan()
    assert len(done.starts) == 3
    assert done.reasons == {"array": "JobArrayTaskLimit"}
    assert array.waiting == 7


def test_small_short_jobs_fill_the_gap_before_a_large_one_but_do_not_delay_it() -> None:
    place = world({"n1": (4, {})})
    add(place, job("running", demand(3, walltime=2 * HOUR)))
    place.plan()
    add(
        place,
        job("head", demand(4)),
        job("too_long", demand(1, walltime=3 * HOUR)),
        job("fits", demand(1, walltime=2 * HOUR)),
    )
    done = place.plan()
    assert [start.entry.job_id for start in done.starts] == ["fits"]
    assert done.reasons == {"head": "Resources", "too_long": "Priority"}


def test_a_long_job_may_start_on_what_the_head_does_not_need() -> None:
    place = world({"n1": (4, {}), "n2": (4, {})})
    add(place, job("a", demand(3)), job("b", demand(3)))
    place.plan()
    add(place, job("head", demand(4)), job("long", demand(1, walltime=9 * HOUR)))
    assert place.started() == ["long"]
    assert place.pool.nodes["n1"].free.cpus + place.pool.nodes["n2"].free.cpus == 1


def test_a_head_that_waits_for_a_licence_lets_others_pass_who_need_none() -> None:
    place = world({"n1": (4, {})}, licenses={"vcs": 1})
    add(place, job("user", demand(1, licenses={"vcs": 1})))
    place.plan()
    add(
        place,
        job("head", demand(1, licenses={"vcs": 1})),
        job("without", demand(1, walltime=9 * HOUR)),
        job("thief", demand(1, licenses={"vcs": 1})),
    )
    done = place.plan()
    assert [start.entry.job_id for start in done.starts] == ["without"]
    assert done.reasons == {"head": "Licenses", "thief": "Licenses"}


def test_the_licence_a_head_waits_for_is_not_taken_by_a_long_job_behind_it() -> None:
    place = world({"n1": (4, {})}, licenses={"vcs": 2})
    add(place, job("user", demand(1, licenses={"vcs": 1})))
    place.plan()
    add(
        place,
        job("head", demand(1, licenses={"vcs": 2})),
        job("long", demand(1, licenses={"vcs": 1}, walltime=2 * HOUR)),
        job("short", demand(1, licenses={"vcs": 1}, walltime=HOUR)),
    )
    assert place.started() == ["short"]


def test_what_others_use_of_a_feature_is_left_to_them_until_they_return_it() -> None:
    place = world({"n1": (4, {})}, licenses={"vcs": 2})
    add(place, job("user", demand(1, licenses={"vcs": 1})))
    assert place.started() == ["user"]
    place.pool.supply({"vcs": LicenseSupply(2, outside=2)})
    assert place.pool.free_licenses == {"vcs": -1}
    add(place, job("next", demand(1, licenses={"vcs": 1})))
    assert place.plan().reasons == {"next": "Licenses"}
    place.pool.supply({"vcs": LicenseSupply(2)})
    assert place.started() == ["next"]


def test_licences_kept_for_a_project_are_its_own_and_no_more_than_that() -> None:
    place = world({"n1": (8, {})}, licenses={"vcs": 3})
    place.pool.supply({"vcs": LicenseSupply(3, kept={"tape-out": 2})})
    wanted = demand(1, licenses={"vcs": 1})
    add(place, *(job(f"lab{n}", wanted) for n in range(2)))
    add(place, *(job(f"own{n}", wanted, project="tape-out") for n in range(3)))
    done = place.plan()
    assert [start.entry.job_id for start in done.starts] == ["lab0", "own0", "own1"]
    assert done.reasons == {"lab1": "LicensesReserved", "own2": "Licenses"}


def test_a_project_at_its_limit_stands_in_nobodys_way() -> None:
    place = world({"n1": (4, {})})
    add(place, *(job(f"lab{n}") for n in range(4)), job("other", project="else"))
    done = place.plan({("project", "lab"): ConcurrentLimits(max_running_tasks=2)})
    assert [start.entry.job_id for start in done.starts] == ["lab0", "lab1", "other"]
    assert done.reasons == {"lab2": "AssocGrpJobsLimit"}


def test_a_limit_on_a_gpu_type_counts_untyped_requests_too() -> None:
    place = world({"n1": (8, {"a100": 1, "h100": 2})})
    limits = {("project", "lab"): ConcurrentLimits(max_tres={"gres/gpu:h100": 1})}
    add(place, *(job(f"g{n}", demand(gpus={"": 1})) for n in range(3)))
    done = place.plan(limits)
    assert [start.slot.gpu_types for start in done.starts] == [{"a100": 1}, {"h100": 1}]
    assert done.reasons == {"g2": "AssocGrpGRES"}


def test_nodes_that_are_down_or_drain_take_nothing() -> None:
    place = world({"n1": (4, {}), "n2": (4, {})})
    place.pool.set_state("n1", NodeState.DRAINING)
    place.pool.set_state("n2", NodeState.DOWN)
    add(place, job("waits"))
    assert place.plan().reasons == {"waits": "PartitionDown"}


def test_a_job_too_large_for_the_nodes_that_are_up_does_not_hold_up_the_others() -> None:
    place = world({"n1": (4, {}), "n2": (8, {})})
    place.pool.set_state("n2", NodeState.DOWN)
    add(place, job("large", demand(8)), job("small", demand(4, walltime=9 * HOUR)))
    done = place.plan()
    assert [start.entry.job_id for start in done.starts] == ["small"]
    assert done.reasons == {"large": "ReqNodeNotAvail"}


def test_a_node_that_cannot_keep_tenants_apart_serves_the_first_organisation_only() -> None:
    place = world({"n1": (4, {})})
    place.pool.put_node(PoolNode("n1", 4, 4000, {}, is_shared=False))
    add(place, job("ours"), job("theirs", organisation="startup"), job("ours too"))
    assert place.started() == ["ours", "ours too"]


def test_what_a_stored_run_holds_is_held_when_its_node_appears() -> None:
    place = world({"n1": (4, {"h100": 2})})
    add(place, job("gpu", demand(2, gpus={"h100": 1})))
    slot = place.plan().starts[0].slot
    again = world({"other": (1, {})})
    again.pool.take(slot)
    again.pool.put_node(PoolNode("n1", 4, 4000, {"h100": (0, 1)}))
    assert again.pool.nodes["n1"].free.cpus == 2
    assert again.pool.nodes["n1"].free_gpus == {"h100": [1]}


# Against an oracle

demands = st.builds(
    demand,
    st.integers(1, 4),
    nodes=st.sampled_from([1, 1, 1, 2]),
    memory=st.sampled_from([10, 1000, 2500]),
    gpus=st.sampled_from([None, None, {"h100": 1}, {"a100": 1}, {"": 1}, {"": 2}]),
    licenses=st.sampled_from([None, None, {"vcs": 1}, {"vcs": 2}]),
    walltime=st.sampled_from([60, HOUR, 5 * HOUR]),
)
entries = st.lists(
    st.tuples(
        demands,
        st.sampled_from(["lab", "dsac", "chip"]),
        st.integers(0, 2),
        st.integers(1, 3),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=12,
)
sizes = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([{}, {"h100": 2}, {"a100": 1, "h100": 1}])),
    min_size=1,
    max_size=4,
)
LIMITS = {("project", "dsac"): ConcurrentLimits(max_running_tasks=2, max_tres={"gres/gpu": 1, "cpu": 6})}


def _world_of(nodes: list[tuple[int, dict[str, int]]]) -> World:
    return world({f"n{n}": size for n, size in enumerate(nodes)}, licenses={"vcs": 2})


def _add_all(place: World, asked: list[tuple[Demand, str, int, int, int | None]]) -> list[Entry]:
    made = [
        job(str(n), shape, project=project, priority=priority, waiting=waiting, throttle=throttle)
        for n, (shape, project, priority, waiting, throttle) in enumerate(asked)
    ]
    add(place, *made)
    return made


def _assert_nothing_over_allocated(place: World, sizes: list[tuple[int, dict[str, int]]]) -> None:
    cpus: Counter[str] = Counter()
    memory: Counter[str] = Counter()
    gpus: list[tuple[str, str, int]] = []
    licenses: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    for slot in place.pool.slots.values():
        assert len(slot.nodes) == slot.demand.nodes
        for name, held in slot.gpus.items():
            cpus[name] += slot.demand.cpus
            memory[name] += slot.demand.memory_mib
            gpus += [(name, kind, index) for kind, indices in held.items() for index in indices]
            assert sum(map(len, held.values())) == sum(count for _, count in slot.demand.gpus)
        licenses.update(dict(slot.demand.licenses))
        tasks[slot.project] += 1
    for n, (size, _) in enumerate(sizes):
        assert cpus[f"n{n}"] <= size
        assert memory[f"n{n}"] <= size * 1000
    assert len(gpus) == len(set(gpus))
    assert all(index in place.pool.nodes[name].gpus[kind] for name, kind, index in gpus)
    assert licenses["vcs"] <= 2
    assert tasks["dsac"] <= 2


@settings(max_examples=150, deadline=None)
@given(sizes, entries, st.lists(st.integers(0, 30), max_size=10))
def test_no_resource_licence_limit_or_gpu_is_ever_given_twice(
    nodes: list[tuple[int, dict[str, int]]],
    asked: list[tuple[Demand, str, int, int, int | None]],
    releases: list[int],
) -> None:
    place = _world_of(nodes)
    made = _add_all(place, asked)
    by_id = {entry.job_id: entry for entry in made}
    owners: dict[str, str] = {}
    for release in [None, *releases]:
        if release is not None and place.pool.slots:
            slot_id = sorted(place.pool.slots)[release % len(place.pool.slots)]
            place.pool.release(slot_id)
            by_id[owners.pop(slot_id)].holding -= 1
        place.now += 10
        for start in place.plan(LIMITS).starts:
            owners[start.slot.slot_id] = start.entry.job_id
        _assert_nothing_over_allocated(place, nodes)
        for entry in made:
            assert entry.throttle is None or entry.holding <= entry.throttle
    for node in place.pool.nodes.values():
        assert node.free.cpus >= 0
        assert {kind: len(ids) for kind, ids in node.free_gpus.items()} == node.free.gpus


@settings(max_examples=150, deadline=None)
@given(sizes, entries)
def test_choices_up_to_the_first_blocked_job_are_those_of_a_plain_sort(
    nodes: list[tuple[int, dict[str, int]]], asked: list[tuple[Demand, str, int, int, int | None]]
) -> None:
    place = _world_of(nodes)
    made = _add_all(place, asked)
    expected = _plain_sort_until_blocked(place, made)
    got = [start.entry.job_id for start in place.plan().starts]
    assert got[: len(expected)] == expected


def _plain_sort_until_blocked(place: World, made: list[Entry]) -> list[str]:
    """First come, first served on CPUs, memory, GPUs and licences; stops at the first that must wait."""
    nodes = place.pool.members("main")
    cpus = {node.name: node.cpus for node in nodes}
    memory = {node.name: node.memory_mib for node in nodes}
    gpus = {node.name: Counter({k: len(i) for k, i in node.gpus.items()}) for node in nodes}
    whole = dict(cpus), dict(memory), {name: Counter(left) for name, left in gpus.items()}
    licences = 2
    started: list[str] = []
    for entry in sorted(made, key=lambda entry: (-entry.priority, entry.sequence)):
        shape = entry.demand
        if len(_fitting(*whole, shape)) < shape.nodes:
            continue
        for _ in range(min(entry.waiting, entry.throttle or entry.waiting)):
            hosts = _fitting(cpus, memory, gpus, shape)[: shape.nodes]
            wanted = dict(shape.licenses).get("vcs", 0)
            if len(hosts) < shape.nodes or wanted > licences:
                return started
            licences -= wanted
            for name, taken in hosts:
                cpus[name] -= shape.cpus
                memory[name] -= shape.memory_mib
                gpus[name] -= taken
            started.append(entry.job_id)
    return started


def _fitting(
    cpus: dict[str, int], memory: dict[str, int], gpus: dict[str, Counter[str]], shape: Demand
) -> list[tuple[str, Counter[str]]]:
    found = []
    for name, free_cpus in cpus.items():
        left = Counter(gpus[name])
        for kind, count in shape.gpus:
            for _ in range(count):
                left[kind or min(left, key=lambda k: (-left[k], k), default="none")] -= 1
        if (
            free_cpus >= shape.cpus
            and memory[name] >= shape.memory_mib
            and min(left.values(), default=0) >= 0
        ):
            found.append((name, Counter(gpus[name]) - left))
    return found


@settings(max_examples=100, deadline=None)
@given(sizes, entries, st.data())
def test_the_head_starts_no_later_than_its_first_reservation_whatever_comes_behind_it(
    nodes: list[tuple[int, dict[str, int]]],
    asked: list[tuple[Demand, str, int, int, int | None]],
    data: st.DataObject,
) -> None:
    place = _world_of(nodes)
    _add_all(place, asked)
    place.plan()
    head_shape = data.draw(demands)
    head = job("head", head_shape, priority=9)
    if not place.pool.is_capable("main", head_shape):
        return
    latest = max((slot.ends_at for slot in place.pool.slots.values()), default=0.0)
    place.queue.add(head)
    while head.waiting:
        assert place.now <= latest
        place.plan()
        if not head.waiting:
            break
        for _ in range(data.draw(st.integers(0, 2))):
            place.queue.add(job(f"late{next(_sequence)}", data.draw(demands)))
        place.now = min(slot.ends_at for slot in place.pool.slots.values())
        for slot_id in [s.slot_id for s in place.pool.slots.values() if s.ends_at <= place.now]:
            place.pool.release(slot_id)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.booleans()), max_size=40))
def test_the_queue_walks_in_the_order_of_a_plain_sort(moves: list[tuple[int, str, bool]]) -> None:
    queue = PendingQueue()
    inside: list[Entry] = []
    for priority, project, leaves in moves:
        entry = job("x", priority=priority, project=project)
        queue.add(entry)
        queue.add(entry)
        inside.append(entry)
        if leaves:
            gone = inside.pop(len(inside) // 2)
            queue.remove(gone)
            queue.remove(gone)
    assert list(queue) == sorted(inside, key=lambda entry: (-entry.priority, entry.sequence))
    assert len(queue) == len(inside)


def exclusive(cpus: int = 1, **facts: int) -> Demand:
    return replace(demand(cpus, **facts), is_exclusive=True)  # type: ignore[arg-type]


def test_an_exclusive_job_waits_for_an_idle_node_and_holds_all_of_it() -> None:
    place = world({"n1": (8, {"h100": 2})})
    add(place, job("small", demand(1)), job("whole", exclusive(2)), job("next", demand(1, walltime=2 * HOUR)))
    assert place.started() == ["small"]
    place.pool.release("0")
    start = place.plan().starts[0]
    assert start.entry.job_id == "whole"
    assert start.slot.tres == {"cpu": 8, "mem": 10, "node": 1, "gres/gpu": 2, "gres/gpu:h100": 2}
    assert place.pool.nodes["n1"].free.cpus == 0


def test_an_exclusive_job_gives_back_all_that_it_held() -> None:
    place = world({"n1": (8, {"h100": 2}), "n2": (4, {})})
    add(place, job("whole", exclusive(2, nodes=2)))
    slot = place.plan().starts[0].slot
    assert slot.tres["cpu"] == 12
    place.pool.release(slot.slot_id)
    assert {name: node.free for name, node in place.pool.nodes.items()} == {
        name: node.whole for name, node in place.pool.nodes.items()
    }


def test_a_job_behind_an_exclusive_one_may_not_delay_it() -> None:
    place = world({"n1": (8, {})})
    add(place, job("running", demand(4, walltime=HOUR)))
    assert place.started() == ["running"]
    add(place, job("whole", exclusive()), job("long", demand(1, walltime=2 * HOUR)), job("short", demand(1)))
    assert place.started() == ["short"]


def test_an_exclusive_job_counts_whole_against_its_projects_limits() -> None:
    place = world({"n1": (8, {})})
    add(place, job("whole", exclusive(1)))
    planned = place.plan(limits={("project", "lab"): ConcurrentLimits(max_tres={"cpu": 4})})
    assert (planned.starts, planned.reasons) == ([], {"whole": "AssocGrpCpuLimit"})


def test_a_job_gets_the_nodes_that_it_names_and_none_that_it_excludes() -> None:
    place = world({"n1": (4, {}), "n2": (4, {}), "n3": (4, {})})
    named = replace(demand(nodes=2), required_nodes=frozenset({"n3"}))
    avoiding = replace(demand(), excluded_nodes=frozenset({"n1", "n3"}))
    add(place, job("named", named), job("avoiding", avoiding))
    assert [start.slot.nodes for start in place.plan().starts] == [("n1", "n3"), ("n2",)]


def test_a_job_waits_for_the_nodes_that_it_names() -> None:
    place = world({"n1": (4, {}), "n2": (4, {})})
    add(place, job("filler", replace(demand(4), required_nodes=frozenset({"n2"}))))
    assert place.started() == ["filler"]
    add(place, job("named", replace(demand(4), required_nodes=frozenset({"n2"}))), job("other", demand(4)))
    assert place.started() == ["other"]


def test_limits_hold_at_every_level_at_once() -> None:
    place = world({"n1": (8, {})})
    for name, user in (("a1", "an"), ("a2", "an"), ("a3", "an"), ("b1", "binh"), ("b2", "binh")):
        place.queue.add(job(name, user=user))
    place.queue.add(job("c1", user="chi", project="other"))
    limits = {
        ("member", "lab/an"): ConcurrentLimits(max_running_tasks=1),
        ("project", "lab"): ConcurrentLimits(max_running_tasks=2),
        ("organisation", "uni"): ConcurrentLimits(max_running_tasks=3),
    }
    assert place.started(limits) == ["a1", "b1", "c1"]
    assert place.plan(limits).reasons == {"a2": "AssocGrpJobsLimit", "b2": "AssocGrpJobsLimit"}


def test_a_person_is_limited_over_all_projects() -> None:
    place = world({"n1": (8, {"h100": 4})})
    for name, project in (("one", "lab"), ("two", "other"), ("three", "other")):
        place.queue.add(job(name, demand(gpus={"h100": 1}), user="an", project=project))
    place.queue.add(job("four", demand(gpus={"h100": 1}), user="binh"))
    limits = {("user", "an"): ConcurrentLimits(max_tres={"gres/gpu:h100": 2})}
    assert place.started(limits) == ["one", "two", "four"]


def test_a_person_at_their_limit_stops_nobody_else_of_the_project() -> None:
    place = world({"n1": (8, {})})
    for number in range(5000):
        place.queue.add(job(f"an-{number}", user="an"))
    place.queue.add(job("last", user="binh"))
    assert place.started({("member", "lab/an"): ConcurrentLimits(max_running_tasks=2)}) == [
        "an-0",
        "an-1",
        "last",
    ]


def test_gpus_of_any_type_are_those_that_every_level_still_allows() -> None:
    place = world({"n1": (8, {"a100": 4, "h100": 4})})
    place.queue.add(job("any", demand(gpus={"": 2}), user="an"))
    limits = {
        ("member", "lab/an"): ConcurrentLimits(max_tres={"gres/gpu:a100": 1}),
        ("organisation", "uni"): ConcurrentLimits(max_tres={"gres/gpu:a100": 0, "gres/gpu:h100": 3}),
    }
    (start,) = place.plan(limits).starts
    assert start.slot.gpu_types == {"h100": 2}


def test_what_ends_leaves_room_at_every_level() -> None:
    place = world({"n1": (8, {})})
    for name in ("first", "second"):
        place.queue.add(job(name, user="an"))
    limits = {("user", "an"): ConcurrentLimits(max_running_tasks=1)}
    (start,) = place.plan(limits).starts
    assert place.started(limits) == []
    place.pool.release(start.slot.slot_id)
    assert place.started(limits) == ["second"]
