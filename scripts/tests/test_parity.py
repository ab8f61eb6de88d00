"""The exported training steps compared with Keras' layers, losses, optimizers and loop.

The reference is the usual Keras program for transfer learning: a backbone whose lower layers are
not trainable, Dense layers on top, `compile` and `train_on_batch`. It has no cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import keras
import numpy as np
import pytest
from driver import SGD, Stage, batches, settle, tolerance, variables

from tftl_export.backbones.build import build_backbone
from tftl_export.graph import optimizers

LR = 1e-4
POOLINGS = {
    "flatten": keras.layers.Flatten,
    "gap": keras.layers.GlobalAveragePooling2D,
    "gmp": keras.layers.GlobalMaxPooling2D,
}


class Inference(keras.layers.Layer):
    """A network whose BatchNorm stays in inference mode.

    Calling `base(x, training=False)` in a functional model is not enough: Keras 3 overrides it
    with the mode of the outer model.
    """

    def __init__(self, base):
        super().__init__()
        self.base = base

    def call(self, x):
        return self.base(x, training=False)


class Reference:
    """The same network in Keras, with the weights of a checkpoint."""

    def __init__(self, base, preprocess, pooling, checkpoint, l2=None):
        weights = variables(checkpoint)
        self._base, self._preprocess = base, preprocess
        images = keras.Input(base.input.shape[1:])
        x = POOLINGS[pooling]()(Inference(base)(images))
        for variable in base.weights:
            variable.assign(weights[f"network/{variable.path.replace('/', '_')}"])
        x = keras.layers.Rescaling(1.0 / float(weights["head/feature_scale"]))(x)
        layers = [name.removesuffix("_bias") for name in weights if name.endswith("_bias")]
        for name in sorted(name for name in layers if name.startswith("head/")):
            dense = keras.layers.Dense(
                len(weights[f"{name}_bias"]),
                name=name.removeprefix("head/"),
                activation="relu" if "hidden" in name else None,
                kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            )
            x = dense(x)
            dense.set_weights([weights[f"{name}_{kind}"] for kind in ("kernel", "bias")])
        self.model = keras.Model(images, x)
        self._loss = (
            keras.losses.BinaryCrossentropy(from_logits=True)
            if x.shape[1] == 1
            else keras.losses.CategoricalCrossentropy(from_logits=True)
        )

    def begin(self, first, optimizer, eager=False):
        """Train the head, and the base from this layer up, with a fresh optimizer."""
        names = [layer.name for layer in self._base.layers]
        start = len(names) if first is None else names.index(first)
        for i, layer in enumerate(self._base.layers):
            layer.trainable = i >= start
        # XLA rounds differently.
        self.model.compile(optimizer, self._loss, jit_compile=False, run_eagerly=eager)

    def step(self, images, targets, weights=None):
        """Run a step; returns its loss, including penalties."""
        self.model.reset_metrics()  # or the loss is a mean over all steps so far
        if targets.shape[1] == 2:
            targets = targets[:, 1:]
        pixels = self._preprocess(images.copy())
        return float(self.model.train_on_batch(pixels, targets, sample_weight=weights))

    def trained(self):
        """The trainable weights under the checkpoint's names."""
        return {v.path.replace("/", "_"): v.numpy().copy() for v in self.model.trainable_variables}


def tiny_reference(pooling, checkpoint, l2=None):
    base, _ = build_backbone("tiny", 32, "none", seed=99)
    return Reference(base, lambda x: x / np.float32(255), pooling, checkpoint, l2)


def run(stage, reference, data, weights=None, **hyper):
    """Run the same steps on both; returns their losses."""
    losses = []
    for images, targets in data:
        result = stage.step(stage.features(images), targets, weights, **{"lr": LR, **hyper})
        assert result["finite"]
        losses.append(
            (result["loss"] + result["penalty"], reference.step(images, targets, weights))
        )
    return np.array(losses).T


