"""The append-only log: every accepted event once, one cursor per target, and a table of exceptions.

`port` says what a log does; `sqlite` is the embedded engine.
"""
