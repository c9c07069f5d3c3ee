"""The demo's Vibetrace clients: a server with a key, and the collector's GET."""

import json
from typing import Any

import httpx

from gateway.cli.demo.sent import PEOPLE, Keys, Sent, over_http


def everything(listen: str, keys: Keys) -> Sent:
    """Send purchases, logins and events of the client's own, and purchases through the collector."""
    base = f"{listen}/vibetrace"
    key = {"Authorization": keys["vibetrace"]["api_key"]}
    events = [_event(email, body) for n, email in enumerate(PEOPLE) for body in _bodies(email, n)]
    collected = [_collected(email, number) for number, email in enumerate(PEOPLE)]

    def send(client: httpx.Client) -> list[httpx.Response]:
        answers = [client.post(f"{base}/v1/event", json=event, headers=key) for event in events]
        url = f"{base}/event/{keys['vibetrace']['account_id']}/confirmation"
        lists = [json.dumps([one]) for one in collected]
        return answers + [client.get(url, params={"data": data, "callback": "vt.done"}) for data in lists]

    return over_http("vibetrace", "events, collector", len(events) + len(collected), [200], send)


def _bodies(email: str, number: int) -> list[dict[str, Any]]:
    lines = [{"id": "V-3", "quantity": 2}]
    return [
        {"login": {"email": email, "name": "Mihai"}},
        {"generic": {"generic": {"event_name": "lesson_finished", "score": 12 + number}}},
        {"confirmation": {"orderId": f"VT-{number}", "total": 30.5, "items": lines}},
    ]


def _event(email: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"user": {"email": email}, "event": body}


def _collected(email: str, number: int) -> dict[str, Any]:
    lines = [{"id": "V-4", "quantity": 1}]
    return {
        "type": "confirmation",
        "items": lines,
        "generic": {"orderId": f"VC-{number}", "total": 9.0, "email": email},
    }
