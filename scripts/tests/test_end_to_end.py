"""What bin/tftl trains, measures and writes, compared with Keras, TensorFlow and scikit-learn.

It is run as a user runs it; `make build` builds it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import Stage, tolerance, variables
from PIL import Image
from program import AS_IN_KERAS, Predictions, history, order, parts, predict, tftl
from sklearn import metrics

SEED = 7 << 33 | 5  # more than 32 bits, so that both halves count
BATCH, EPOCHS = 16, 5
RARER_FORMAT = {"ant": "JPEG", "bee": "PNG", "moth": "BMP", "wasp": "GIF"}
COLOURS = {
    "ant": (140, 90, 90),
    "bee": (100, 130, 90),
    "moth": (140, 90, 90),
    "wasp": (90, 90, 150),
}
# Moths look like ants and are few, so they are never predicted, and there are no wasps in the test
# part. Both lead to a division by zero.
COUNTS = {
    "train": {"ant": 30, "bee": 25, "moth": 1, "wasp": 17},
    "val": {"ant": 9, "bee": 8, "moth": 2, "wasp": 5},
    "test": {"ant": 15, "bee": 14, "moth": 3},
}


def photographs(root: Path, classes: list[str]) -> Path:
    """Coloured noise in classes that overlap, so that many predictions are wrong."""
    random = np.random.default_rng(0)
    for part, counts in COUNTS.items():
        for name in (name for name in counts if name in classes):
            (root / part / name).mkdir(parents=True)
            for i in range(counts[name]):
                colour = random.normal(COLOURS[name], 25, 3)
                pixels = random.normal(colour, 30, (*random.integers(20, 70, 2), 3))
                kind = RARER_FORMAT[name] if i % 4 == 3 else "JPEG"
                path = root / part / name / f"{name}{i}.{kind.lower()}"
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, kind)
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two data sets, with two classes and with four."""
    root = tmp_path_factory.mktemp("photos")
    return {n: photographs(root / str(n), list(COLOURS)[:n]) for n in (2, 4)}


@dataclass(frozen=True)
class Run:
    """A run folder and what it was trained on."""

    folder: Path
    model: Path  # the export
    photos: Path
    pooling: str
    rate: float

    @property
    def trained(self) -> Path:
        return self.folder / "model"

    @property
    def files(self) -> list[Path]:
        """The images of the test part, in the program's order."""
        return [self.photos / path for path, _ in parts(self.folder)["test"]]


@pytest.fixture(
    scope="module",
    params=[("flatten", 4, 0.01), ("gap", 2, 0.3)],
    ids=["flatten-4", "gap-2"],
)
def run(request, photos, export, tmp_path_factory):
    """A run trained in float32, with the head of Keras' tutorials and with the default one."""
    pooling, classes, rate = request.param
    model = export("--backbone", "tiny", "--weights", "none", "--head", pooling)
    work = tmp_path_factory.mktemp("run")
    arguments = ["--data", photos[classes], "--model", model, "--output", work / "run"]
    arguments += ["--cache-dir", work / "cache", "--precision", "float32", "--seed", SEED]
    arguments += ["--epochs", EPOCHS, "--patience", 0, "--lr", rate, "--batch-size", BATCH]
    tftl("fit", *arguments, *(["--units", 12, *AS_IN_KERAS] if pooling == "flatten" else []))
    return Run(work / "run", model, photos[classes], pooling, rate)


def pixels(files: list[Path], size=(32, 32)) -> np.ndarray:
    """The pixels that keras.utils.image_dataset_from_directory loads."""
    decoded = (tf.io.decode_image(file.read_bytes(), 3, expand_animations=False) for file in files)
    return np.array([tf.image.resize(image, size) for image in decoded])


def scikit_learn(true, probabilities, classes: list[str]) -> dict[str, Any]:
    """The content of `evaluate --json`, computed by scikit-learn."""
    labels, guessed = range(len(classes)), np.argmax(probabilities, axis=1)
    whole = probabilities / probabilities.sum(axis=1, keepdims=True)  # float32 rows sum to almost 1

    def scores(average):
        values = metrics.precision_recall_fscore_support(
            true, guessed, labels=labels, average=average, zero_division=0
        )
        return dict(zip(("precision", "recall", "f1", "support"), values, strict=True))

    one_each = {name: list(values) for name, values in scores(None).items()}
    averages = {
        average: {name: value for name, value in scores(average).items() if name != "support"}
        for average in ("macro", "weighted")
    }
    rows = [dict(zip(one_each, row, strict=True)) for row in zip(*one_each.values(), strict=True)]
    return {
        "samples": len(true),
        "loss": metrics.log_loss(true, whole, labels=labels),
        "accuracy": metrics.accuracy_score(true, guessed),
        "balanced_accuracy": metrics.balanced_accuracy_score(true, guessed),
        **averages,
        "classes": [{"name": name, **row} for name, row in zip(classes, rows, strict=True)],
        "confusion_matrix": metrics.confusion_matrix(true, guessed, labels=labels).tolist(),
    }


