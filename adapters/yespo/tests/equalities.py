"""Which requests mean the same to Yespo, beyond being the same JSON.

* Names of parameters are unique, so that their order says nothing
  (https://docs.yespo.io/docs/validating-event-parameters).
* An event without a key has the first identifier among its parameters for its key
  (https://docs.yespo.io/docs/how-use-v1event-api-resource); a number as key is its text.
* `params` absent or empty.
* Members of an event's body that no page names mean nothing.
"""

from typing import Any

from adapters.yespo.decode_event import sort_params
from adapters.yespo.names import resolved

Json = dict[str, Any]


def normalise(endpoint: str, body: Any) -> Any:
    """Return the canonical form of a request body."""
    if endpoint.startswith("event"):
        return _event(body)
    if endpoint.startswith("past_events"):
        return [_event(row) for row in body["events"]]
    if endpoint == "orders":
        return body["orders"]
    if endpoint == "contacts":
        around = {name: value for name, value in body.items() if name != "contacts"}
        return [{**row, "around": around} for row in body["contacts"]]
    return body


def _event(body: Json) -> Json:
    params = sorted(body.get("params") or [], key=lambda param: param["name"])
    who = sort_params({param["name"]: param["value"] for param in params}).who
    key = body.get("keyValue")
    known: Json = {name: body[name] for name in ("eventTypeKey", "occurred") if name in body}
    return {**known, "keyValue": resolved(who) if key is None else str(key), "params": params}
