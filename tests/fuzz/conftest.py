"""Hypothesis's profiles, `short` in every run of the tests, `--hypothesis-profile=long` for 10^5 calls; the count."""

from collections import Counter

import pytest

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # the tests that need it are skipped
    settings = None

CALLS = Counter()

if settings is not None:
    common = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    settings.register_profile("short", settings(max_examples=25, derandomize=True, **common))
    settings.register_profile("long", settings(max_examples=1250, **common))
    settings.load_profile("short")


@pytest.fixture(scope="session")
def calls():
    """How many calls of the public functions were made, and how many of them were refused."""
    return CALLS


def pytest_terminal_summary(terminalreporter):
    if CALLS:
        terminalreporter.write_line(f"fuzz: {CALLS['calls']} calls, {CALLS['refused']} of them refused")
