"""Which requests mean the same to Klaviyo, beyond being the same JSON.

* A flat body is its wrapped twin, by https://developers.klaviyo.com/en/docs/migrate_track_identify_and_subscribe_to_our_new_apis.
* `meta` stands beside a profile's attributes or inside them, by revision.
* Times: any offset spelling, a space for the ``T``, no offset for UTC; seconds are kept, fractions are not.
* An event without a time has that of its receipt; one without `unique_id` has one that says as much.
* `properties` absent, null or empty.
* In a bulk job, events of one group are as many groups, and a group's `backfill` is that of its events.
* The profile endpoints take no `anonymous_id`.
"""

import uuid
from typing import Any

from adapters.klaviyo.names import FLAT_PLACE
from gateway.adapter import parse_time

RECEIVED = "2026-11-21T12:00:00"
"""When the contract suite receives everything."""
_VERSION_OF_EVENT_IDS = 7

Json = dict[str, Any]


def normalise(endpoint: str, body: Any) -> Any:
    """Return the canonical form of a request body."""
    data = body["data"]
    if data["type"] == "profile":
        return _profile(data, identify=True)
    if data["type"] == "event":
        return [_event(data, _profile_of(data["attributes"]["profile"]))]
    if data["type"] == "event-bulk-create":
        return _group(data)
    return [event for group in data["attributes"]["events-bulk-create"]["data"] for event in _group(group)]


def _group(group: Json) -> list[Json]:
    attributes = group["attributes"]
    person = _profile_of(attributes["profile"])
    rows = []
    for event in attributes["events"]["data"]:
        inner = dict(event["attributes"])
        if "backfill" in attributes:
            inner.setdefault("backfill", attributes["backfill"])
        rows.append(_event({**event, "attributes": inner}, person))
    return rows


def _event(data: Json, person: Json) -> Json:
    attributes = {**data["attributes"], "profile": person}
    metric = attributes["metric"]
    attributes["metric"] = metric["data"]["attributes"] if "data" in metric else metric
    attributes["time"] = _time(attributes.get("time"))
    attributes["properties"] = attributes.get("properties") or {}
    if _is_made_up(attributes.get("unique_id")):
        attributes.pop("unique_id", None)
    return {**data, "attributes": attributes}


def _time(text: str | None) -> str:
    moment = parse_time(text or RECEIVED)
    return moment.isoformat(timespec="seconds") if moment else f"no time: {text}"


def _is_made_up(key: Any) -> bool:
    try:
        return key in (None, "") or uuid.UUID(str(key)).version == _VERSION_OF_EVENT_IDS
    except ValueError:
        return False


def _profile_of(profile: Json) -> Json:
    return _profile(profile["data"] if isinstance(profile.get("data"), dict) else _wrapped(profile))


def _profile(data: Json, *, identify: bool = False) -> Json:
    data = {**data, "attributes": dict(data["attributes"])}
    if "meta" in data["attributes"]:
        data.setdefault("meta", data["attributes"].pop("meta"))
    if identify:
        data["attributes"].pop("anonymous_id", None)
    return data


def _wrapped(flat: Json) -> Json:
    attributes: Json = {}
    for key, value in flat.items():
        place = FLAT_PLACE.get(key, ("properties", key))
        target = attributes if len(place) == 1 else attributes.setdefault(place[0], {})
        target[place[-1]] = value
    return {"type": "profile", "attributes": attributes}
