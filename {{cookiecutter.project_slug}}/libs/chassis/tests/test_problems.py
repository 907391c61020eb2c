import json
from typing import Annotated

import pytest
from fastapi import APIRouter, Body, HTTPException
from pydantic import BaseModel, ConfigDict

from chassis.errors import Rejected, Unavailable
from chassis.guard import ClientRoute
from chassis.service import Service
from testkit import running


async def fail(how: str) -> None:
    raise {
        "gone": HTTPException(410, "it is gone", {"x-since": "1999"}),
        "rejected": Rejected("never"),
        "verbose": Rejected("\x00" * 1_000_000),
        "away": Unavailable("the store is away"),
        "late": TimeoutError(),
        "bug": ZeroDivisionError("a secret of the service"),
    }[how]


async def basket(quantity: Annotated[int, Body(embed=True, ge=1)]) -> None:
    """Takes a body, to have something that is not valid."""


class Line(BaseModel):
    name: str
    quantity: int


class Lines(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: list[Line]


async def take(lines: Lines) -> None:
    """Takes a list that names every error in it."""


@pytest.fixture
def failing(service: Service) -> Service:
    router = APIRouter(route_class=ClientRoute)
    router.add_api_route("/fail/{how}", fail)
    router.add_api_route("/basket", basket, methods=["POST"])
    router.add_api_route("/lines", take, methods=["POST"])
    service.app.include_router(router)
    return service


@pytest.mark.parametrize(
    ("how", "status", "detail"),
    [
        ("gone", 410, "it is gone"),
        ("rejected", 422, "never"),
        ("away", 503, "try again: the store is away"),
        ("late", 503, "try again: the sidecar did not answer in time"),
    ],
)
async def test_an_error_is_a_problem_with_a_status_and_a_reason(
    failing: Service, how: str, status: int, detail: str
) -> None:
    async with running(failing) as client:
        response = await client.get(f"/fail/{how}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() == {"title", "status", "detail", "instance"}
    assert (problem["status"], problem["detail"]) == (status, detail)
    assert problem["instance"] == f"/fail/{how}"


async def test_an_unknown_path_is_a_problem_too(failing: Service) -> None:
    async with running(failing) as client:
        response = await client.get("/nowhere")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["title"] == "Not Found"


async def test_a_problem_keeps_the_headers_of_its_error(failing: Service) -> None:
    async with running(failing) as client:
        response = await client.get("/fail/gone")
    assert response.headers["x-since"] == "1999"


async def test_bad_input_names_each_field_and_what_is_wrong_with_it(failing: Service) -> None:
    async with running(failing) as client:
        problem = (await client.post("/basket", json={"quantity": 0})).json()
    assert problem["status"] == 422
    assert problem["detail"] == "the request is not valid: see errors"
    (error,) = problem["errors"]
    assert error["where"] == "body.quantity"
    assert error["why"].startswith("Input should be greater than")


@pytest.mark.parametrize("key", ["x", "\x00", "\U0001f600", "k" * 1_000])
async def test_a_body_with_thousands_of_errors_gets_a_short_answer(
    failing: Service, key: str
) -> None:
    body = json.dumps({"lines": [{}] * 20_000} | {f"{key}{n}": n for n in range(50)})
    headers = {"content-type": "application/json"}
    async with running(failing) as client:
        response = await client.post("/lines", content=body, headers=headers)
    assert response.status_code == 422
    assert len(response.content) < 4_000
    assert response.json()["detail"].endswith("see the first 5 of 40050 errors")


@pytest.mark.parametrize("path", ["x" * 60_000, "%01" * 20_000, "%F0%9F%98%80" * 5_000])
async def test_a_path_is_not_said_back_in_full(failing: Service, path: str) -> None:
    async with running(failing) as client:
        response = await client.get(f"/{path}")
    assert response.status_code == 404
    assert len(response.content) < 1_000


async def test_a_long_reason_is_cut(failing: Service) -> None:
    async with running(failing) as client:
        response = await client.get("/fail/verbose")
    assert response.status_code == 422
    assert len(response.content) < 4_000


async def test_a_bug_is_a_problem_that_gives_nothing_away(failing: Service) -> None:
    async with running(failing) as client:
        response = await client.get("/fail/bug")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
