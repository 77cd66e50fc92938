"""Choose a fixed-point format for every tensor; write and read it as a QDQ ONNX file."""
