"""The id of a process: the subject of what starts it, and of all its messages."""

import re

from chassis.errors import Rejected
from chassis.ports import check_keys
from chassis.saga.declaration import Saga
from chassis.saga.records import record_key
from chassis.workflow_host import MAX_ID, is_id

#: One of them stands between the parts of a derived id, which then is that of another message.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def instance_id(saga: Saga, id: str) -> str:
    """The id of its workflow: sagas of one service may have processes of one subject."""
    return f"{saga.name}.{id}"


def check_subject(saga: Saga, id: str) -> None:
    """The same for every style, so that a style may be changed. Raises `Rejected`."""
    if not id or CONTROL.search(id) or not is_id(instance_id(saga, id)):
        longest = MAX_ID - len(instance_id(saga, ""))
        raise Rejected(
            f"{id[:50]!r} is no id of a process of {saga.name}: it has 1 to {longest} characters, "
            "and none of / \\ # ? and control characters"
        )
    check_keys([record_key(saga, id)])
