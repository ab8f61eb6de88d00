"""The exported steps against Keras' own layers, losses, optimizers and training loop.

The reference is the usual Keras program for transfer learning: a backbone with its lower layers
not trainable, Dense layers on top, `compile` and `train_on_batch`. It knows nothing of cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from driver import SGD, Stage, batches, variables

from tftl_export import backbones

LR = 1e-4
CUTS = {"head": None, "block2": "block2_conv1", "block1": "block1_conv1", "block5": "block5_conv1"}


class Reference:
    """The same network in Keras, with the weights of a checkpoint."""

    def __init__(self, base, preprocess, pooling, checkpoint, l2):
        weights = variables(checkpoint)
        self._base, self._preprocess = base, preprocess
        x = {"flatten": keras.layers.Flatten, "gap": keras.layers.GlobalAveragePooling2D}[pooling]()
        x = x(base.output)
        heads = sorted(name for name in weights if name.startswith("head/"))
        for name in sorted({name.rsplit("_", 1)[0] for name in heads}):
            units = len(weights[f"{name}_bias"])
            x = keras.layers.Dense(
                units,
                name=name.removeprefix("head/"),
                activation="relu" if "hidden" in name else None,
                kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            )(x)
        self.model = keras.Model(base.input, x)
        self._loss = (
            keras.losses.BinaryCrossentropy(from_logits=True)
            if x.shape[1] == 1
            else keras.losses.CategoricalCrossentropy(from_logits=True)
        )
        for layer in self.model.layers:
            if layer.weights:
                part = "network" if layer in base.layers else "head"
                layer.set_weights(
                    [weights[f"{part}/{layer.name}_{kind}"] for kind in ("kernel", "bias")]
                )

    def begin(self, stage, optimizer):
        """Train from this stage up with a fresh optimizer."""
        frozen = True
        for layer in self._base.layers:
            frozen = frozen and layer.name != CUTS[stage]
            layer.trainable = not frozen
        # Not by XLA: its kernels round otherwise.
        self.model.compile(optimizer, self._loss, jit_compile=False)

    def step(self, images, targets, weights=None):
        """The step's loss, penalties within."""
        self.model.reset_metrics()  # or the loss is a mean over all steps so far
        if targets.shape[1] == 2:
            targets = targets[:, 1:]
        pixels = self._preprocess(images.copy())
        return float(self.model.train_on_batch(pixels, targets, sample_weight=weights))

    def trained(self):
        """The trainable weights under the checkpoint's names."""
        return {v.path.replace("/", "_"): v.numpy().copy() for v in self.model.trainable_variables}


def tiny_reference(pooling, checkpoint, l2=None):
    base, _ = backbones.build("tiny", 32, "none", seed=99)
    return Reference(base, lambda x: x / np.float32(255), pooling, checkpoint, l2)


def run(stage, reference, data, weights=None, **hyper):
    """The same steps on both; their losses."""
    losses = []
    for images, targets in data:
        result = stage.step(stage.features(images), targets, weights, **{"lr": LR, **hyper})
        assert result["finite"]
        losses.append(
            (result["loss"] + result["penalty"], reference.step(images, targets, weights))
        )
    return np.array(losses).T


def assert_close(losses, before, stage, reference, prefix):
    """Losses differ little beside the largest loss, weights beside how far they moved."""
    ours, theirs = losses
    difference = np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))
    after = {name.partition("/")[2]: v for name, v in variables(stage.save(prefix)).items()}
    trained = reference.trained()
    errors = {
        name: np.linalg.norm(after[name] - want) / np.linalg.norm(want - before[name])
        for name, want in trained.items()
    }
    print(f"loss {difference:.1e}, updates {max(errors.values()):.1e}")
    assert difference <= 1e-5
    assert max(errors.values()) <= 1e-3, errors
    assert relative([after[name] for name in trained], list(trained.values())) <= 1e-5


def relative(got, want):
    """The norm of the difference over the norm, of lists of arrays."""
    flat = [np.concatenate([np.ravel(array) for array in arrays]) for arrays in (got, want)]
    return np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1])


@dataclass(frozen=True)
class Case:
    """What is trained, and how."""

    stage: str
    pooling: str = "flatten"
    classes: int = 5
    steps: int = 5
    batch: int = 16
    optimizer: keras.optimizers.Optimizer = field(default_factory=lambda: keras.optimizers.Adam(LR))
    hyper: dict[str, float] = field(default_factory=dict)  # the same for the exported step
    weights: np.ndarray | None = None
    soft: bool = False


