"""Looks at this machine: settings that are unsafe, folders that cannot be written, disks that are full."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hpc_portal.app.settings import Settings
from hpc_portal.cli.doctor.finding import Finding, doubt, well, wrong
from hpc_portal.cli.language import gettext as _

_LITTLE = 0.05
_CAP_CHOWN = 1 << 0
"""linux/capability.h"""


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    """Settings and folders."""
    yield _public_url(settings)
    yield from _private(_("State folder"), settings.state_dir)
    yield from _folder(_("Workspaces"), settings.effective_workspace_root)
    yield from _folder(_("Attachments"), settings.effective_attachment_root)
    if settings.slurm:
        yield _may_give_folders_away()
    yield from _license_tools(settings)
    if settings.site_templates:
        yield from _site_templates(settings.site_templates)


def _public_url(settings: Settings) -> Finding:
    about = _("Address")
    if not settings.public_url:
        return doubt(
            about, _("HPC_PORTAL_PUBLIC_URL is not set: mails have no links, and cookies are not Secure.")
        )
    if not settings.public_url.startswith("https://"):
        return doubt(about, _("{url} is not https: passwords are read on the way.", url=settings.public_url))
    return well(about, settings.public_url)


def _private(about: str, folder: Path) -> Iterator[Finding]:
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as problem:
        yield _not_ours(about, folder, problem)
        return
    if mode & 0o066:
        yield wrong(about, _("Others may read {path}: chmod 711 it.", path=folder))


def _folder(about: str, folder: Path) -> Iterator[Finding]:
    try:
        if not folder.exists():
            yield doubt(about, _("{path} is not there yet; it is made when it is needed.", path=folder))
            return
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        yield _not_ours(about, folder, problem)
        return
    usage = shutil.disk_usage(folder)
    free = _("{path}: {percent} % free.", path=folder, percent=round(100 * usage.free / usage.total))
    yield (well if usage.free > _LITTLE * usage.total else wrong)(about, free)


def _not_ours(about: str, folder: Path, problem: OSError) -> Finding:
    said = _("{path} cannot be written: {problem}", path=folder, problem=problem.strerror)
    if not isinstance(problem, PermissionError):
        return wrong(about, said)
    ours = _user_name()
    advice = _("The portal runs as {user}: give it the folder (chown {user} {path}).", user=ours, path=folder)
    return wrong(about, f"{said}. {advice}")


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _site_templates(folder: Path) -> Iterator[Finding]:
    about = _("Site templates")
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        yield wrong(about, _("{path} is not a folder.", path=folder))
    except OSError as problem:
        yield wrong(about, _("{path} cannot be read: {problem}", path=folder, problem=problem.strerror))


def _may_give_folders_away() -> Finding:
    about = _("Jobs' folders")
    [line] = [
        line
        for line in Path("/proc/self/status").read_text("ascii").splitlines()
        if line.startswith("CapEff:")
    ]
    if int(line.split()[1], 16) & _CAP_CHOWN:
        return well(about, _("This process may give them to the people's accounts on the cluster."))
    return doubt(
        about, _("This process may not give them away: a controller of Slurm needs root or CAP_CHOWN.")
    )


def _license_tools(settings: Settings) -> Iterator[Finding]:
    for server in settings.license_servers:
        if not shutil.which(server.command[0]):
            about = _("Licence server {address}", address=server.address)
            yield wrong(about, _("{command} is not installed here.", command=server.command[0]))
