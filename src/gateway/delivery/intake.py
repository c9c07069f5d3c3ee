"""Turns what the log gives into items in lanes."""

from collections.abc import Sequence

import msgspec

from gateway.adapter import Event
from gateway.delivery.endpoints import Endpoints, reason_of
from gateway.delivery.lanes import Item, Lane
from gateway.delivery.sending import BEHIND, Sender
from gateway.delivery.spec import Transform
from gateway.errors import EncodeError, Withheld
from gateway.event import lane as lane_of
from gateway.event import load
from gateway.log.port import Parked, Record


class Intake:
    """Decodes and transforms events and puts them into their lanes, or beside the log behind a lane that waits."""

    def __init__(self, sender: Sender, endpoints: Endpoints, transform: Transform) -> None:
        self._sender = sender
        self._lanes = sender.context.lanes
        self._settler = sender.context.settler
        self._target = sender.context.spec.name
        self._endpoints = endpoints
        self._transform = transform

    def take_in(self, records: Sequence[Record], place: int) -> None:
        """Take in new events, in the order of the log, which was searched up to a place."""
        items = [self._item(record) for record in records]
        self._settler.admit(items, place)
        for item in items:
            self._place(item)

    def _item(self, record: Record) -> Item:
        try:
            event = load(record.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            lane = self._lanes.get(f"seq {record.seq}")
            item = Item(record.seq, record.rule, record.body, lane, None)
            self._bury(item, f"the log holds no event here: {error}")
            return item
        lane = self._lanes.get(lane_of(event))
        return Item(record.seq, record.rule, record.body, lane, event, event.received_at.timestamp())

    def _place(self, item: Item) -> None:
        lane = item.lane
        if item.settled:
            self._lanes.forget_idle(lane)
        elif lane.more:
            self._settler.park(item, self._sender.row(item, self._sender.context.wall(), BEHIND))
            item.event, item.body = None, b""
        elif self._ready(item):
            self._lanes.append(item)
            if lane.waiting:
                self._settler.park(item, self._sender.row(item, self._sender.context.wall(), BEHIND))
        else:
            self._lanes.forget_idle(lane)

    def _ready(self, item: Item) -> bool:
        """Change an event as its rule says and find its way; bury it when that fails or there is none."""
        event = item.event
        if event is None:
            raise AssertionError("an item without its event")
        try:
            changed = self._transform(event, item.rule, self._target)
        except Withheld as error:
            self._lanes.memory += item.size
            self._sender.drop(item, str(error))
            return False
        except EncodeError as error:
            self._bury(item, str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a fault in one rule must cost its events, not the target
            self._bury(item, f"the rule {item.rule!r} failed: {error!r}")
            return False
        try:
            item.way = self._endpoints.way(changed, history=item.lane.history)
        except Exception as error:  # noqa: BLE001 - an adapter's fault must cost one event, not the target
            self._bury(item, reason_of(error))
            return False
        item.event = changed
        return True

    def _bury(self, item: Item, reason: str) -> None:
        self._lanes.memory += item.size
        self._sender.bury(item, reason)

    def bring_back(self, lane: Lane, rows: Sequence[tuple[Parked, Record]]) -> None:
        """Take parked events of a waiting lane into memory, in order."""
        for row, record in rows:
            event = self._decoded(record)
            item = Item(record.seq, record.rule, record.body, lane, event, durable=True, attempts=row.attempts)
            item.accepted = event.received_at.timestamp() if event else row.first_at
            item.first_at = row.first_at if row.attempts else 0.0
            if event is None:
                self._bury(item, "the log holds no event here")
            elif self._ready(item):
                self._lanes.append(item)

    def _decoded(self, record: Record) -> Event | None:
        try:
            return load(record.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
