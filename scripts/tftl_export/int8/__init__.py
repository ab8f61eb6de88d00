"""The frozen parts of a network in int8, on TensorFlow's quantised oneDNN operations.

The filters are quantised when a network is exported. How large activations get is measured later,
with photographs, by `tftl calibrate`. savedmodels/README.md specifies the MetaGraph.
"""
