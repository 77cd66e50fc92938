"""TensorFlow Lite files whose numbers are int8: read as a network, and written back with other integers."""
