"""With mTLS, a sidecar knows who calls: only orders may ask for something, and only by command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.orders.mtls import sidecars
from tests.system.sidecars import Sidecar
from workspace.daprfile import App

COMMAND = "commands/reserve-stock"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, App]]:
    folder: Path = tmp_path_factory.mktemp("mtls")
    names = ("inventory", "orders", "shipping")
    with sidecars({name: name for name in names}, folder) as started:
        yield started


@pytest.mark.parametrize(
    ("caller", "method", "path", "status"),
    [
        ("orders", "POST", COMMAND, 200),
        ("orders", "GET", COMMAND, 403),
        ("orders", "POST", "events/order-placed", 403),
        ("orders", "GET", "dead-letters", 403),
        ("orders", "POST", "commands/../dead-letters/1/replay", 403),
        ("shipping", "POST", COMMAND, 403),
        ("shipping", "GET", "stock/TEA", 403),
    ],
)
async def test_only_orders_may_invoke_and_only_commands(
    secured: dict[str, App], caller: str, method: str, path: str, status: int
) -> None:
    async with Sidecar(secured[caller]) as sidecar:
        answer = await sidecar.invoke(method, "inventory", path)
    assert answer.status_code == status, answer.text


def test_no_certificate_is_signed_for_the_name_of_another_service(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="token validation failed"),
        sidecars({"orders": "shipping", "shipping": "shipping"}, tmp_path),
    ):
        pass
