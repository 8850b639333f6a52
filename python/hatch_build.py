"""Puts the static program into the wheel, under the tag of its platform.

PCAPBATCH_BINARY is the path of the program, PCAPBATCH_TAG the platform tag of
the wheel, such as manylinux_2_17_x86_64. 'make wheels' sets both.
"""

import os

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProgramHook(BuildHookInterface):
    def initialize(self, version, build_data):
        if version == "editable":
            return
        binary = os.environ.get("PCAPBATCH_BINARY")
        tag = os.environ.get("PCAPBATCH_TAG")
        if not binary or not tag:
            raise RuntimeError("set PCAPBATCH_BINARY and PCAPBATCH_TAG, or use 'make wheels'")
        name = "pcapbatch.exe" if tag.startswith("win") else "pcapbatch"
        build_data["force_include"][binary] = f"pcapbatch/bin/{name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"
