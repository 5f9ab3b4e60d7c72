"""How the model is run: frames in chunks, sizes rounded up, ONNX graphs."""
