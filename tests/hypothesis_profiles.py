"""Two ways to run property tests: the same examples at every run, or others each time (`scripts/fuzz`).

No example has a deadline: how long one takes says more about the machine than about the program.
"""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("repeatable")
