import pytest

from stepforward.report.visible import visible, visible_lines


@pytest.mark.parametrize(
    "number", [0, 7, 8, 10, 13, 27, 127, 0x85, 0x9B, 0x9F, 0xAD, 0x200B, 0x200E, 0x200F, 0x2028]
)
def test_what_steers_is_written_out(number):
    shown = visible(f"a{chr(number)}b")
    assert shown.isascii() and shown.isprintable() and "\\" in shown


@pytest.mark.parametrize("number", [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0xD800, 0xE0041])
def test_what_turns_or_hides_text_is_written_out(number):
    assert visible(chr(number)).isascii()


@pytest.mark.parametrize("text", ["Größe", "日本語", "خانه‌ها", "👩‍🚀", "a\u00a0b", "[bold]x[/bold]", "\\x1b"])
def test_the_writing_of_people_stays(text):
    assert visible(text) == text


def test_all_the_way_down():
    assert visible({"a\x1b": [("b\x1b", 1, None, 2.5)]}) == {"a\\x1b": [["b\\x1b", 1, None, 2.5]]}


def test_no_line_passes_for_another_message():
    assert visible_lines("one\r\nstepforward: \x9btwo") == "one\\r\n  stepforward: \\x9btwo"
