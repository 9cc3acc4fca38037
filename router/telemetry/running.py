"""The running router, as status, metrics and commands see it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from router.accept.accounts import Accounts
from router.journey import Journey
from router.telemetry.account_quality import AccountQuality
from router.telemetry.records import Recorder
from router.telemetry.traffic import Traffic
from router.terms.names import BindName, OperatorName
from router.terms.settings import Settings


class Loop(Protocol):
    """The part of the event loop that another thread uses."""

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object:
        """Run a call in the loop's thread."""


class RunningConfig(Protocol):
    """The configuration that runs."""

    @property
    def settings(self) -> Settings:
        """What it says."""

    @property
    def digest(self) -> str:
        """The name of what it says."""

    @property
    def since_utc(self) -> float:
        """Since when it runs."""

    @property
    def stale(self) -> str:
        """Why its files are not what runs; empty if they are."""


class Renewal(Protocol):
    """Binds of one operator that are being bound anew, with other settings."""

    @property
    def waiting(self) -> list[BindName]:
        """The binds that keep their old session because another one has not come up."""

    @property
    def why(self) -> str:
        """Which one that is, and what keeps it down."""


class Renewing(Protocol):
    """The binds that are kept bound, as the status sees them."""

    @property
    def renewals(self) -> Mapping[OperatorName, Renewal]:
        """What is being bound anew, by operator."""


class InForce(Protocol):
    """A certificate that may be replaced while the router runs."""

    @property
    def expires_utc(self) -> float | None:
        """When the one in force expires; None where that cannot be read."""


class Running(Protocol):
    """The running router, as status and metrics see it."""

    @property
    def settings(self) -> Settings:
        """The configuration in force."""

    @property
    def config(self) -> RunningConfig:
        """Which configuration that is, and whether its files still say the same."""

    @property
    def clock(self) -> Callable[[], float]:
        """Return monotonic seconds, equal in all threads."""

    @property
    def started_at(self) -> float:
        """When the process began."""

    @property
    def beat_at(self) -> float:
        """When the loop last showed that it is alive."""

    @property
    def ready(self) -> bool:
        """Whether clients are served."""

    @property
    def listeners(self) -> list[str]:
        """Addresses that clients connect to."""

    @property
    def certificates(self) -> Sequence[InForce | None]:
        """The certificate of each listener, None where it has none."""

    @property
    def loop(self) -> Loop:
        """The loop in which the router runs."""

    @property
    def journey(self) -> Journey:
        """The steps of the router."""

    @property
    def accounts(self) -> Accounts:
        """The accounts and their binds."""

    @property
    def account_quality(self) -> AccountQuality:
        """How the messages of accounts fare."""

    @property
    def recorder(self) -> Recorder | None:
        """What keeps records; None where none are kept."""

    @property
    def connectors(self) -> Renewing:
        """The binds that are kept bound."""

    @property
    def traffic(self) -> Traffic:
        """What the counters said a while ago."""
