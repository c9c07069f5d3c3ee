"""Other sources while requests are under way: each ends as it began."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec

from gateway.inbound.routes import Source, Sources
from gateway.telemetry import make_logger
from tests.contract.adapter_cases import everyone
from tests.unit.inbound.test_edge import BODY, KEY, URL, Bench, Store


def test_a_request_under_way_ends_as_it_began_and_the_next_is_answered_anew() -> None:
    bench = Bench()
    adapter = everyone()["acme"]
    later = Store(adapter)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        text = msgspec.json.encode(BODY)
        yield text[:10]
        began.set()
        await go_on.wait()
        yield text[10:]

    async def story() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(bench.edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
            headers = {"X-Acme-Key": KEY, "Content-Type": "application/json"}
            first = asyncio.create_task(client.post(URL, content=slowly(), headers=headers))
            await began.wait()
            sources = Sources([Source("shop", adapter, [{"api_key": "fresh"}], path="/acme")])
            bench.edge.replace(sources, later, make_logger("json", "error"))
            second = await client.post(URL, json=BODY, headers={**headers, "X-Acme-Key": "fresh"})
            go_on.set()
            return await first, second

    answers = asyncio.run(story())
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (len(bench.store.events), len(later.events)) == (2, 2)
