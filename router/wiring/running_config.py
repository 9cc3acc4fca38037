"""Which configuration runs, since when, and whether its files still say the same.

Once a minute the files are looked at, in a thread. While their sizes and times are those of before,
that is all: a hundred thousand prefixes take seconds. What has changed is read, checked and
compared, and never applied.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from router.settings.apart import ReaderError
from router.settings.difference import difference
from router.settings.files import stamp_of
from router.settings.load import SettingsError
from router.terms.settings import SeenFile, Settings
from router.wiring.reload import in_thread, log_trace

LOOK_EVERY_S: Final = 60.0
DIFFER: Final = "the files differ from what runs"

log = structlog.get_logger()


class Look(NamedTuple):
    """What the files were like when they were last read."""

    files: Mapping[Path, SeenFile]
    stale: str
    """Why they are not what runs; empty if they are."""


class RunningConfig:
    """The configuration that runs. Status and metrics read its fields in any thread."""

    def __init__(
        self,
        settings: Settings,
        reread: Callable[[], Settings],
        clock_utc: Callable[[], float] = time.time,
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        """`reread` loads the configuration again; it raises SettingsError, or ReaderError.

        `tidy` is called before each look at the files, in its thread.
        """
        self.settings = settings
        self.since_utc = clock_utc()
        self._look = Look(settings.files, "")
        self._reread: Final = reread
        self._clock_utc: Final = clock_utc
        self._tidy: Final = tidy

    @property
    def digest(self) -> str:
        """The name of what the configuration says."""
        return self.settings.digest

    @property
    def stale(self) -> str:
        """Why the files are not what runs, as of the last look; empty if they are."""
        return self._look.stale

    def applied(self, settings: Settings, *, is_part: bool = False) -> None:
        """Note that these settings run from now on. Call it in the loop's thread.

        `is_part`: only what needs no restart of what the files say.
        """
        self.settings = settings
        self.since_utc = self._clock_utc()
        # Of files that were followed in part, the rest still is not what runs.
        self._found(Look(settings.files, DIFFER if is_part else ""))

    async def watch(self) -> None:
        """Look at the files every minute, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look at the files once."""
        running = self.settings
        last = self._look

        def at_files() -> Look:
            self._tidy()
            return looked_at(running, last, self._reread)

        found = await in_thread(at_files)
        if running is self.settings:  # Else others were applied meanwhile, and are what runs.
            self._found(found)

    def _found(self, look: Look) -> None:
        before, self._look = self._look.stale, look
        if look.stale and look.stale != before:
            log.warning("config.outdated", why=look.stale, config=self.digest)
        elif before and not look.stale:
            log.info("config.matched", config=self.digest)


def looked_at(running: Settings, last: Look, reread: Callable[[], Settings]) -> Look:
    """Return what the files are like now; the last look, if they have not changed since."""
    if all(stamp_of(path) == one.stamp for path, one in last.files.items()):
        return last
    try:
        settings = reread()
    except SettingsError as error:
        count = error.count
        mistakes = f"{count} mistake{'' if count == 1 else 's'}"
        return Look(error.files, f"the files have {mistakes} now: {error.mistakes[0]}")
    except ReaderError as error:
        log_trace(error)
        return Look(last.files, str(error))
    except Exception as error:  # noqa: BLE001 - A mistake of ours here must not end the router.
        why = f"{type(error).__name__} while the files were read; `smpp-router check` shows it"
        return Look(last.files, why)
    return Look(settings.files, DIFFER if difference(running, settings) else "")
