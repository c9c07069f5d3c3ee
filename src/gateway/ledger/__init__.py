"""What a translation did to each leaf of its input, found out by changing one leaf at a time and looking."""

from gateway.ledger.payload import Leaf, Payload
from gateway.ledger.rows import Clerk, LedgerRow, Outcome
from gateway.ledger.trace import Encoding, Trace, trace

__all__ = ["Clerk", "Encoding", "Leaf", "LedgerRow", "Outcome", "Payload", "Trace", "trace"]
