"""Somebody in between: a proxy that answers some requests itself, as one does whose token rotates.

python -m testkit.faults.proxy --listen PORT --to PORT --share SHARE /PATH=STATUS,STATUS ...

Half of those it has passed on before: they were carried out, and their replies are gone.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import cycle
from random import Random

import aiohttp
from aiohttp import web

from testkit.faults.alterations import mark

TIMEOUT = aiohttp.ClientTimeout(total=60)
#: A bulk of messages, in base64.
MAX_BODY = 100 * 1024 * 1024
#: Between two connections, so not for us to pass on.
HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


class Proxy:
    """`refusals`: by the start of a path, the status codes that requests to it may get."""

    def __init__(self, port: int, share: float, refusals: Mapping[str, Sequence[int]]) -> None:
        self._target = f"http://127.0.0.1:{port}"
        self._share = share
        self._refusals = {path: cycle(statuses) for path, statuses in refusals.items()}
        self._random = Random(port)
        self._http: aiohttp.ClientSession

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.cleanup_ctx.append(self._connected)
        return app

    async def _connected(self, _: web.Application):  # type: ignore[no-untyped-def]
        async with aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False) as self._http:
            yield

    async def _handle(self, request: web.Request) -> web.Response:
        statuses = next(
            (each for path, each in self._refusals.items() if request.path.startswith(path)), None
        )
        if statuses is None or self._random.random() >= self._share:
            return await self._pass_on(request)
        status, when = next(statuses), "before"
        if self._random.random() < 0.5:
            when = "after"
            await self._pass_on(request)
        mark(f"{status} {when} {request.path}")
        return web.Response(status=status, text="somebody in between")

    async def _pass_on(self, request: web.Request) -> web.Response:
        async with self._http.request(
            request.method,
            f"{self._target}{request.raw_path}",
            data=await request.read(),
            headers=_passed_on(request.headers),
            allow_redirects=False,
        ) as response:
            body = await response.read()
            return web.Response(
                status=response.status, body=body, headers=_passed_on(response.headers)
            )


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}


def main() -> None:
    parser = argparse.ArgumentParser(prog="testkit.faults.proxy", description=__doc__)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--share", type=float, required=True)
    parser.add_argument("refusals", nargs="+", help="/PATH=STATUS,STATUS")
    given = parser.parse_args()
    refusals = {
        path: [int(status) for status in statuses.split(",")]
        for path, _, statuses in (each.partition("=") for each in given.refusals)
    }
    proxy = Proxy(given.to, given.share, refusals)
    web.run_app(proxy.app(), host="127.0.0.1", port=given.listen, print=None)


if __name__ == "__main__":
    main()
