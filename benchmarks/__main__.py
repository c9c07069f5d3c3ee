"""All benchmarks, one after the other; names as arguments choose some.

python -m benchmarks [accept] [translate] [routing] [expressions] [delivery] [log] [journal] [view] [whole] [backlog]
                     [cluster] [budget] [scaling] [moves]
"""

import sys
from collections.abc import Callable

from benchmarks import (
    accept,
    backlog,
    budget,
    cluster,
    delivery,
    expressions,
    journal,
    log,
    moves,
    routing,
    scaling,
    translate,
    view,
    whole,
)

ALL: dict[str, Callable[[], None]] = {
    "accept": accept.main,
    "translate": translate.main,
    "routing": routing.main,
    "expressions": expressions.main,
    "delivery": delivery.main,
    "log": log.main,
    "journal": journal.main,
    "view": view.main,
    "whole": whole.main,
    "backlog": backlog.main,
    "moves": moves.main,
    "cluster": cluster.main,
    "budget": budget.main,
    "scaling": scaling.main,
}


def main() -> None:
    """Run those named, or all."""
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; known: {', '.join(ALL)}")
    for name in names:
        ALL[name]()
        print()


if __name__ == "__main__":
    main()
