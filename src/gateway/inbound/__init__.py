"""The inbound edge: HTTP in, durable events and the vendor's own answer out.

`edge` is the ASGI application, `routes` finds source and endpoint, `body` reads within bounds, `accept` turns a
request into stored events, `quota` counts a vendor's windows.
"""
