"""The record is told in the words of the command line: each test begins in English."""

from collections.abc import Iterator

import pytest

from pipeline.cli import words


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    words.use("en")
