"""The build hook that compiles the core with mypyc; without it the wheel is pure Python.

    HATCH_BUILD_HOOKS_ENABLE=1 pip wheel .      a wheel with the compiled core
    MYPYC_OPT_LEVEL=0                           twice as fast to build, and slower: for tests

docs/decisions/0014-compiled-core.md says why it is a hook of our own.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CoreHook(BuildHookInterface[Any]):
    """Puts the extensions of the core into the wheel, beside their sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in a temporary folder: no .so stands among the sources, where it would go stale.

        An editable install stays interpreted: it is there to be edited.
        """
        if self.target_name != "wheel" or version == "editable":
            return
        self._folder = TemporaryDirectory()
        built = Path(self._folder.name, "lib")
        compile_core(Path(self.root), Path(self._folder.name), built)
        found = [file for file in built.rglob("*") if file.is_file()]
        build_data["force_include"].update({str(one): str(one.relative_to(built)) for one in found})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written: its parts are not needed any more."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def compile_core(root: Path, work: Path, built: Path) -> None:
    """Compile all modules of the core into one library, below `built`. Raises SystemExit."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    sys.path.insert(0, str(root))
    from router.telemetry.core import modules

    sources = [str(file.relative_to(root)) for _, file in modules(root / "router")]
    options = ["--config-file=pyproject.toml", f"--cache-dir={work / 'mypy'}"]
    # Types are checked for the interpreter that will run them.
    options.append(f"--python-version={sys.version_info.major}.{sys.version_info.minor}")
    extensions = mypycify(
        [*options, *sources],
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
        target_dir=str(work / "c"),
        group_name="smpp_router",
    )
    for one in extensions:
        # The interpreter's own flags ask for all warnings, and nobody reads those about code that a
        # program wrote: to look for them takes gcc longer than to compile.
        one.extra_compile_args.append("-Wno-all")
    distribution = Distribution({"name": "smpp-router", "ext_modules": extensions})
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(built), str(work / "temp")
    command.ensure_finalized()
    command.run()
