"""What the journeys start from: a configuration, a clock that stands still, a router."""

import pytest

from router.terms.capacity import Capacity
from router.terms.settings import Settings
from tests.doubles import Router, World, contract_settings


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The contract's configuration; frozen, so every test may share it."""
    return contract_settings(tmp_path_factory.mktemp("contract"))


@pytest.fixture
def world() -> World:
    """A loop whose time moves only when it is told to."""
    return World()


@pytest.fixture
def capacity() -> Capacity:
    """How much the router keeps in memory."""
    return Capacity()


@pytest.fixture
def router(world: World, contract: Settings, capacity: Capacity) -> Router:
    """A router with the contract's configuration, to which nobody is connected."""
    return Router(world, contract, capacity=capacity)
