"""The page of a project's shared files: browse, look at, download, upload, rename, delete."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.queries import list_own_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, PortalError, Problem
from hpc_portal.app.files.preview import PreviewKind
from hpc_portal.app.project_files.make_folder import make_folder
from hpc_portal.app.project_files.move import move_file
from hpc_portal.app.project_files.place import FilesPlace, files_to_change, files_to_see
from hpc_portal.app.project_files.receive import WantedPart, begin_part
from hpc_portal.app.project_files.remove import remove_file, what_is_there
from hpc_portal.app.project_files.search import search_files
from hpc_portal.app.services import Services
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.middleware import MAX_BODY_BYTES
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.project_choice import chosen_account
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_files import ShownFolder, listing_facts, preview_facts, send_file, send_zip
from hpc_portal.web.show_storage import show_storage
from hpc_portal.web.tenant_forms import carry_out, text_of
from quotas.errors import QuotaError
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_BLOCK_BYTES = 1024 * 1024
_CHOOSE_FILES = N_("Choose one file or several first.")


@dataclass(frozen=True, slots=True)
class _Page:
    """One folder of a project's files, rendered again and again."""

    request: Request
    actor: Actor
    services: Services
    account: str
    path: str = ""

    def show(self, problems: Sequence[ShownProblem] = (), *, after: str = "", search: str = "") -> Response:
        place = files_to_see(self.services, self.actor, self.account)
        pages, now = pages_of(self.request), self.services.clock.now()
        with self.services.reading() as session:
            stored = project_storage(session, self.actor, self.account, at=now)
        facts = {
            **self._head(place),
            **listing_facts(_folder(place), self.path, after),
            **(_found(place, search) if search else {}),
            "search": search,
            "problems": problems,
            "stored": show_storage(self.account, stored, pages.language(self.request)),
            "most_bytes": MAX_BODY_BYTES,
        }
        return pages.render(self.request, "files/project.html", facts)

    def ask(self, question: str, problems: Sequence[ShownProblem] = (), to: str = "") -> Response:
        """The page that asks before something is deleted, or how it shall be called."""
        place = files_to_change(self.services, self.actor, self.account)
        facts = {
            **self._head(place),
            "address": f"/projects/{self.account}",
            "there": what_is_there(place, self.path),
            "folder": _parent(self.path),
            "to": to or self.path,
            "problems": problems,
        }
        return pages_of(self.request).render(self.request, f"files/{question}.html", facts)

    def look(self) -> Response:
        place = files_to_see(self.services, self.actor, self.account)
        shown = preview_facts(_folder(place), self.path)
        if shown["preview"].kind is PreviewKind.WAVES:
            address = f"/projects/{self.account}/waves?{urlencode({'path': self.path})}"
            return RedirectResponse(address, HTTPStatus.SEE_OTHER)
        facts = {
            **self._head(place),
            **shown,
            "path_on_nodes": str(place.root / place.folder / self.path.strip("/")),
        }
        return pages_of(self.request).render(self.request, "files/project_preview.html", facts)

    def _head(self, place: FilesPlace) -> dict[str, Any]:
        with self.services.reading() as session:
            _, facts = project_facts(session, self.actor, self.account, "files")
        return {**facts, "may_change": place.may_change}


