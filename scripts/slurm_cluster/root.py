"""The Debian root that all instances share, read only: built once for each list of packages, then cached."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.slurm_cluster.errors import RootNotBuilt
from scripts.slurm_cluster.privilege import as_root, run_as_root

DEFAULT_SUITE = "trixie"
"""The first Debian whose Slurm (24.11) speaks an API version that is still alive. Tests use no other."""
_RECIPE = "sid"
"""debootstrap's name for how newer releases are put together: it need not have heard of the suite itself."""
_PACKAGES = (
    "slurmctld",
    "slurmd",
    "slurmdbd",
    "slurmrestd",
    "slurm-client",
    "slurm-wlm-jwt-plugin",
    "slurm-wlm-mysql-plugin",
    "munge",
    "mariadb-server",
    # What jobs run: the portal's two workloads are a simulation and a training.
    "iverilog",
    "python3",
)
_FINISH = """
set -e
useradd --system --no-create-home slurmrestd
chmod 755 /root
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc /usr/share/man
"""
_CACHE_SETTING = "HPC_PORTAL_SLURM_CACHE"
_MIRROR_SETTING = "HPC_PORTAL_DEBIAN_MIRROR"
_BUILD_SECONDS = 1800


def cache_folder() -> Path:
    """Outside every checkout, so that a fresh one starts in seconds too."""
    if chosen := os.environ.get(_CACHE_SETTING):
        return Path(chosen)
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user_cache) / "hpc-portal" / "slurm"


def root_folder(suite: str = DEFAULT_SUITE) -> Path:
    """Where the root for today's list of packages is, or will be."""
    recipe = "\n".join((suite, *_PACKAGES, _FINISH))
    return cache_folder() / f"{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def need_root(suite: str = DEFAULT_SUITE) -> Path:
    """The finished root; builds it first if there is none. Others who want it wait meanwhile.

    Raises:
        RootNotBuilt: debootstrap is missing or failed.
        NotPrivileged: neither root nor sudo.
    """
    root = root_folder(suite)
    if root.exists():
        return root
    with locked(root.parent / "lock"):
        if not root.exists():
            build(root, suite)
    return root


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with its holder, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(root: Path, suite: str) -> None:
    """Under another name first: a root that has its name is complete."""
    if shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        raise RootNotBuilt(
            "debootstrap is missing: run scripts/setup.sh test, or apt-get install debootstrap."
        )
    unfinished = root.with_name(f"{root.name}.unfinished")
    log = root.with_name(f"{root.name}.log")
    run_as_root("rm", "-rf", "--one-file-system", str(unfinished))
    print(f"==> Building a Debian root with Slurm in {root} (about a minute, once)", flush=True)
    with log.open("wb") as output:
        # In a mount namespace of its own: what debootstrap mounts is gone with it, even if it is killed.
        built = subprocess.run(  # noqa: S603 - our own command line
            as_root(
                *("unshare", "--mount", "env", *proxy_settings(), "debootstrap", "--variant=minbase"),
                *(f"--include={','.join(_PACKAGES)}", suite, str(unfinished), mirror(), _RECIPE),
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    if built.returncode:
        raise RootNotBuilt(
            f"debootstrap failed; see {log}:\n" + "\n".join(log.read_text().splitlines()[-15:])
        )
    run_as_root("chroot", str(unfinished), "sh", "-c", _FINISH)
    run_as_root("mv", "--no-target-directory", str(unfinished), str(root))


def mirror() -> str:
    """The Debian mirror that this machine's apt uses already."""
    if chosen := os.environ.get(_MIRROR_SETTING):
        return chosen
    # Without release information, so that it also works before the first `apt-get update`.
    fields = "--format=$(REPO_URI) $(RELEASE) $(COMPONENT)"
    sources = map(str.split, ask_apt("apt-get", "indextargets", "--no-release-info", fields).splitlines())
    here = platform.freedesktop_os_release().get("VERSION_CODENAME")
    candidates = [uri for uri, release, component in sources if (release, component) == (here, "main")]
    # Others may publish for this release too; theirs seldom end like Debian's own.
    for uri in sorted(candidates, key=lambda uri: not uri.rstrip("/").endswith("/debian")):
        return in_mirror_list(uri.removeprefix("mirror+file:")) if uri.startswith("mirror+file:") else uri
    raise RootNotBuilt(f"apt knows no Debian mirror here: name one in {_MIRROR_SETTING}.")


def in_mirror_list(path: str) -> str:
    """The first mirror of a file as Debian's cloud images have it."""
    for line in Path(path.rstrip("/")).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            return line.split()[0]
    raise RootNotBuilt(f"{path} names no Debian mirror: name one in {_MIRROR_SETTING}.")


def proxy_settings() -> list[str]:
    """Apt's proxy as debootstrap's downloader wants to hear of it."""
    proxies = {name: os.environ.get(name, "") for name in ("http_proxy", "https_proxy", "no_proxy")}
    proxies["http_proxy"] = proxies["http_proxy"] or apt_setting("Acquire::http::Proxy")
    proxies["https_proxy"] = proxies["https_proxy"] or apt_setting("Acquire::https::Proxy")
    return [f"{name}={value}" for name, value in proxies.items() if value and value != "DIRECT"]


def apt_setting(name: str) -> str:
    """Empty: not set."""
    return ask_apt("apt-config", "dump", "--format", "%v%n", name).strip()


def ask_apt(*command: str) -> str:
    """What apt says.

    Raises:
        RootNotBuilt: this machine has no apt.
    """
    try:
        return subprocess.run(  # noqa: S603 - a command of this module
            command, capture_output=True, text=True, check=True
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise RootNotBuilt(f"{command[0]} does not answer; a Debian machine is needed.") from error
