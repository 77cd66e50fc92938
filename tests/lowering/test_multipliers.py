"""How a ratio of scales becomes a multiplier, where runtimes differ in it."""

from stepforward.arithmetic.rounding import q31_multiplier
from stepforward.lowering.multipliers import of_join
from stepforward.operators.multiply import Multiply


def test_litert_s_reference_takes_the_ratio_of_a_product_in_float32_and_tflm_in_double():
    """The scales of a file in which the two differ by one integer at a tie."""
    scales = (0.005859375, 0.4000000059604645, 0.004000000189989805)
    a, b, y = scales
    assert of_join("tflm", Multiply, *scales)["rescale"] == (q31_multiplier(a * b / y),)
    assert of_join("litert-ref", Multiply, *scales)["rescale"] == ((1258291200, 31),)
    assert q31_multiplier(a * b / y) == (1258291159, 31)
