"""Whether a program from outside is here: if not, the test is skipped by its name, or fails with TOCSIN_REQUIRE=all."""

import os

import pytest


def needs(name: str, path: str | None) -> str:
    """Return `path`, or end the test because `name` is not on this machine."""
    if path is None:
        reason = f"{name} is not here"
        if os.environ.get("TOCSIN_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
