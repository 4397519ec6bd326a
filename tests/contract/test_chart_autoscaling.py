"""Pools that follow the queue: what KEDA is told; what comes of it is in test_pool_follows_queue.py."""

from copy import deepcopy

import pytest
from helm_python.errors import HelmError

from tests.contract.charts import Thing, Values, example, of_kind, render


def scaled(values: Values) -> Thing:
    [found] = of_kind(render(values), "ScaledObject").values()
    spec: Thing = found["spec"]
    return spec


def triggers(values: Values) -> dict[str, tuple[str, str]]:
    """Query and threshold of each that asks Prometheus, by name."""
    return {
        one["name"]: (one["metadata"]["query"], one["metadata"]["threshold"])
        for one in scaled(values)["triggers"]
        if one["type"] == "prometheus"
    }


def test_each_resource_of_a_pod_is_asked_for_in_the_pools_own_partition() -> None:
    place = 'cluster="danang",partition="gpu"'
    most = f"max(hpc_wanted_nodes_at_once{{{place}}})"
    assert triggers(example("dask")) == {
        "nodes": (most, "1"),
        "cpus": (f'max(hpc_wanted_tres{{{place},tres="cpu"}})', "32"),
        "memory": (f'max(hpc_wanted_tres{{{place},tres="mem"}})', "245760"),
        "gpus": (f'max(hpc_wanted_tres{{{place},tres="gres/gpu"}})', "8"),
        "busy": (
            f'max(hpc_nodes_busy_below{{cluster="danang",group="hpc-hpc-portal-gpu"}}) or 0 * {most}',
            "1",
        ),
    }


def test_a_pool_without_gpus_does_not_ask_for_them() -> None:
    values = example("dask")
    del values["dask"]["pools"]["gpu"]["gpus"]
    assert "gpus" not in triggers(values)


def test_cluster_and_partition_are_those_of_the_settings() -> None:
    values = example("dask")
    values["settings"] |= {"cluster_name": "lake", "partitions": [{"name": "ai", "is_default": True}]}
    values["dask"]["pools"]["gpu"]["autoscaling"]["partition"] = "ai"
    query, _ = triggers(values)["cpus"]
    assert query == 'max(hpc_wanted_tres{cluster="lake",partition="ai",tres="cpu"})'


def test_a_pool_of_no_partition_is_refused() -> None:
    values = example("dask")
    del values["settings"]["partitions"]
    with pytest.raises(
        HelmError, match=r"pools.gpu.autoscaling.partition: settings.partitions has no gpu, but"
    ):
        render(values)


def test_a_pool_is_scaled_between_its_bounds_and_shrinks_late() -> None:
    spec = scaled(example("dask"))
    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["cooldownPeriod"]) == (0, 4, 900)
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == {"scaleDown": {"stabilizationWindowSeconds": 900}}
    pool = of_kind(render(example("dask")), "StatefulSet")["gpu"]
    assert spec["scaleTargetRef"]["name"] == pool["metadata"]["name"]
    assert "replicas" not in pool["spec"], "each upgrade would set it back"


def waking(values: Values) -> list[Thing]:
    """When the pool comes up whole, of each schedule that makes it."""
    return [one["metadata"] for one in scaled(values)["triggers"] if one["type"] == "cron"]


def test_a_pool_comes_up_whole_twice_a_week_unless_that_is_not_wanted() -> None:
    """The portal refuses jobs that no node it saw within seven days could take."""
    values = example("dask")
    assert waking(values) == [
        {
            "timezone": "Asia/Ho_Chi_Minh",
            "start": "0 5 * * 1,4",
            "end": "15 5 * * 1,4",
            "desiredReplicas": "4",
        }
    ]
    values["dask"]["wake"] = {"start": ""}
    assert waking(values) == []


def test_a_pools_own_waking_goes_before_that_of_all_also_where_it_says_never() -> None:
    values = example("dask")
    own = values["dask"]["pools"]["gpu"]["autoscaling"]
    own["wake"] = {"start": "0 6 * * *", "end": "15 6 * * *"}
    [wake] = waking(values)
    assert (wake["timezone"], wake["start"], wake["end"]) == ("Asia/Ho_Chi_Minh", "0 6 * * *", "15 6 * * *")
    own["wake"] = {"start": ""}
    assert waking(values) == []
    values["dask"]["wake"] = {"start": ""}
    own["wake"] = {"start": "0 6 * * *"}
    assert [wake["start"] for wake in waking(values)] == ["0 6 * * *"]


def test_what_one_pool_says_of_waking_is_not_of_the_next() -> None:
    values = example("dask")
    pools = values["dask"]["pools"]
    pools["cpu"] = deepcopy(pools["gpu"])
    pools["cpu"]["autoscaling"] |= {"partition": "gpu", "wake": {"start": ""}}
    found = of_kind(render(values), "ScaledObject")
    kinds = {name: {one["type"] for one in thing["spec"]["triggers"]} for name, thing in found.items()}
    assert kinds == {"cpu": {"prometheus"}, "gpu": {"prometheus", "cron"}}
