"""The running service that real clients talk to."""

from collections.abc import Iterator

import pytest

from tests.clients.running import Service


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of clients; use ``service`` instead."""
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.stop()
    assert "kiro2api has stopped" in service.log, service.log
    for word in ("Traceback", "CRITICAL", "Unhandled"):
        assert word not in service.whole_log, service.whole_log


@pytest.fixture
def service(shared_service: Service) -> Service:
    """The running service, with the traces of earlier tests wiped away."""
    shared_service.begin()
    return shared_service


@pytest.fixture
def group(service: Service) -> str:
    """A group with two unused accounts, for tests after which they are of no use."""
    return service.spare_group()