def assert_same_metrics(got: object, want: object, at: str = "") -> None:
    """Compare everything that is wanted; float32 probabilities limit the loss' precision."""
    if isinstance(want, dict):
        assert isinstance(got, dict) and got.keys() >= want.keys(), at
        for key in want:
            assert_same_metrics(got[key], want[key], f"{at}/{key}")
    elif isinstance(want, list):
        assert isinstance(got, list) and len(got) == len(want), at
        for i, value in enumerate(want):
            assert_same_metrics(got[i], value, f"{at}/{i}")
    else:
        tolerance = 1e-6 if at == "/loss" else 1e-12
        expected = pytest.approx(want, rel=tolerance) if isinstance(want, float) else want
        assert got == expected, at


def test_evaluate_has_the_metrics_of_scikit_learn(run):
    report = json.loads(tftl("evaluate", "--model", run.folder, "--precision", "float32", "--json"))
    assert json.loads((run.folder / "evaluation.json").read_text()) == report
    table = Predictions.of((run.folder / "predictions.csv").read_text())
    guessed = np.argmax(table.probabilities, axis=1)
    assert table.predicted == [table.classes[i] for i in guessed]
    want = scikit_learn(table.true(), table.probabilities, table.classes)
    assert_same_metrics(report, want)

    assert 0.3 < report["accuracy"] < 1, "too easy or too hard to tell metrics apart"
    if len(table.classes) == 4:  # divisions by zero, as intended
        assert report["classes"][3]["support"] == 0
        assert not report["classes"][2]["precision"]


