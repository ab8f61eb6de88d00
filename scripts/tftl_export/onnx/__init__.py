"""Writes a trained model as ONNX files, which take images of any size."""
