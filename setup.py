"""Builds the C core as a plain shared library inside the package (no Python headers are needed)."""

from pathlib import Path

from setuptools import Extension, setup

CORE = Path("src/stepforward/core")

setup(
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
