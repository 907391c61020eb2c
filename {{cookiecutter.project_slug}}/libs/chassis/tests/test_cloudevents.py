import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1 import event as cloudevents
from pydantic import ValidationError

from chassis.cloudevents import CloudEvent, derived_id, envelope, read_event
from testkit.bank import Deposit

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WIRE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "bank",
    "type": "deposit.v1",
    "time": "2030-01-01T00:00:00Z",
    "data": {"account": "ada", "amount": 1},
}


def test_what_a_sidecar_adds_is_ignored() -> None:
    event = CloudEvent.model_validate(WIRE | {"pubsubname": "pubsub", "topic": "deposit"})
    assert event.data == WIRE["data"]


@pytest.mark.parametrize("field", ["id", "source", "type", "data"])
def test_an_event_without_a_required_field_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        CloudEvent.model_validate({name: value for name, value in WIRE.items() if name != field})


@pytest.mark.parametrize(
    "id",
    ["", "a|b", "inbox||other-app", "a b", "a\n", "\x00", "\x1b[2J", "\x7f", "é", "x" * 10_240],
    ids=ascii,
)
def test_an_id_that_could_reach_beyond_its_state_key_is_refused(id: str) -> None:
    with pytest.raises(ValidationError, match="id"):
        CloudEvent.model_validate(WIRE | {"id": id})


@pytest.mark.parametrize("optional", ["subject", "time", "datacontenttype"])
def test_an_optional_attribute_may_be_absent_or_null(optional: str) -> None:
    without = {name: value for name, value in WIRE.items() if name != optional}
    before = datetime.now(UTC)
    for wire in (without, without | {optional: None}):
        event = read_event(json.dumps(wire).encode())
        assert event.subject == ""
        assert event.datacontenttype == "application/json"
        assert event.time >= before or optional != "time"


def test_the_library_of_cloudevents_and_we_read_each_others_envelopes() -> None:
    """Its least event has no subject and no content type."""
    least = cloudevents.CloudEvent(
        attributes={"id": "1", "source": "bank", "type": "deposit.v1", "specversion": "1.0"},
        data=WIRE["data"],
    )
    assert read_event(bytes(JSONFormat().write(least))).data == WIRE["data"]

    ours = envelope(Deposit(account="ada", amount=1), id="1", source="bank", traceparent=None)
    theirs = JSONFormat().read(cloudevents.CloudEvent, ours.on_the_wire())
    assert theirs.get_attributes() == {
        "specversion": "1.0",
        "id": "1",
        "source": "bank",
        "type": "deposit.v1",
        "subject": "ada",
        "time": ours.time,
        "datacontenttype": "application/json",
    }
    assert theirs.get_data() == ours.data


@pytest.mark.parametrize("topic", ["Other/topic", "a b", "", "x" * 81])
def test_a_reply_goes_only_to_a_name_that_every_broker_accepts(topic: str) -> None:
    with pytest.raises(ValidationError, match="replyto"):
        CloudEvent.model_validate(WIRE | {"replyto": topic})


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="time"):
        CloudEvent.model_validate(WIRE | {"time": "2030-01-01T00:00:00"})


@pytest.mark.parametrize("data", [None, "text", [], 7])
def test_data_that_is_no_object_is_refused(data: object) -> None:
    with pytest.raises(ValidationError, match="data"):
        CloudEvent.model_validate(WIRE | {"data": data})


def test_the_wire_form_is_read_back_as_it_was() -> None:
    event = envelope(Deposit(), id="1", source="bank", traceparent=TRACEPARENT, replyto="replies")
    assert CloudEvent.model_validate_json(event.on_the_wire()) == event


def test_the_wire_form_leaves_out_what_is_not_there() -> None:
    event = envelope(Deposit(), id="1", source="bank", traceparent=None)
    wire = json.loads(event.on_the_wire())
    assert not {"traceparent", "replyto", "causationid"} & wire.keys()


def test_a_derived_id_is_the_same_everywhere_and_for_ever() -> None:
    assert derived_id("trip", "42") == "b929adf6-3c7c-5904-8a42-4976133bd98a"


def test_parts_of_a_derived_id_do_not_run_together() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")


def test_a_derived_id_may_be_the_id_of_an_event() -> None:
    assert CloudEvent.model_validate(WIRE | {"id": derived_id("any", "parts")})