def assert_close(losses, before, stage, reference, prefix, updates=1e-3):
    """Losses differ little relative to the largest loss, weights relative to how far they moved."""
    ours, theirs = losses
    difference = np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))
    after = {name.partition("/")[2]: v for name, v in variables(stage.save(prefix)).items()}
    trained = reference.trained()
    errors = {
        name: np.linalg.norm(after[name] - want) / np.linalg.norm(want - before[name])
        for name, want in trained.items()
        if not np.array_equal(after[name], want)  # it may not have moved at all
    }
    print(f"loss {difference:.1e}, updates {max(errors.values(), default=0):.1e}")
    assert difference <= tolerance()
    assert all(error <= updates for error in errors.values()), errors
    assert relative([after[name] for name in trained], list(trained.values())) <= tolerance()


def relative(got, want):
    """The norm of the difference over the norm, of lists of arrays."""
    flat = [np.concatenate([np.ravel(array) for array in arrays]) for arrays in (got, want)]
    return np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1])


@dataclass(frozen=True)
class Case:
    """What is trained, and how."""

    stage: str
    first: str | None = None  # the lowest layer that it trains
    pooling: str = "flatten"
    classes: int = 5
    steps: int = 5
    batch: int = 16
    optimizer: keras.optimizers.Optimizer = field(default_factory=lambda: keras.optimizers.Adam(LR))
    hyper: dict[str, float] = field(default_factory=dict)  # the same settings for the exported step
    weights: np.ndarray | None = None
    soft: bool = False
    feature_scale: float = 1.0
    output_scale: float = 1.0
    eager: bool = False  # run Keras eagerly, if there are too few steps to pay for a graph
    updates: float = 1e-3  # the largest relative error of a variable's update


def follow(case, model, reference, tmp_path, size=32):
    """Train both and compare them."""
    scales = {"feature_scale": case.feature_scale, "output_scale": case.output_scale}
    stage = Stage(model, case.stage).init(case.classes, **scales)
    keras_model = reference(case.pooling, stage.save(tmp_path / "start"), case.hyper.get("l2"))
    keras_model.begin(case.first, case.optimizer, case.eager)
    before = keras_model.trained()
    data = batches(1, case.steps, case.batch, size, case.classes, case.soft)
    losses = run(stage, keras_model, data, case.weights, **case.hyper)
    assert_close(losses, before, stage, keras_model, tmp_path / "end", case.updates)


@pytest.mark.parametrize(
    "case",
    [
        Case("head", pooling="flatten", classes=2, steps=20),
        Case("head", pooling="gap", classes=5, steps=20),
        Case("head", pooling="gmp", classes=5, steps=20),
        Case("block2", "block2_conv1", "flatten", classes=5),
        Case("block2", "block2_conv1", "gap", classes=2),
        Case("block2", "block2_conv1", "gmp", classes=5),
        Case("block1", "block1_conv1", "flatten", classes=2),
        Case("block1", "block1_conv1", "gap", classes=5),
        Case("head", pooling="flatten", classes=3, steps=20, feature_scale=0.25),
        Case("head", pooling="flatten", classes=2, steps=20, output_scale=0.0),
        Case("block2", "block2_conv1", "gap", classes=2, feature_scale=3.0),
    ],
    ids=lambda case: f"{case.stage}-{case.pooling}-{case.classes}-{case.feature_scale:g}",
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
    "stage, first, classes, switch",
    [*[("head", None, 5, switch) for switch in SWITCHES], ("block2", "block2_conv1", 2, "all")],
)
def test_each_switch_follows_keras(tiny, tmp_path, stage, first, classes, switch):
    case = Case(stage, first, classes=classes, **SWITCHES[switch]())
    follow(case, tiny(), tiny_reference, tmp_path)


OPTIMIZERS = {
    "adam": (keras.optimizers.Adam, 1e-3, {}),
    "sgd": (keras.optimizers.SGD, 0.01, {"momentum": 0.9}),
    "rmsprop": (keras.optimizers.RMSprop, 1e-3, {"momentum": 0.9}),
    "adamw": (keras.optimizers.AdamW, 1e-3, {"weight_decay": 0.004}),
    "nesterov": (partial(keras.optimizers.SGD, nesterov=True), 0.01, {"momentum": 0.9}),
}


