"""Bugs to be planted into the router, to see that the simulation finds each of them.

Each is a small, believable mistake: the line that somebody forgot, moved or got the wrong way
round. `python -m tests.simulation planted` tells which seed finds which.
"""

from tests.simulation import planted_between, planted_home, planted_memory, planted_out
from tests.simulation.planting import BUGS, planted

__all__ = ["BUGS", "planted", "planted_between", "planted_home", "planted_memory", "planted_out"]
