"""The inbound edge: HTTP in, durable events and the vendor's own answer out.

`direct` hands over what comes whole, `edge` is that and the ASGI application for the rest, `exchange` has the steps of
a request, `routes` finds source and endpoint, `body` reads within bounds, `accept` turns a request into stored events,
`answers` writes heads, `quota` counts a vendor's windows.
"""
