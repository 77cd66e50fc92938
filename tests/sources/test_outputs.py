import pytest

from stepforward.errors import StepforwardError
from stepforward.sources.outputs import Output, choose_kept, choose_output

LOGITS, EMBEDDING = Output("logits", (None, 10)), Output("embedding", (None, 84))
MAPS, LABEL = Output("maps", (None, 8, 6, 6)), Output("label", (None,), real=False)


@pytest.mark.parametrize(
    ("outputs", "asked", "classes", "chosen"),
    [
        ([EMBEDDING], None, None, 0),  # the only one
        ([EMBEDDING, LOGITS], None, None, 1),  # by its name
        ([MAPS, LABEL, EMBEDDING], None, None, 2),  # of two axes, and no indices
        ([EMBEDDING, Output("out", (None, 10))], None, 10, 1),  # as wide as there are class names
        ([MAPS, Output("a", (None, 10, 1, 1))], None, None, 1),  # of two axes but for some of size 1
        ([EMBEDDING, LOGITS], "embedding", None, 0),  # as asked
    ],
)
def test_what_tells_the_logits(outputs, asked, classes, chosen):
    assert choose_output(outputs, asked, "m.onnx", classes) == chosen


def test_what_cannot_be_told_is_listed():
    outputs = [EMBEDDING, Output("out", (None, 10)), MAPS._replace(shape=None)]
    with pytest.raises(
        StepforwardError, match=r"'embedding' \(N, 84\), 'out' \(N, 10\), 'maps' of unknown"
    ) as found:
        choose_output(outputs, None, "m.onnx")
    assert "--output NAME" in found.value.remedy
    with pytest.raises(StepforwardError, match=r"none of them \(N, classes\): 'maps' .*'label'"):
        choose_output([MAPS, LABEL], None, "m.onnx")
    with pytest.raises(StepforwardError, match=r"m.onnx has no output 'logit'; it has 'logits' \(N, 10\)"):
        choose_output([LOGITS, EMBEDDING], "logit", "m.onnx")


def test_a_file_that_stays_as_it_is_keeps_all_outputs():
    chosen, notes = choose_kept([EMBEDDING, LOGITS], None, "m.tflite")
    assert (chosen, len(notes)) == (1, 1) and "'embedding'" in notes[0]
    assert choose_kept([LOGITS], None, "m.tflite") == (0, [])
    with pytest.raises(StepforwardError, match="returned with all its outputs"):
        choose_kept([EMBEDDING, LOGITS], "only:logits", "m.tflite")
