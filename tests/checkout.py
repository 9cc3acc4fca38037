"""A copy of the checkout without `router/`, so that tests meet the installed router and no other.

python -m tests.checkout FOLDER
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from tests.house_rules import files_in

ROOT: Final = Path(__file__).resolve().parents[1]


def copy_without_router(root: Path, folder: Path) -> None:
    """Make `folder` anew: what git tracks below `root`, but for the router."""
    if folder.exists():
        shutil.rmtree(folder)
    for file in files_in(root):
        path = file.relative_to(root)
        if path.parts[0] != "router":
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, folder / path)


if __name__ == "__main__":
    copy_without_router(ROOT, Path(sys.argv[1]))
