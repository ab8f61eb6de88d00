"""--keras-model and --cut: the user's own model."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from driver import Stage, batches

from tftl_export import contract
from tftl_export.commands import export

layers = keras.layers


def branched(size=(24, 32), channels=3, top=False):
    """Two blocks, the second with a branch around a convolution; partly frozen."""
    images = keras.Input((*size, channels), name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(images)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1, name="wide")(x))
    x = layers.Add(name="sum")([x, y])
    x = layers.Conv2D(6, 3, name="last")(x)
    if top == "tokens":
        x = layers.Reshape((-1, 6), name="tokens")(x)
    elif top:
        x = layers.GlobalAveragePooling2D(name="mean")(x)
    if top == "softmax":
        x = layers.Dense(4, "softmax")(x)
    model = keras.Model(images, x)
    for name in ("stem", "wide"):
        model.get_layer(name).trainable = False
    return model


@pytest.fixture
def export_own(tmp_path, capsys):
    """Exports a model; returns the exit code, the folder and stderr."""

    def run(model, *arguments):
        path = tmp_path / "mine.keras"
        model.save(path)
        capsys.readouterr()
        code = export.main(["--keras-model", str(path), *arguments, "-o", str(tmp_path / "m")])
        return code, tmp_path / "m", capsys.readouterr().err.replace(str(path), "FILE")

    return run


def test_a_model_is_cut_at_the_given_layers(export_own):
    model = branched()
    code, folder, said = export_own(model, "--cut", "sum,pool", "--head", "gap")
    assert (code, said) == (0, "")
    about = json.loads(folder.joinpath(*contract.DESCRIPTION).read_text())
    assert about["backbone"] == "mine"
    assert about["weights"]["origin"] == "file mine.keras"
    assert about["input"] == {
        "size": [24, 32],
        "interpolation": "bilinear",
        "fit": "stretch",
        "preprocess": "none",
    }
    stages = {s["name"]: (sorted(s["layers"]), s["parameters"]) for s in about["stages"]}
    # Layers that are not trainable in the file are trained if they are above the cut.
    assert stages == {
        "head": (["output"], 0),
        "from_sum": (["last"], 4 * 9 * 6 + 6),
        "from_pool": (["norm", "sum", "wide"], 222 + 4 * 4 + 4 + 2 * 4),
        "all": (["pool", "scale", "stem"], 250 + 3 * 9 * 4 + 4),
    }
    images = np.random.default_rng(1).integers(0, 256, (3, 24, 32, 3)).astype(np.float32)
    want = model(images).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(Stage(folder, "head").features(images), want, rtol=1e-5, atol=1e-6)
    stage = Stage(folder, "from_pool").init(3)
    ((_, targets),) = batches(1, 1, 3, 8, 3)
    assert stage.step(stage.features(images), targets)["finite"]


def test_a_sequential_model_works(export_own):
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(2, 3, name="a"), layers.Conv2D(2, 3, name="b")]
    )
    code, folder, _ = export_own(model, "--cut", "a", "--head", "gap", "--preprocess", "rescale")
    assert code == 0
    about = json.loads(folder.joinpath(*contract.DESCRIPTION).read_text())
    assert [s["name"] for s in about["stages"]] == ["head", "from_a", "all"]
    assert about["input"]["preprocess"] == "rescale"


@pytest.mark.parametrize(
    "top, pool, want",
    [
        ("vector", None, lambda x: x),
        ("tokens", "cls", lambda x: x[:, 0]),
        ("tokens", "mean", lambda x: x.mean(axis=1)),
    ],
)
def test_vectors_and_tokens_are_features(export_own, top, pool, want):
    model = branched(top=top)
    given = [] if pool is None else ["--pool", pool]
    code, folder, said = export_own(model, "--cut", "pool", *given)
    assert (code, said) == (0, "")
    about = json.loads(folder.joinpath(*contract.DESCRIPTION).read_text())
    assert about["head"] == {"pooling": "gap", "hidden": 0, "inputs": 6}
    images = np.random.default_rng(1).integers(0, 256, (3, 24, 32, 3)).astype(np.float32)
    head, deeper = (Stage(folder, name).init(3) for name in ("head", "from_pool"))
    features = head.features(images)
    np.testing.assert_allclose(features, want(model(images).numpy()), rtol=1e-5, atol=1e-6)
    inputs = deeper.call("head_inputs", features=deeper.features(images))["inputs"]
    np.testing.assert_allclose(inputs, features, rtol=1e-5, atol=1e-6)
    assert "explain" not in head.signatures and "explain" not in deeper.signatures
    ((_, targets),) = batches(1, 1, 3, 8, 3)
    assert deeper.step(deeper.features(images), targets)["finite"]


def test_pool_is_for_tokens_and_leaves_the_head_no_choice(export_own):
    _, _, said = export_own(branched(top="vector"), "--pool", "mean")
    assert "--pool mean: is for tokens [N,T,D]; mine gives a vector already" in said
    _, _, said = export_own(branched(), "--pool", "mean")
    assert "mine gives features [N,H,W,C]: see --head" in said
    _, _, said = export_own(branched(top="tokens"), "--pool", "cls", "--head", "flatten")
    assert "--head flatten: --pool cls pools already" in said


def test_variables_that_nothing_uses_are_trained_without_harm(export_own):
    """And those of embeddings, whose gradients have only the rows that were looked up."""
    images = keras.Input((8, 8, 3))
    x = layers.Reshape((64, 3))(images)
    x = layers.Add()([layers.Dense(4)(x), Places()(x)])
    code, folder, _ = export_own(keras.Model(images, x), "--pool", "mean")
    assert code == 0
    stage = Stage(folder, "all").init(2)
    images, targets = batches(1, 1, 4, 8, 2)[0]
    assert stage.step(stage.features(images), targets, lr=0.1, clip=0.5)["finite"]
    after = stage.save(folder.parent / "after")
    saved = tf.train.load_checkpoint(str(after))
    names = [n for n in saved.get_variable_to_shape_map() if n.startswith("network/")]
    unused, places = (
        saved.get_tensor(next(n for n in names if part in n)) for part in ("unused", "embedding")
    )
    assert np.array_equal(unused, np.ones(3, np.float32))
    assert np.abs(places - 1).max() > 0.01


@keras.saving.register_keras_serializable("tests")
class Places(keras.Layer):
    def build(self, shape):
        self.unused = self.add_weight(shape=(3,), initializer="ones", name="unused")
        self.table = layers.Embedding(64, 4, embeddings_initializer="ones", name="embedding")
        self.table.build(shape)

    def call(self, x):
        return self.table(keras.ops.arange(64))[None]


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **more):
        super().__init__(**more)
        self.convolution = layers.Conv2D(4, 3, name="convolution")

    def build(self, shape):
        self.convolution.build(shape)

    def call(self, x):
        return keras.ops.mean(self.convolution(x), axis=(1, 2))


def test_a_subclassed_model_is_trained_whole_or_not_at_all(export_own):
    model = Subclassed(name="mine")
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    want = model(images).numpy()
    code, folder, said = export_own(model)
    assert (code, said) == (0, "")
    about = json.loads(folder.joinpath(*contract.DESCRIPTION).read_text())
    assert [s["name"] for s in about["stages"]] == ["head", "all"]
    np.testing.assert_allclose(Stage(folder, "head").features(images), want, rtol=1e-5, atol=1e-5)


def test_a_subclassed_model_is_not_cut(export_own):
    model = Subclassed(name="mine")
    model(np.zeros((1, 8, 8, 3), np.float32))
    _, _, said = export_own(model, "--cut", "convolution")
    assert "--cut convolution: is inside the layer subclassed" in said


def nested():
    whole = branched()
    inner = keras.Model(whole.input, whole.output, name="inner")
    images = keras.Input((24, 32, 3))
    return keras.Model(images, layers.ReLU()(inner(images)))


def two_inputs():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([a, b], layers.Add()([a, b]))


def shared():
    images = keras.Input((8, 8, 3))
    conv = layers.Conv2D(3, 3, padding="same", name="twice")
    return keras.Model(images, conv(layers.ReLU(name="between")(conv(images))))


@pytest.mark.parametrize(
    "model, cut, complaint",
    [
        (branched, "nonesuch", "--cut nonesuch: no such layer; the last ones are pool"),
        (branched, "wide", "--cut wide: other layers' outputs bypass it"),
        (branched, "pool,sum", "--cut sum: is not below the cut before it; list cuts from"),
        (branched, "pool,pool", "--cut pool: is not below the cut before it"),
        (branched, "last", "--cut last: is an end of the model"),
        (branched, "pixels", "--cut pixels: is an end of the model"),
        (branched, "", "--cut : no such layer"),
        (shared, "between", "--cut between: layer twice is used on both sides of it"),
        (two_inputs, None, "--keras-model FILE: must have one input and one output"),
        (lambda: branched(top="softmax"), None, "FILE: its output is probabilities; must be"),
        (lambda: branched(top="tokens"), None, "mine: its features are 140 tokens; --pool cls"),
        (nested, "pool", "--cut pool: is inside the layer inner, which can only be cut around"),
        (lambda: branched((None, 32)), None, "its input is [N,N,32,3]; must be [N,H,W,3] with"),
        (lambda: branched(channels=1), None, "its input is [N,24,32,1]; must be [N,H,W,3]"),
    ],
)
def test_models_and_cuts_that_are_refused(export_own, model, cut, complaint):
    code, folder, said = export_own(model(), *(["--cut", cut] if cut is not None else []))
    assert code == 1 and not folder.exists()
    assert said.startswith("export.py: ") and complaint in said.splitlines()[0]


def test_a_model_that_computes_in_half_precision_is_refused(export_own):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = branched()
    finally:
        keras.config.set_dtype_policy("float32")
    code, _, said = export_own(model)
    assert code == 1 and "its output is bfloat16; must be float32" in said


@pytest.mark.parametrize("content", [None, b"hello"], ids=["missing", "text"])
def test_a_file_that_keras_cannot_load(tmp_path, capsys, content):
    path = tmp_path / "notes.keras"
    if content:
        path.write_bytes(content)
    assert export.main(["--keras-model", str(path), "-o", str(tmp_path / "m")]) == 1
    want = "Keras cannot load it: " if content else "no such file"
    assert capsys.readouterr().err.startswith(f"export.py: --keras-model {path}: {want}")
