"""Every export of a run side by side, and ONNX Runtime's own quantisation beside ours."""
