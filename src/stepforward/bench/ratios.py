"""The figures of a comparison: how many times faster than each peer."""

from collections.abc import Mapping

from stepforward.bench.timing import Timing

PAIRS = {
    "forward_vs_torch_f32": ("torch_f32_forward", "core_forward"),
    "forward_vs_torch_f32_channels_last": ("torch_f32_channels_last_forward", "core_forward"),
    "forward_vs_ort_f32": ("ort_f32_forward", "core_forward"),
    "forward_vs_ort_int8": ("ort_int8_forward", "core_forward"),
    "forward_8bit_vs_ort_int8": ("ort_int8_forward", "core_8bit_forward"),
    "forward_vs_openvino_f32": ("openvino_f32_forward", "core_forward"),
    "forward_vs_openvino_int8": ("openvino_int8_forward", "core_forward"),
    "forward_8bit_vs_openvino_int8": ("openvino_int8_forward", "core_8bit_forward"),
    "forward_vs_litert_int8": ("litert_int8_forward", "core_forward"),
    "forward_8bit_vs_litert_int8": ("litert_int8_forward", "core_8bit_forward"),
    "step_vs_backprop": ("backprop_step", "core_step"),
    "step_vs_backprop_channels_last": ("backprop_step_channels_last", "core_step"),
    "step_vs_mezo": ("mezo_step", "core_step"),
    "one_direction_vs_backprop": ("backprop_step", "core_step_one_direction"),
    "one_direction_vs_mezo": ("mezo_step", "core_step_one_direction"),
}
"""Figure -> (peer, ours); peer's time / ours. A step is that of the first release, four directions that share
the batch; that of `one_direction` has one, on the whole batch."""


def ratios(times: Mapping[str, Timing]) -> dict[str, float]:
    """Ratios of medians; larger is better, except `..._vs_two_forwards`: our step / two of our forward passes."""
    result = {
        figure: round(times[peer].median / times[ours].median, 3)
        for figure, (peer, ours) in PAIRS.items()
        if peer in times and ours in times
    }
    for figure, ours in (("step", "core_step"), ("one_direction", "core_step_one_direction")):
        if ours in times and "core_forward" in times:
            two = 2 * times["core_forward"].median
            result[f"{figure}_vs_two_forwards"] = round(times[ours].median / two, 3)
    return result
