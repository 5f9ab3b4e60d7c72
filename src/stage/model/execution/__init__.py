"""How the model is run: frames in chunks, recurring sizes, ONNX graphs."""
