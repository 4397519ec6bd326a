"""`hpc files`: the files that a project's people share, and that its jobs find at $HPC_PROJECT_FILES."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from hpc_portal.cli import waves
from hpc_portal.cli.errors import CliError, Unreachable, UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json, Yes
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import err, instant, out, print_json, table
from hpc_portal.cli.submit import only_project

files = typer.Typer(no_args_is_help=True, help="Files that a project's people share and its jobs read.")

InProject = Annotated[
    str, typer.Option("--project", envvar="HPC_PROJECT", help="In this project; default: your only one.")
]
Remote = Annotated[str, typer.Argument(metavar="PATH", help="Among the project's files, such as rtl/top.v.")]

_PART_BYTES = 32 * 1024 * 1024
_MOST_BREAKS = 8


@files.command("ls")
def list_files(
    path: Annotated[str, typer.Argument(metavar="[FOLDER]", help="Default: all of them at the top.")] = "",
    project: InProject = "",
    *,
    as_json: Json = False,
) -> None:
    """List a folder."""
    with open_portal() as portal:
        found = list(_entries(portal, _home(portal, project), path))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['name']}/" if one["kind"] == "folder" else one["name"],
            "" if one["kind"] == "folder" else f"{one['size_bytes']:,}",
            instant(one["changed_at"]),
        )
        for one in found
    ]
    out.print(table((_("Name"), _("Bytes"), _("Changed")), rows, right=(1,)))


@files.command("put")
def put(
    local: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files and whole folders.")],
    to: Annotated[str, typer.Option("--to", help="Into this folder of the project's files.")] = "",
    project: InProject = "",
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same name.")] = False,
) -> None:
    """Upload files and folders; each appears when all of it is there."""
    chosen = [pair for path in local for pair in _chosen(path)]
    with open_portal() as portal:
        home = _home(portal, project)
        for path, name in chosen:
            remote = str(PurePosixPath(to) / name)
            kept = _send(portal, home, path, remote, overwrite=overwrite)
            err.print(_("{file} is there.", file=kept), markup=False)


@files.command("get")
def get(
    path: Remote,
    local: Annotated[
        str, typer.Argument(metavar="[LOCAL]", help="Where to; - prints it. Default: its own name, here.")
    ] = "",
    project: InProject = "",
    *,
    as_zip: Annotated[bool, typer.Option("--zip", help="PATH is a folder; fetch it as a zip file.")] = False,
) -> None:
    """Download a file, or a folder as a zip file. A file that is there already is not overwritten."""
    name = PurePosixPath(path).name + (".zip" if as_zip else "")
    target = Path(local or name)
    if target.is_dir():
        target /= name
    with open_portal() as portal:
        address = f"{_home(portal, project)}/files/{'zip' if as_zip else 'content'}"
        if local == "-":
            portal.save(address, sys.stdout.buffer, path=path)
            return
        _fetch(portal, address, path, target)


@files.command("rm")
def remove(path: Remote, project: InProject = "", *, yes: Yes = False) -> None:
    """Delete a file, or a folder with all that is in it, for everybody and for good."""
    with open_portal() as portal:
        home = _home(portal, project)
        if not yes:
            question = _("Delete {path} for everybody in the project, with all that is in it?", path=path)
            typer.confirm(question, abort=True, err=True)
        gone = portal.delete(f"{home}/files", path=path)
    err.print(_("{count} deleted.", count=gone["files"]))


@files.command("mv")
def move(
    path: Remote,
    to: Annotated[str, typer.Argument(metavar="NEW_PATH", help="Nothing may be there yet.")],
    project: InProject = "",
) -> None:
    """Rename a file or folder, or move it into another one."""
    with open_portal() as portal:
        moved = portal.post(f"{_home(portal, project)}/files/moves", {"path": path, "to": to})
    err.print(_("{file} is there.", file=moved["path"]), markup=False)


@files.command("mkdir")
def make_folder(path: Remote, project: InProject = "") -> None:
    """Make a folder, and those on the way to it."""
    with open_portal() as portal:
        made = portal.post(f"{_home(portal, project)}/files/folders", {"path": path})
    err.print(_("{file} is there.", file=made["path"]), markup=False)


@files.command("waves")
def look_at_waves(  # noqa: PLR0913 - each is an option
    path: Remote,
    signals: waves.Signals = None,
    project: InProject = "",
    *,
    at: waves.At = 0,
    scope: waves.Scope = "",
    search: waves.Search = "",
    as_json: Json = False,
) -> None:
    """List the signals of a waveform, or print their values at one time."""
    with open_portal() as portal:
        home = _home(portal, project)
        waves.show_waves(
            portal, home, path, signals or (), at=at, scope=scope, search=search, as_json=as_json
        )


def _home(portal: Portal, project: str) -> str:
    return f"/projects/{project or only_project(portal)}"


def _entries(portal: Portal, home: str, path: str) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = portal.get(f"{home}/files", path=path, cursor=cursor)
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _chosen(path: Path) -> Iterator[tuple[Path, str]]:
    """The files meant by an argument, each with its path among the project's files; links are not followed.

    Raises:
        UsageProblem: there is no such file or folder.
    """
    if path.is_dir():
        folder = path.resolve()
        for found in sorted(folder.rglob("*")):
            if found.is_file() and not found.is_symlink():
                yield found, str(PurePosixPath(folder.name) / found.relative_to(folder).as_posix())
    elif path.is_file():
        yield path, path.name
    else:
        raise UsageProblem(_("There is no file {file} here.", file=path))


def _send(portal: Portal, home: str, path: Path, remote: str, *, overwrite: bool) -> str:
    """Part by part; after a break from where the portal has it. Returns the path as it is kept."""
    address, size = f"{home}/uploads/{uuid.uuid4()}", path.stat().st_size
    offset = breaks = 0
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            query = {"path": remote, "size_bytes": size, "offset": offset, "overwrite": overwrite}
            try:
                receipt = portal.send(address, file.read(_PART_BYTES), **query)
            except Unreachable:
                breaks += 1
                if breaks > _MOST_BREAKS:
                    raise
                offset = portal.get(address)["received_bytes"]
                continue
            if receipt["is_complete"]:
                return str(receipt["path"])
            offset, breaks = receipt["received_bytes"], 0


def _fetch(portal: Portal, address: str, path: str, target: Path) -> None:
    """Into a temporary file beside it first: what breaks off leaves no half file under the name."""
    if target.exists():
        raise UsageProblem(_("{file} is there already; nothing was overwritten.", file=target))
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        with part.open("xb") as file:
            portal.save(address, file, path=path)
        part.rename(target)
    except OSError as error:
        raise CliError(
            _("{file} cannot be written: {problem}", file=target, problem=error.strerror)
        ) from error
    finally:
        part.unlink(missing_ok=True)
