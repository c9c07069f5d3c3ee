"""Moving all that a log holds to the other engine: `moving` says in which order, so that a kill at any moment leaves
one log that can be used, or none and a command that goes on. `sqlite_side` and `stream_side` know the two engines.

What is on its way is an embedded log in a folder of its own, with the files that stand beside one.
"""

from gateway.migration.logs.moving import Goal, Outcome, Progress, Source, carry_over, look, take_back

__all__ = ["Goal", "Outcome", "Progress", "Source", "carry_over", "look", "take_back"]