def follow(case, model, reference, tmp_path, size=32):
    """Train both and compare."""
    stage = Stage(model, case.stage).init(case.classes)
    keras_model = reference(case.pooling, stage.save(tmp_path / "start"), case.hyper.get("l2"))
    keras_model.begin(case.stage, case.optimizer)
    before = keras_model.trained()
    data = batches(1, case.steps, case.batch, size, case.classes, case.soft)
    losses = run(stage, keras_model, data, case.weights, **case.hyper)
    assert_close(losses, before, stage, keras_model, tmp_path / "end")


@pytest.mark.parametrize(
    "case",
    [
        Case("head", "flatten", classes=2, steps=20),
        Case("head", "gap", classes=5, steps=20),
        Case("block2", "flatten", classes=5),
        Case("block2", "gap", classes=2),
        Case("block1", "flatten", classes=2),
        Case("block1", "gap", classes=5),
    ],
    ids=lambda case: f"{case.stage}-{case.pooling}-{case.classes}",
)
def test_losses_and_weights_follow_keras(tiny, tmp_path, case):
    follow(case, tiny(case.pooling), tiny_reference, tmp_path)


def adam(**more):
    return keras.optimizers.Adam(LR, **more)


def sgd(lr, **more):
    return keras.optimizers.SGD(lr, **more)


SWITCHES = {
    "sgd": lambda: {"optimizer": sgd(0.01), "hyper": {"optimizer": SGD, "lr": 0.01}},
    "momentum": lambda: {
        "optimizer": sgd(0.01, momentum=0.9),
        "hyper": {"optimizer": SGD, "lr": 0.01, "momentum": 0.9},
    },
    "l2": lambda: {"hyper": {"l2": 0.01}},
    "weight_decay": lambda: {"optimizer": adam(weight_decay=0.1), "hyper": {"weight_decay": 0.1}},
    "clip": lambda: {
        "optimizer": sgd(0.1, global_clipnorm=0.05),
        "hyper": {"optimizer": SGD, "lr": 0.1, "clip": 0.05},
    },
    "sample_weights": lambda: {"weights": np.linspace(0, 3, 16, dtype=np.float32)},
    "soft_targets": lambda: {"soft": True},
    "all": lambda: {
        "optimizer": sgd(0.1, momentum=0.9, weight_decay=0.1, global_clipnorm=0.05),
        "hyper": {
            "optimizer": SGD,
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 0.1,
            "clip": 0.05,
            "l2": 0.01,
        },
        "weights": np.linspace(0, 3, 16, dtype=np.float32),
        "soft": True,
    },
}


@pytest.mark.parametrize(
    "stage, classes, switch",
    [*[("head", 5, switch) for switch in SWITCHES], ("block2", 2, "all")],
)
def test_each_switch_follows_keras(tiny, tmp_path, stage, classes, switch):
    case = Case(stage, classes=classes, **SWITCHES[switch]())
    follow(case, tiny(), tiny_reference, tmp_path)


def test_a_deeper_stage_begins_where_the_head_ended(tiny, tmp_path):
    head = Stage(tiny(), "head").init(classes=3)
    reference = tiny_reference("flatten", head.save(tmp_path / "start"))
    reference.begin("head", keras.optimizers.Adam(LR))
    run(head, reference, batches(1, 10, 16, 32, 3))

    deeper = Stage(tiny(), "block2")
    deeper.restore(head.save(tmp_path / "head"))
    deeper.call("begin")
    reference.begin("block2", keras.optimizers.Adam(LR))
    before = reference.trained()
    losses = run(deeper, reference, batches(2, 5, 16, 32, 3))
    assert_close(losses, before, deeper, reference, tmp_path / "end")


@pytest.mark.parametrize("stage, steps, batch", [("head", 20, 8), ("block5", 5, 16)])
def test_vgg16_follows_keras(export, tmp_path, stage, steps, batch):
    model = export("--weights", "none", "--image-size", "64")

    def reference(pooling, checkpoint, l2):
        base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
        preprocess = keras.applications.vgg16.preprocess_input
        return Reference(base, preprocess, pooling, checkpoint, l2)

    case = Case(stage, classes=2, steps=steps, batch=batch)
    follow(case, model, reference, tmp_path, size=64)