def keras_export(folder: Path, classes: int) -> tuple[Path, keras.Model]:
    """A plain Keras model for images from 0 to 1, and its SavedModel."""
    keras.utils.set_random_seed(classes)
    last = {"units": 1, "activation": "sigmoid"}
    if classes > 2:
        last = {"units": classes, "activation": "softmax"}
    layers = [
        keras.Input((32, 40, 3)),
        keras.layers.Normalization(mean=[0.45, 0.4, 0.35], variance=[0.01] * 3),
        keras.layers.Conv2D(8, 5, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(**last),
    ]
    model = keras.Sequential(layers)
    model.save(folder / "model.keras")
    model.export(folder / "model", verbose=False)
    return folder / "model", keras.models.load_model(folder / "model.keras")


@pytest.mark.parametrize("classes", [2, 4])
def test_a_plain_keras_model_predicts_as_in_keras(photos, tmp_path, classes):
    exported, model = keras_export(tmp_path, classes)
    names = list(COLOURS)[:classes]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    data = keras.utils.image_dataset_from_directory(
        photos[classes] / "val",
        class_names=names,
        image_size=(32, 40),
        shuffle=False,
        batch_size=100,
        verbose=False,
    )
    ((images, true),) = [(x.numpy() * np.float32(1 / 255), y.numpy()) for x, y in data]
    want = model.predict(images, verbose=0)
    if classes == 2:
        want = np.hstack([1 - want, want])
    assert np.ptp(want, axis=0).max() > 0.1, "all images have the same prediction"

    plain = {"model-output": "probabilities", "rescale": "1/255", "labels": tmp_path / "labels.txt"}
    got = predict(exported, photos[classes] / "val", **plain)
    assert got.paths == sorted(data.file_paths) and got.classes == names
    rows = [got.paths.index(path) for path in data.file_paths]
    np.testing.assert_allclose(got.probabilities[rows], want, rtol=0, atol=1e-5)

    flags = [item for name, value in plain.items() for item in (f"--{name}", value)]
    flags += ["--precision", "float32", "--json"]
    text = tftl("evaluate", "--model", exported, "--data", photos[classes], "--part", "val", *flags)
    report = json.loads(text)
    crossentropy = keras.losses.SparseCategoricalCrossentropy()
    assert report["loss"] == pytest.approx(float(crossentropy(true, want)), rel=1e-5)
    assert report["accuracy"] == np.mean(np.argmax(want, axis=1) == true)


def keras_network(run: Run) -> keras.Model:
    """Build tiny and the run's head in Keras, with the weights of the trained model."""
    weights = variables(run.trained / "variables/variables")
    convolution = {"padding": "same", "activation": "relu"}
    layers = [
        keras.Input((32, 32, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, name="block1_conv1", **convolution),
        keras.layers.MaxPooling2D(4),
        keras.layers.Conv2D(8, 3, name="block2_conv1", **convolution),
        keras.layers.MaxPooling2D(4),
        *{
            "flatten": [keras.layers.Flatten()],
            "gap": [keras.layers.GlobalAveragePooling2D()],
        }[run.pooling],
        keras.layers.Rescaling(1 / weights["head/feature_scale"]),
        *head_layers(weights),
    ]
    model = keras.Sequential(layers)
    set_weights(model, weights)
    return model


def head_layers(weights: dict[str, np.ndarray]) -> list[keras.layers.Layer]:
    """The head as Keras layers, which return logits."""
    sizes = {
        name.split("/")[1].removesuffix("_bias"): len(value)
        for name, value in sorted(weights.items())
        if name.startswith("head/") and name.endswith("_bias")
    }
    return [
        keras.layers.Dense(n, name=name, activation=None if name == "output" else "relu")
        for name, n in sizes.items()
    ]


def set_weights(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Set the weights of a checkpoint by the layers' names."""
    for layer in model.layers:
        if layer.weights:
            part = "network" if "conv" in layer.name else "head"
            kinds = ("kernel", "bias")
            layer.set_weights([weights[f"{part}/{layer.name}_{kind}"] for kind in kinds])


def probabilities(logits: np.ndarray) -> np.ndarray:
    """The probabilities of all classes; a single logit is that of a sigmoid."""
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    return np.array(tf.nn.softmax(logits))


def test_predict_matches_keras_with_the_checkpoints_weights(run):
    got = predict(run.folder, *run.files)
    want = probabilities(keras_network(run).predict(pixels(run.files), verbose=0))
    np.testing.assert_allclose(got.probabilities, want, rtol=0, atol=1e-5)
    assert got.paths == [str(file) for file in run.files]


def test_the_trained_model_serves_in_python(run):
    loaded = tf.saved_model.load(str(run.trained))
    encoded = tf.constant([file.read_bytes() for file in run.files])
    answers = [
        loaded.signatures["serving_default"](images=tf.constant(pixels(run.files))),
        loaded.signatures["serving_bytes"](bytes=encoded),
    ]
    exact = predict(run.folder, *run.files).probabilities
    for answer in answers:
        np.testing.assert_allclose(answer["probabilities"], exact, rtol=0, atol=1e-5)
        np.testing.assert_allclose(probabilities(answer["logits"].numpy()), exact, atol=1e-5)
    if "bfloat16" not in tftl("version"):  # asking for it may be an error
        return
    coarse = predict(run.folder, *run.files, precision="bfloat16").probabilities
    difference = np.abs(coarse - exact).max()
    print(f"probabilities in bfloat16 differ by up to {difference:.1e}")
    assert difference <= 0.02


NETWORK = {
    "block1_conv1_kernel": (3, 3, 3, 4),
    "block1_conv1_bias": (4,),
    "block2_conv1_kernel": (3, 3, 4, 8),
    "block2_conv1_bias": (8,),
}
HEADS = {
    "flatten": {
        "hidden1_kernel": (32, 12),
        "hidden1_bias": (12,),
        "output_kernel": (12, 4),
        "output_bias": (4,),
    },
    "gap": {"output_kernel": (8, 1), "output_bias": (1,)},
}


@pytest.mark.parametrize("name", ["best", "last"])
def test_tensorflow_reads_the_checkpoints(run, name):
    checkpoint = variables(run.folder / "checkpoints" / name / "ckpt")
    head = HEADS[run.pooling]
    trained = {f"head/{k}": v for k, v in ({"feature_scale": ()} | head).items()}
    slots = {f"slots/{moment}/{k}": v for moment in ("first", "second") for k, v in head.items()}
    counters = {"step": (), "iterations": (), "seed": (2,)}
    assert {k: v.shape for k, v in checkpoint.items()} == trained | slots | counters

    lines = history(run.folder)
    epoch = [line for line in lines if line["best"]][-1] if name == "best" else lines[-1]
    assert checkpoint["step"] == checkpoint["iterations"] == epoch["step"]
    low, high = (int(half) & 0xFFFFFFFF for half in checkpoint["seed"])
    assert high << 32 | low == SEED
    assert all(np.any(checkpoint[f"slots/first/{k}"]) for k in head)

    if name == "best":  # the served model has the same weights
        loaded = tf.saved_model.load(str(run.trained))
        exported = variables(run.model / "variables/variables")
        served = {f"network/{k}": exported[f"network/{k}"] for k in NETWORK}
        served |= {k: checkpoint[k] for k in trained}
        got = variables(run.trained / "variables/variables")
        assert set(got) == set(served)
        for k, want in served.items():
            part, _, name = k.partition("/")
            assert np.array_equal(got[k], want), k
            assert np.array_equal(getattr(loaded, part)[name], want), k


def test_fit_trains_as_keras_does(run, tmp_path):
    """The whole loop: the seeded head, decoding, features, order, steps and validation."""
    split, labels = parts(run.folder), (run.folder / "labels.txt").read_text().split()
    stage = Stage(run.model, "head")
    seed = np.array([SEED & 0xFFFFFFFF, SEED >> 32], np.uint32).view(np.int32)
    hidden = json.loads((run.model / "assets.extra/tftl.json").read_text())["head"]["hidden"]
    scale = float(variables(run.folder / "checkpoints/last/ckpt")["head/feature_scale"])
    as_in_keras = run.pooling == "flatten"
    assert (scale == 1) == as_in_keras
    head = {"feature_scale": scale, "output_scale": float(as_in_keras)}
    stage.init(len(labels), *[12] * hidden, seed=seed, **head)
    inputs, targets = {}, {}
    for part in ("train", "val"):
        inputs[part] = stage.features(pixels([run.photos / path for path, _ in split[part]]))
        targets[part] = np.eye(len(labels), dtype=np.float32)[
            [labels.index(label) for _, label in split[part]]
        ]
    weights = variables(stage.save(tmp_path / "start"))
    layers = [keras.layers.Rescaling(1 / weights["head/feature_scale"]), *head_layers(weights)]
    model = keras.Sequential([keras.Input(inputs["train"].shape[1:]), *layers])
    set_weights(model, weights)
    loss, accuracy = (
        keras.losses.CategoricalCrossentropy(from_logits=True),
        keras.metrics.CategoricalAccuracy(name="accuracy"),
    )
    if len(labels) == 2:
        targets = {part: rows[:, 1:] for part, rows in targets.items()}
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0)
    # XLA rounds differently.
    model.compile(keras.optimizers.Adam(run.rate), loss, metrics=[accuracy], jit_compile=False)

    rows = []
    for epoch in range(1, EPOCHS + 1):
        visits, sums = order(SEED, epoch, len(inputs["train"])), np.zeros(2)
        for i in range(0, len(visits), BATCH):
            batch = visits[i : i + BATCH]
            model.reset_metrics()
            sums += len(batch) * np.array(
                model.train_on_batch(inputs["train"][batch], targets["train"][batch])
            )
        validation = model.evaluate(inputs["val"], targets["val"], verbose=0)
        rows.append([*sums / len(visits), *validation])
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    got = np.array([[line[name] for name in names] for line in history(run.folder)])
    want = np.array(rows)

    difference = np.abs(got - want)[:, ::2].max() / want[:, ::2].max()
    print(f"losses {difference:.1e} of the largest over {EPOCHS} epochs, {want[:, 0]}")
    assert difference <= tolerance()
    np.testing.assert_allclose(got[:, 1::2], want[:, 1::2], rtol=1e-6)
    assert np.ptp(want[:, 0]) > 0.01 * want[:, 0].max(), "hardly anything changed"

    after = variables(run.folder / "checkpoints/last/ckpt")
    for layer in model.layers[1:]:
        for variable, kind in zip(layer.weights, ("kernel", "bias"), strict=True):
            trained, reference = after[f"head/{layer.name}_{kind}"], variable.numpy()
            moved = np.linalg.norm(reference - weights[f"head/{layer.name}_{kind}"])
            assert np.linalg.norm(trained - reference) <= 1e-3 * moved, variable.path
