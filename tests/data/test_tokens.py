import numpy as np
import pytest

from stepforward.data.load import load
from stepforward.data.rows import rows_of
from stepforward.data.tokens import vectors
from stepforward.errors import StepforwardError

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.int16])
def test_ids_become_rows_of_the_table(dtype):
    ids = np.array([[0, 3], [1, 1]], dtype)
    found = vectors("x", rows_of(ids), TABLE, (2, 3))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, TABLE[[[0, 3], [1, 1]]])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.array([[0, 1], [2, 4]]), "sample 1 holds id 4 at position 1, and the table of the network has rows 0 to 3"),
        (np.array([[0, -1]]), "sample 0 holds id -1 at position 1"),
        (np.array([[0.0, 1.0]]), "x is float64 of shape .*token ids, whole numbers"),
        (np.array([[True, False]]), "x is bool"),
        (np.array([[0, 1, 2]]), r"x is int64 of shape \(1, 3\); the network reads token ids, whole numbers \(N, 2\)"),
        (np.array([0, 1]), r"x is int64 of shape \(2,\)"),
    ],
)  # fmt: skip
def test_what_are_no_ids_of_the_table_is_refused_by_sample(ids, message):
    with pytest.raises(StepforwardError, match=message):
        vectors("x", rows_of(ids), TABLE, (2, 3))


def test_a_file_and_a_function_of_the_callers_give_ids(tmp_path):
    np.savez(tmp_path / "d.npz", x=[[0, 3], [1, 1]], y=[0, 1])
    read = load(tmp_path / "d.npz", {"kind": "array"}, input_shape=(2, 3), table=TABLE)
    np.testing.assert_array_equal(read.x, TABLE[[[0, 3], [1, 1]]])
    for name in "ab":
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "1.txt").write_text(name)

    def prepare(path):
        with open(path) as file:
            return [ord(file.read()) - ord("a")] * 2

    read = load(tmp_path / "texts", prepare, input_shape=(2, 3), table=TABLE)
    np.testing.assert_array_equal(read.x, TABLE[[[0, 0], [1, 1]]])
    with pytest.raises(StepforwardError, match=r"1\.txt: .*holds id 9"):
        load(tmp_path / "texts", lambda path: [9, 9], input_shape=(2, 3), table=TABLE)
