"""Float ONNX files, read into one canonical float graph."""
