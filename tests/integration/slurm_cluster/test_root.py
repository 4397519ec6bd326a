"""The cached root is built once, complete or not at all, from the mirror that this machine uses."""

import platform
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.slurm_cluster import root
from scripts.slurm_cluster.errors import RootNotBuilt


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HPC_PORTAL_SLURM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_another_list_of_packages_is_another_root(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = root.root_folder()
    assert before.parent == cache
    monkeypatch.setattr(root, "_PACKAGES", ("slurmctld",))
    assert root.root_folder() != before


def test_the_cache_is_outside_the_checkout_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HPC_PORTAL_SLURM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert root.cache_folder() == tmp_path / "hpc-portal" / "slurm"


def test_who_comes_while_a_root_is_built_waits_for_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[Path] = []
    is_building, may_finish = threading.Event(), threading.Event()

    def slow_build(folder: Path, _: str) -> None:
        builds.append(folder)
        is_building.set()
        assert may_finish.wait(60)
        folder.mkdir()

    monkeypatch.setattr(root, "build", slow_build)
    found: list[Path] = []
    builders = [threading.Thread(target=lambda: found.append(root.need_root())) for _ in range(3)]
    for builder in builders:
        builder.start()
    assert is_building.wait(60)
    may_finish.set()
    for builder in builders:
        builder.join(60)
    assert (len(builds), found) == (1, [root.root_folder()] * 3)


def test_a_failed_build_says_what_went_wrong_and_is_no_root(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_PORTAL_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    with pytest.raises(RootNotBuilt, match=r"debootstrap failed(.|\n)*127\.0\.0\.1:9"):
        root.need_root()
    assert not root.root_folder().exists()


@pytest.fixture
def apt_says(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.delenv("HPC_PORTAL_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "bookworm"})

    def pretend(sources: str) -> None:
        monkeypatch.setattr(root, "ask_apt", lambda *_: sources)

    return pretend


def test_the_mirror_is_the_one_of_apt(apt_says: Callable[[str], None]) -> None:
    apt_says(
        "http://deb.example.com/extra/ bookworm main\n"
        "http://mirror.example.vn/debian-security/ bookworm-security main\n"
        "http://docker.example.com/linux/debian/ bookworm stable\n"
        "http://mirror.example.vn/debian/ bookworm main\n"
        "http://mirror.example.vn/debian/ bookworm-updates main\n"
    )
    assert root.mirror() == "http://mirror.example.vn/debian/"


def test_a_mirror_may_have_an_uncommon_path(apt_says: Callable[[str], None]) -> None:
    apt_says("http://cache.example.vn/debian-remote/ bookworm main\n")
    assert root.mirror() == "http://cache.example.vn/debian-remote/"


def test_the_list_of_mirrors_of_a_cloud_image_is_followed(
    apt_says: Callable[[str], None], tmp_path: Path
) -> None:
    (tmp_path / "debian.list").write_text("# nearest first\nhttps://mirror.example.vn/debian priority:1\n")
    apt_says(f"mirror+file:{tmp_path}/debian.list/ bookworm main\n")
    assert root.mirror() == "https://mirror.example.vn/debian"


def test_a_machine_without_a_debian_mirror_is_told_so(apt_says: Callable[[str], None]) -> None:
    apt_says("")
    with pytest.raises(RootNotBuilt, match="HPC_PORTAL_DEBIAN_MIRROR"):
        root.mirror()
