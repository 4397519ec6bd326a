"""A request's body as a part of an upload: written as it arrives, so that no file is ever in memory."""

import asyncio

from starlette.requests import Request

from hpc_portal.app.actor import Actor
from hpc_portal.app.project_files.receive import Receipt, WantedPart, begin_part
from hpc_portal.app.services import Services

_BLOCK_BYTES = 1024 * 1024


async def receive_part(
    request: Request, services: Services, actor: Actor, account: str, wanted: WantedPart
) -> Receipt:
    """Append the body to the upload. What came before a client went away stays, so that it can go on.

    Raises:
        PortalError, QuotaError: as `begin_part` and the methods of what it returns.
    """
    part = await asyncio.to_thread(begin_part, services, actor, account, wanted)
    block = bytearray()
    try:
        try:
            async for piece in request.stream():
                block += piece
                if len(block) >= _BLOCK_BYTES:
                    whole, block = block, bytearray()
                    await asyncio.to_thread(part.write, bytes(whole))
        finally:
            if block:
                await asyncio.to_thread(part.write, bytes(block))
        return await asyncio.to_thread(part.end)
    finally:
        await asyncio.shield(asyncio.to_thread(part.close))
