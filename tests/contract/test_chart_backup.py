"""The nightly backup: as narrow as every other pod; nobody is told that one is late where none is made."""

import pytest
from helm_python.errors import HelmError

from hpc_portal.app.settings import Settings
from tests.contract.charts import MINIMUM, Thing, Values, environment, example, of_kind, pods, render


def job(things: list[Thing]) -> Thing:
    [found] = [pod for thing, pod in pods(things) if thing["kind"] == "CronJob"]
    return found


def test_it_saves_database_and_attachments_into_a_volume_that_outlives_the_release() -> None:
    values = example("external-database")
    things = render(values)
    [cron] = of_kind(things, "CronJob").values()
    assert (cron["spec"]["schedule"], cron["spec"]["timeZone"]) == ("30 1 * * *", "Asia/Ho_Chi_Minh")
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job(things)
    [container] = pod["containers"]
    assert container["args"] == ["hpc-portal", "backup", "/backup", "--keep", "30"]
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    assert (mounts["workspaces"]["mountPath"], mounts["workspaces"]["readOnly"]) == (
        "/shared/hpc-portal",
        True,
    )
    assert not mounts["backup"].get("readOnly")
    [volume] = [one for one in pod["volumes"] if one["name"] == "backup"]
    claim = of_kind(things, "PersistentVolumeClaim")["backup"]
    assert volume["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["resources"]["requests"] == {"storage": "200Gi"}


def test_it_finds_the_attachments_where_the_web_processes_put_them(monkeypatch: pytest.MonkeyPatch) -> None:
    things = render(example("external-database"))
    for name, value in environment(things, job(things)).items():
        monkeypatch.setenv(name, value)
    assert str(Settings().attachment_root) == "/shared/hpc-portal/attachments"


def test_a_claim_of_the_sites_own_is_used_and_none_is_made() -> None:
    values = example("external-database")
    values["backup"]["existingClaim"] = "tape"
    things = render(values)
    [volume] = [one for one in job(things)["volumes"] if one["name"] == "backup"]
    assert volume["persistentVolumeClaim"] == {"claimName": "tape"}
    assert not of_kind(things, "PersistentVolumeClaim")


def test_it_reaches_the_database_and_nothing_else() -> None:
    things = render(example("external-database"))
    rules = [
        rule
        for policy in of_kind(things, "NetworkPolicy").values()
        if policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component") == "backup"
        for rule in (*policy["spec"].get("egress", ()), *policy["spec"].get("ingress", ()))
    ]
    assert rules == [
        {"ports": [{"protocol": "TCP", "port": 5432}], "to": [{"ipBlock": {"cidr": "10.20.0.0/28"}}]}
    ]


@pytest.mark.parametrize(
    ("change", "hours"),
    [
        ({}, 0),
        ({"backup": {"enabled": True}}, 26),
        ({"settings": {**MINIMUM["settings"], "backup_late_hours": 50}}, 50),
        ({"mode": "embedded", "settings": {}}, 0),
    ],
    ids=["none is made", "one is made each night", "a site makes them otherwise", "embedded"],
)
def test_a_backup_is_late_only_where_one_is_made(
    change: Values, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = render(MINIMUM | change)
    [pod] = [pod for thing, pod in pods(things) if thing["metadata"]["name"].endswith(("-web", "-embedded"))]
    for name, value in environment(things, pod).items():
        monkeypatch.setenv(name, value)
    assert Settings().backup_late_hours == hours


def test_the_embedded_mode_has_none() -> None:
    with pytest.raises(HelmError, match=r"backup.enabled: only in the mode `replicated`"):
        render({"mode": "embedded", "backup": {"enabled": True}})