@router.get("/files")
def show_own(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Those of the project that the reader works in."""
    with services.reading() as session:
        account = chosen_account(request, list_own_projects(session, actor))
    return RedirectResponse(f"/projects/{account}/files" if account else "/quota", HTTPStatus.SEE_OTHER)


@router.get("/projects/{account}/files")
def show(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    path: str = "",
    after: str = "",
    search: str = "",
) -> Response:
    """One folder, or what a search finds in all of them, with what is used of the project's storage."""
    return _Page(request, actor, services, account, path).show(after=after, search=search.strip()[:255])


@router.get("/projects/{account}/preview")
def look(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str
) -> Response:
    """What a file looks like, beside what can be done with it."""
    return _Page(request, actor, services, account, path).look()


@router.get("/projects/{account}/zip")
def send_folder(actor: CurrentActor, services: PortalServices, account: str, path: str = "") -> Response:
    """A folder with all that is below it, as a zip file."""
    return send_zip(_folder(files_to_see(services, actor, account)), path)


@router.get("/projects/{account}/files/{path:anypath}")
def send(actor: CurrentActor, services: PortalServices, account: str, path: str) -> Response:
    """The file's bytes."""
    return send_file(_folder(files_to_see(services, actor, account)), path)


@router.post("/projects/{account}/files")
async def upload(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str = ""
) -> Response:
    """Files from a form, for browsers without scripts; what arrived before one is refused stays."""
    page = _Page(request, actor, services, account, path)
    await asyncio.to_thread(files_to_change, services, actor, account)
    async with request.form() as form:
        sent = [one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename]
        overwrite = text_of(form, "overwrite") == "yes"
        try:
            if not sent:
                raise InvalidEntry([Problem("files", _CHOOSE_FILES)])
            for one in sent:
                await _keep(services, actor, account, path, one, overwrite=overwrite)
        except (PortalError, QuotaError) as error:
            return await _refused(page, error)
    return RedirectResponse(_address(account, path), HTTPStatus.SEE_OTHER)


@router.post("/projects/{account}/folders")
async def new_folder(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str = ""
) -> Response:
    """Make a folder and go into it."""
    page = _Page(request, actor, services, account, path)
    wanted = str(PurePosixPath(path) / text_of(await request.form(), "name"))
    return await carry_out(
        request,
        lambda: make_folder(services, actor, account, wanted),
        page.show,
        lambda made: RedirectResponse(_address(account, str(made)), HTTPStatus.SEE_OTHER),
    )


@router.get("/projects/{account}/rename")
def ask_name(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str
) -> Response:
    """Ask for the new path."""
    return _Page(request, actor, services, account, path).ask("rename")


@router.post("/projects/{account}/rename")
async def rename(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str
) -> Response:
    """Rename or move it, and show where it lies then."""
    page = _Page(request, actor, services, account, path)
    to = text_of(await request.form(), "to")
    return await carry_out(
        request,
        lambda: move_file(services, actor, account, path, to),
        lambda problems: page.ask("rename", problems, to),
        lambda moved: RedirectResponse(_address(account, _parent(str(moved))), HTTPStatus.SEE_OTHER),
    )


@router.get("/projects/{account}/delete")
def ask_whether(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str
) -> Response:
    """Say what would be destroyed, and ask."""
    return _Page(request, actor, services, account, path).ask("delete")


@router.post("/projects/{account}/delete")
async def delete(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, path: str
) -> Response:
    """Delete it for good."""
    page = _Page(request, actor, services, account, path)
    return await carry_out(
        request,
        lambda: remove_file(services, actor, account, path),
        lambda problems: page.ask("delete", problems),
        _address(account, _parent(path)),
    )


async def _keep(  # noqa: PLR0913 - what is kept, where, for whom
    services: Services, actor: Actor, account: str, folder: str, sent: UploadFile, *, overwrite: bool
) -> None:
    """A file of a form, which lies in a temporary file by now, block by block."""
    path = str(PurePosixPath(folder) / (sent.filename or ""))
    wanted = WantedPart(uuid4(), path, sent.size or 0, overwrite=overwrite)
    part = await asyncio.to_thread(begin_part, services, actor, account, wanted)
    try:
        while block := await sent.read(_BLOCK_BYTES):
            await asyncio.to_thread(part.write, block)
        await asyncio.to_thread(part.end)
    finally:
        await asyncio.to_thread(part.close)


async def _refused(page: _Page, error: PortalError | QuotaError) -> Response:
    def refuse() -> None:
        raise error

    return await carry_out(page.request, refuse, page.show, "")


def _folder(place: FilesPlace) -> ShownFolder:
    account = place.project.account
    return ShownFolder(place.root, place.folder, f"/projects/{account}", account)


def _found(place: FilesPlace, search: str) -> dict[str, Any]:
    """In place of a folder's entries: files of all folders, each named by its path."""
    found, is_all = search_files(place.root, place.folder, search)
    entries = [replace(entry, name=entry.path) for entry in found]
    return {"entries": entries, "next_after": None, "is_all_found": is_all}


def _parent(path: str) -> str:
    parent = str(PurePosixPath(path.strip("/")).parent)
    return "" if parent == "." else parent


def _address(account: str, path: str) -> str:
    return f"/projects/{account}/files" + (f"?{urlencode({'path': path})}" if path else "")
