"""What is derived of the example lets each of its services use just its topics."""

from workspace import members
from workspace.daprfile import DaprFile

MEMBERS = {member.app_id: member for member in members.members(DaprFile())}


def test_only_who_decides_an_event_may_publish_it() -> None:
    def publishers(topic: str) -> list[str]:
        return [name for name, member in MEMBERS.items() if topic in member.publishes]

    assert publishers("stock-reserved") == ["inventory"]
    assert publishers("order-placed") == ["orders"]
    assert publishers("order-placed-replies") == ["inventory", "payments", "shipping"]


def test_orders_may_invoke() -> None:
    assert MEMBERS["orders"].invokes
