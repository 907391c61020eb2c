"""Errors of the HTTP API as RFC 9457 problem details, a few kilobytes at most."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chassis.errors import Rejected, Unavailable
from chassis.text import MAX_ERRORS, cut, first_errors

#: Bytes of the path that is said back: longer than any of ours.
MAX_PATH = 300


def use_problem_details(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Unavailable, _away)
    app.add_exception_handler(TimeoutError, _away)
    app.add_exception_handler(Exception, _bug)


def problem(request: Request, status: int, detail: str, **more: Any) -> JSONResponse:
    """`type` is omitted, which means `about:blank`: the status says what kind of problem it is."""
    return JSONResponse(
        {
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": cut(detail),
            "instance": cut(request.url.path, MAX_PATH),
            **more,
        },
        status,
        media_type="application/problem+json",
    )


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    response = problem(request, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    which = f"the first {MAX_ERRORS} of {len(errors)} " if len(errors) > MAX_ERRORS else ""
    detail = f"the request is not valid: see {which}errors"
    return problem(request, 422, detail, errors=first_errors(errors))


async def _rejected(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 422, str(error))


def unavailable(request: Request, error: Exception) -> JSONResponse:
    reason = str(error) or "the sidecar did not answer in time"
    response = problem(request, 503, f"try again: {reason}")
    response.headers["retry-after"] = "1"
    return response


async def _away(request: Request, error: Exception) -> JSONResponse:
    return unavailable(request, error)


async def _bug(request: Request, _: Exception) -> JSONResponse:
    return problem(request, 500, "the service failed; its log has the cause under this trace")