@pytest.mark.parametrize("plain", [False, True], ids=["as_used", "plain"])
@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_each_optimizer_follows_keras_over_25_steps(tiny, tmp_path, name, plain):
    """After more steps rounding moves some unit across its ReLU's threshold, and they diverge."""
    make, lr, hyper = OPTIMIZERS[name]
    hyper = {} if plain else hyper
    given = {"weight_decay": 0.0, **hyper} if name == "adamw" else hyper
    case = Case(
        "block2",
        "block2_conv1",
        "gap",
        steps=25,
        optimizer=make(lr, **given),
        hyper={"lr": lr, "optimizer": optimizers.OPTIMIZERS.index(name), **hyper},
    )
    follow(case, tiny("gap", "--hidden", "2"), tiny_reference, tmp_path)


def test_a_deeper_stage_starts_from_the_trained_head(tiny, tmp_path):
    head = Stage(tiny(), "head").init(classes=3)
    reference = tiny_reference("flatten", head.save(tmp_path / "start"))
    reference.begin(None, keras.optimizers.Adam(LR))
    run(head, reference, batches(1, 10, 16, 32, 3))

    deeper = Stage(tiny(), "block2")
    deeper.restore(head.save(tmp_path / "head"))
    deeper.call("begin")
    reference.begin("block2_conv1", keras.optimizers.Adam(LR))
    before = reference.trained()
    losses = run(deeper, reference, batches(2, 5, 16, 32, 3))
    assert_close(losses, before, deeper, reference, tmp_path / "end")


@pytest.mark.parametrize(
    "stage, first, steps, batch", [("head", None, 20, 8), ("block5", "block5_conv1", 5, 16)]
)
def test_vgg16_follows_keras(export, tmp_path, stage, first, steps, batch):
    model = export("--weights", "none", "--image-size", "64")

    def reference(pooling, checkpoint, l2):
        base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
        preprocess = keras.applications.vgg16.preprocess_input
        return Reference(base, preprocess, pooling, checkpoint, l2)

    case = Case(stage, first, classes=2, steps=steps, batch=batch)
    follow(case, model, reference, tmp_path, size=64)


# The lowest layer that each stage trains, as in Keras' model.summary().
STAGES = {
    "mobilenet_v2": {
        "head": None,
        "top": "Conv_1",
        "block13": "block_13_expand",
        "block6": "block_6_expand",
        "block3": "block_3_expand",
        "all": "Conv1",
    },
    "resnet50": {
        "head": None,
        "conv5": "conv5_block1_1_conv",
        "conv4": "conv4_block1_1_conv",
        "conv3": "conv3_block1_1_conv",
        "conv2": "conv2_block1_1_conv",
        "all": "conv1_pad",
    },
    "convnext_tiny": {
        "head": None,
        "stage3": "convnext_tiny_stage_3_block_0_depthwise_conv",
        "stage2": "convnext_tiny_stage_2_block_0_depthwise_conv",
        "stage1": "convnext_tiny_stage_1_block_0_depthwise_conv",
        "stage0": "convnext_tiny_stage_0_block_0_depthwise_conv",
        "all": "convnext_tiny_prestem_normalization",
    },
}
PREPROCESS = {
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
    "resnet50": keras.applications.resnet.preprocess_input,
    "convnext_tiny": keras.applications.convnext.preprocess_input,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_every_stage_of_a_backbone_follows_keras(export, tmp_path, name):
    size = 64
    options = ("--head", "gap", "--image-size", str(size))
    base, _ = build_backbone(name, size, "none", seed=3)
    ((images, _),) = batches(8, 1, 16, size, 3)
    settle(base, PREPROCESS[name](images))
    base.save_weights(tmp_path / "w.weights.h5")
    model = export("--backbone", name, "--weights", str(tmp_path / "w.weights.h5"), *options)

    def reference(pooling, checkpoint, l2):
        return Reference(base, PREPROCESS[name], pooling, checkpoint, l2)

    for stage, first in STAGES[name].items():
        # The network is deep and untrained. A rate that makes the loss jump magnifies rounding, and
        # so does Adam, whose first steps are lr * sign(g). With this rate some updates are so small
        # that they are near float32's resolution.
        optimizer = keras.optimizers.SGD(1e-4, momentum=0.9)
        hyper = {"optimizer": SGD, "lr": 1e-4, "momentum": 0.9}
        case = Case(
            stage, first, "gap", 3, 3, 4, optimizer=optimizer, hyper=hyper, eager=True, updates=1e-2
        )
        follow(case, model, reference, tmp_path, size)
