"""Float TensorFlow Lite files as float ONNX graphs, operator by operator; the passes of ONNX files do the rest."""
