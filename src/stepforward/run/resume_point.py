"""Where a run with an exact tail is resumed: the tail after its last validation, in a file that the next one replaces.

Votes do not say how such a tail moves, and its parameters at every validation would be the larger part of a journal.
The journal gets those that are kept, at its end; until then these are next to it (docs/file-formats.md, section 4).
"""

import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from stepforward.errors import StepforwardError
from stepforward.files import read_file, write_atomically
from stepforward.journal import Journal, JournalWriter, Parameters, before_steps, parameters_record, parse

RESUME = "resume"
_LENGTH, _CHECK = struct.Struct("<Q"), struct.Struct("<I")


def write_point(writer: JournalWriter, parameters: Iterable[Parameters]) -> None:
    """Have a run be resumed after what its journal holds by now.

    Args:
        writer: of the journal, with nothing that waits to be written.
        parameters: those that may be kept, if they are not the base's, and the present ones last.

    Raises:
        StepforwardError: the file cannot be written.
    """
    check, content = writer.check, _LENGTH.pack(writer.path.stat().st_size)
    for each in parameters:
        record, check = parameters_record(each, check)
        content += record
    try:
        write_atomically(writer.path.with_name(RESUME), content)
    except StepforwardError as error:
        raise StepforwardError(
            error.what, "free some disk space and resume with --resume; nothing recorded so far is lost"
        ) from error


def recorded_point(path: Path) -> Journal:
    """The journal of a run with an exact tail, as far as it can be resumed: whole if the run has ended, else up to the
    point next to it, with the parameters held there; up to its first step where there is none that follows from it.

    Raises:
        StepforwardError: the journal is damaged.
    """
    content = read_file(path)
    whole = parse(content, str(path))
    if whole.kept is not None:
        return whole
    try:
        point = read_file(path.with_name(RESUME))
        (length,) = _LENGTH.unpack_from(point)
        found = parse(content[:length] + point[_LENGTH.size :], RESUME)
    except (StepforwardError, struct.error):
        return before_steps(whole)
    last = found.parameters[-1].step if found.parameters else 0
    if not 0 < last == len(found.votes) or found.torn_bytes or length > whole.good_bytes:
        return before_steps(whole)
    return replace(found, good_bytes=length, check=_CHECK.unpack_from(content, length - _CHECK.size)[0])
