"""Running a model: exported folders, and the ONNX and PyTorch backends."""
