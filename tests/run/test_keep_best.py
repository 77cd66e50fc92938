from stepforward.run.keep_best import start


def test_a_lower_loss_wins_unless_it_names_fewer_samples_than_the_base():
    base = start(10, 50.0, b"base")
    assert base.beaten_by(10, 49.0)
    assert base.beaten_by(12, 49.0)
    assert not base.beaten_by(9, 1.0)
    assert not base.beaten_by(12, 50.0)
    assert not base.beaten_by(12, float("nan"))


def test_other_weights_to_begin_with_are_held_to_what_the_given_ones_reached():
    for begun in (12, 9):
        first = start(begun, 50.0, b"finer steps", given=10)
        assert first.beaten_by(10, 49.0)
        assert not first.beaten_by(9, 1.0)
