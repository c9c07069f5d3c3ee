"""What was sent for each event, what came back, and the timeline that is made of it.

Receipts lie in a SQLite file of their own beside the log. They are for people: no event depends on them, and a gateway
that cannot write them delivers all the same.
"""

from gateway.receipts.receipt import Attempted, Ended
from gateway.receipts.recorder import Counts, Recorder
from gateway.receipts.schema import Keep, path_beside

__all__ = ["Attempted", "Counts", "Ended", "Keep", "Recorder", "path_beside"]
