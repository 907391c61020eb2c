import re

from chassis.service import Service
from testkit import running


async def test_metrics_are_at_their_path_without_a_redirect(service: Service) -> None:
    async with running(service) as client:
        response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE messages_received_total counter" in response.text


async def test_a_service_says_that_it_has_no_dead_letters_before_it_has_one(
    service: Service,
) -> None:
    async with running(service) as client:
        page = (await client.get("/metrics")).text
    assert re.search(r'^dead_letters_total{kind="permanent"} \d', page, re.MULTILINE)
