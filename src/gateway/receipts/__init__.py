"""What was sent for each event, what came back, and the timeline that is made of it.

Receipts lie in a SQLite file of their own beside the log. They are for people: no event depends on them, and a gateway
that cannot write them delivers all the same.
"""

from gateway.receipts.files import reading
from gateway.receipts.following import Follower, Line, Wanted
from gateway.receipts.receipt import Attempted, Ended
from gateway.receipts.recorder import Counts, Recorder
from gateway.receipts.schema import Keep, path_beside
from gateway.receipts.timeline import AtTarget, Timeline, timelines, told

__all__ = [
    "AtTarget",
    "Attempted",
    "Counts",
    "Ended",
    "Follower",
    "Keep",
    "Line",
    "Recorder",
    "Timeline",
    "Wanted",
    "path_beside",
    "reading",
    "timelines",
    "told",
]
