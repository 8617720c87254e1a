"""Models ready to run: bundles, and the ONNX and PyTorch backends."""
