"""x."""

from simulators.client import ClientSettings


async def run(settings: ClientSettings) -> dict[str, object]:
    """X."""
    return {}
