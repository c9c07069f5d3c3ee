"""Delivery: reads the log for each target, batches, waits within the vendor's limits, sends, judges and settles."""

from gateway.delivery.deliverer import Deliverer
from gateway.delivery.spec import Attempt, Hooks, LimiterState, TargetSpec, TargetState, Timeouts

__all__ = ["Attempt", "Deliverer", "Hooks", "LimiterState", "TargetSpec", "TargetState", "Timeouts"]
