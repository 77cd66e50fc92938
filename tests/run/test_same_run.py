from pathlib import Path

import pytest

from stepforward.errors import StepforwardError
from stepforward.journal import header, parse
from stepforward.run.recorded import UNSAID
from stepforward.run.same_run import check_same_run

BEFORE = {"base_sha256": "ab", "data_sha256": "cd", "lr": 1e-3}
"""What a journal said before batches were shared or balanced and losses had a temperature."""


@pytest.mark.parametrize("added", [{}, UNSAID])
def test_a_journal_from_before_a_setting_existed_is_the_run_without_it(added):
    check_same_run(parse(header(BEFORE | added, 1)), BEFORE | UNSAID, Path("j"))


@pytest.mark.parametrize("changed", [{"share_batch": True}, {"temperature": 2.0}, {"balance": True}])
def test_and_no_other_run(changed):
    now = BEFORE | UNSAID | changed
    with pytest.raises(StepforwardError, match=f"other settings: {next(iter(changed))}"):
        check_same_run(parse(header(BEFORE, 1)), now, Path("j"))
