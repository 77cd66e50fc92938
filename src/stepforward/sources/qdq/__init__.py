"""The quantized ONNX files that stepforward writes: ordinary QDQ."""
