"""Certificates for the tests of TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plant_pki import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificate authority of the plant; its certificates may be used by all tests."""
    from plant_pki import Pki

    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def rsa_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority with RSA keys."""
    from plant_pki import Pki

    return Pki(tmp_path_factory.mktemp("rsa"), "RSA CA", "rsa2048")


@pytest.fixture
def own_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority of this test alone, which may revoke certificates."""
    from plant_pki import Pki

    return Pki(tmp_path_factory.mktemp("own"), "Own CA")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority that nobody in the plant trusts."""
    from plant_pki import Pki

    return Pki(tmp_path_factory.mktemp("strangers"), "Strangers CA")
