"""Int8 ONNX files of other tools, QDQ or QLinear operators: read as ONNX Runtime computes them, and written back."""
