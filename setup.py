"""Builds the C core as a plain shared library inside the package (no Python headers are needed)."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CORE = Path("src/stepforward/core")


class SeveralAtATime(build_ext):
    """Compiles as many files at the same time as there are processors."""

    def build_extension(self, ext):
        """As `build_ext`."""
        one = self.compiler.compile

        def several(sources, **options):
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return [
                    made for some in pool.map(lambda file: one([file], **options), sources) for made in some
                ]

        self.compiler.compile = several
        super().build_extension(ext)


setup(
    cmdclass={"build_ext": SeveralAtATime},
    ext_modules=[
        Extension(
            "stepforward.core._core",  # found with importlib and opened with ctypes, never imported
            sources=sorted(str(path) for path in CORE.glob("**/*.c")),
            depends=sorted(str(path) for path in CORE.glob("**/*.h")),
            include_dirs=[str(CORE / "include"), str(CORE)],
            extra_compile_args=[
                "-std=c99",
                "-O3",
                "-Wall",
                "-Wextra",
                "-Wconversion",
                "-fvisibility=hidden",
                "-pthread",
            ],
            extra_link_args=["-pthread"],
        )
    ],
)
