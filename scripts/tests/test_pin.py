"""The two requirements files have the same packages, apart from TensorFlow's build."""

from __future__ import annotations

import pin


def test_the_gpu_has_the_same_packages_besides_tensorflow_and_nvidias():
    cpu, gpu = (set(pin.packages(file)) for file in (pin.REQUIREMENTS, pin.GPU))
    (tensorflow,) = [package for package in cpu - gpu]
    more = gpu - cpu - {tensorflow.replace("tensorflow_cpu", "tensorflow")}
    assert len(more) == len(gpu) - len(cpu) > 0
    assert all(package.startswith("nvidia_") for package in more)
