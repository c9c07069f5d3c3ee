"""The log for more than one machine: a journal in NATS JetStream, and a view of it on every node.

The stream holds operations in one total order (`messages`). A node writes to it (`publisher`), follows it (`follower`)
and does every operation, in order, on a SQLite file of its own (`view`), with the tables and functions of the embedded
engine. `snapshots` keeps the stream short, `stream` makes and checks it, `log` puts the parts together. Other processes
of a node's machine store `beside` it.
"""
