"""An `onnx_ir` graph: small operations on it, what its metadata say, its forward pass in float32."""
