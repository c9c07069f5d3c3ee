"""Asks the admin listener of this machine whether the gateway lives: ``healthcheck.py [PORT [PATH]]``.

Ends with 0 when the answer is 200. No other library than Python's own, and no proxy on the way.
"""

import http.client
import sys

TIMEOUT_S = 4.0


def main(port: str = "8081", path: str = "/healthz") -> str | None:
    """Return what is wrong, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(1000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"{path} at port {port}: {error}"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"{path} at port {port}: {answer.status} {text}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
