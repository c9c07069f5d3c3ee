"""Two ways to run property tests: the same examples at every run, or others each time (`scripts/fuzz`)."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, print_blob=True)
settings.register_profile("search", print_blob=True)
settings.load_profile("repeatable")
