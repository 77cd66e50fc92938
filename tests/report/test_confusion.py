from stepforward.intervals import Interval
from stepforward.report.confusion import Cell, cells, class_scores, commonest, image


def test_cells_are_shares_of_their_row():
    rows = cells([[3, 1], [0, 0]])
    assert rows[0] == [Cell(3, 0.75, True), Cell(1, 0.25, False)]
    assert rows[1] == [Cell(0, 0.0, False), Cell(0, 0.0, True)]


def test_the_commonest_mistakes_come_first_and_right_answers_never():
    assert commonest([[9, 1, 0], [4, 9, 0], [0, 2, 9]], ["a", "b", "c"]) == [
        ("b", "a", 4),
        ("c", "b", 2),
        ("a", "b", 1),
    ]


def test_a_class_without_samples_has_no_accuracy():
    scores = class_scores([[1, 1], [0, 0]], [[2, 0], [0, 0]], ["a", "b"])
    assert scores == [("a", 2, 0.5, 1.0, 0), ("b", 0, None, None, 0)]


def test_a_class_has_a_sign_only_beyond_the_noise_of_its_samples():
    before, after = [[9, 1], [0, 10]], [[2, 8], [0, 10]]
    scores = class_scores(before, after, ["a", "b"], [Interval(-0.9, -0.3), Interval(-0.2, 0.2)])
    assert [score.sign for score in scores] == [-1, 0]


def test_a_image_of_a_thousand_classes_stays_small():
    matrix = [[0] * 1000 for _ in range(1000)]
    for i in range(1000):
        matrix[i][i] = 5
    assert len(image(matrix)) < 100_000
