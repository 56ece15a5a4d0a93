"""Each test here runs for every installed package of blocking calls."""

from __future__ import annotations

import pytest

from packages import Package, installed


@pytest.fixture(params=installed(), ids=lambda package: package.name)
def package(request: pytest.FixtureRequest) -> Package:
    """The package under test."""
    found: Package = request.param
    return found
