"""What Vibetrace itself counts as equal in the body of a request; see "What counts as equal" in the README."""

from typing import Any


def normalise(endpoint: str, body: Any) -> Any:
    """Return the items of a body, in the form in which equal ones are identical.

    Several types in one `event` are as many events of the same user, and a user's attributes may stand in a `user`
    (both our choice: help.vtcdn.net/kb/how-to-send-events-via-api prints one type each, help.vtcdn.net/kb/api-overview
    prints no body at all).
    """
    if endpoint == "user":
        return body["user"] if isinstance(body, dict) and set(body) == {"user"} else body
    if endpoint == "event" and isinstance(body, dict) and isinstance(body.get("event"), dict):
        return [_alone(body, place, type_) for place, type_ in enumerate(body["event"])]
    return body


def _alone(body: dict[str, Any], place: int, type_: str) -> dict[str, Any]:
    """Return one event as a request of its own; what stands beside the events goes with the first."""
    one = {"event": {type_: body["event"][type_]}, "user": body["user"]}
    if place:
        one["user"] = {key: value for key, value in body["user"].items() if key in ("email", "_id")}
        return one
    return {**body, **one}
