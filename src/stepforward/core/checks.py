"""The core's checks of a file, for readers that look further into it."""

import ctypes

from stepforward.core.bindings import ProgramHandle, library


def refusal(program: bytes) -> str | None:
    """Why the core refuses a `.sfp` file, or None if it would run it.

    Raises:
        StepforwardError: the core is not built.
    """
    words = (ctypes.c_uint32 * (len(program) // 4 + 1)).from_buffer_copy(
        program.ljust(len(program) // 4 * 4 + 4)
    )
    status = library().sf_program_open(ProgramHandle(), ctypes.addressof(words), len(program))
    return library().sf_status_text(status).decode() if status else None
