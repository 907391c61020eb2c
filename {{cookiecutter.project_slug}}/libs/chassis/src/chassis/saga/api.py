"""The unfinished processes of an initiator over HTTP: list them, look at one.

A route for operators, behind the token of the app, as the dead letters are.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Query
from pydantic import BaseModel

from chassis.guard import SidecarRoute
from chassis.ports import Clock, Store
from chassis.saga.views import Phase, ProcessView, Summary
from chassis.unfinished import NAME, Gone, Listed, Unfinished

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

Older = Annotated[
    str | None, Query(pattern=r"^[0-9]{1,6}[smhd]$", description="Begun so long ago: 90s, 10m, 2h.")
]
PageName = Annotated[str | None, Query(pattern=NAME, description="`next_page` of the last.")]


class Processes(BaseModel):
    """A page may have fewer than fit, or none: only without a `next_page` there are no more."""

    processes: list[Summary]
    next_page: str | None


def add_routes(
    app: FastAPI,
    unfinished: Unfinished,
    store: Store,
    clock: Clock,
    summary: Callable[[Listed], Summary | None],
    find: Callable[[str, str], Awaitable[ProcessView | None]],
) -> None:
    async def list_processes(
        state: Phase | None = None, older: Older = None, page: PageName = None
    ) -> Processes:
        least = timedelta() if older is None else _duration(older)
        latest = int((clock.now() - least).timestamp())
        try:
            listed, following = await unfinished.listed(store, page)
        except Gone as error:
            raise HTTPException(410, f"{error}: begin with the first page again") from error
        found = (summary(each) for each in listed if each.since <= latest)
        shown = [each for each in found if each is not None and state in (None, each.state)]
        return Processes(processes=shown, next_page=following)

    async def show_process(saga: str, id: str) -> ProcessView:
        process = await find(saga, id)
        if process is None:
            raise HTTPException(404, f"there is no process {id} of {saga}")
        return process

    router = APIRouter(prefix="/processes", route_class=SidecarRoute, tags=["Processes"])
    router.add_api_route("", list_processes)
    router.add_api_route("/{saga}/{id}", show_process)
    app.include_router(router)


def _duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * SECONDS[text[-1]])
