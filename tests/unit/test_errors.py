"""Errors say where, and are sorted by what to do about them."""

import pytest

from gateway import errors
from gateway.errors import (
    AdapterError,
    ConfigError,
    EncodeError,
    GatewayError,
    LogError,
    LogLocked,
    LogMoved,
    Problem,
    UsageError,
)


def test_a_problem_reads_like_a_compilers() -> None:
    problem = Problem("gateway.yaml", 3, 5, "unknown key 'prot'", "    prot: 80")
    assert str(problem) == "gateway.yaml:3:5: unknown key 'prot'\n        prot: 80\n        ^"


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    assert str(Problem("gateway.yaml", 0, 0, "no such file")) == "gateway.yaml: no such file"


def test_a_config_error_tells_all_problems() -> None:
    problems = [Problem("a.yaml", 1, 1, "one"), Problem("b.yaml", 2, 2, "two")]
    error = ConfigError(problems)
    assert error.problems == problems
    assert str(error) == "a.yaml:1:1: one\nb.yaml:2:2: two"


@pytest.mark.parametrize("kind", [ConfigError, AdapterError, LogLocked, LogMoved])
def test_what_a_person_must_change_is_a_usage_error(kind: type[Exception]) -> None:
    assert issubclass(kind, UsageError)


@pytest.mark.parametrize("kind", [EncodeError, LogError])
def test_what_happens_while_running_is_none(kind: type[Exception]) -> None:
    assert not issubclass(kind, UsageError)


def test_every_error_is_in_the_tree_that_the_module_draws() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)]
    assert all(kind.__name__ in str(errors.__doc__) for kind in kinds)
