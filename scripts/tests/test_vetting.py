"""What tftl allows a graph to do is enough for Keras' layers, and not more."""

from __future__ import annotations

import json

import keras
import pytest
import tensorflow as tf
from keras import layers
from program import fails, tftl

CLASSES = ["a", "b", "c"]

# Plain Keras models: what stands between the pixels and the classes.
MODELS = {
    "convolutions": [
        layers.Conv2D(4, 3, activation="relu"),
        layers.SeparableConv2D(4, 3, activation="swish"),
        layers.DepthwiseConv2D(3, strides=2, padding="same"),
        layers.Conv2DTranspose(4, 3, strides=2),
    ],
    "normalization": [
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 1.0, 1.0]),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.GroupNormalization(3),
        layers.UnitNormalization(),
    ],
    "pooling": [
        layers.MaxPooling2D(2),
        layers.AveragePooling2D(2),
        layers.ZeroPadding2D(2),
        layers.Cropping2D(1),
        layers.UpSampling2D(2, interpolation="bilinear"),
    ],
    "activations": [
        layers.PReLU(),
        layers.LeakyReLU(),
        layers.ELU(),
        layers.Activation("selu"),
        layers.Activation("gelu"),
        layers.Activation("softsign"),
        layers.Activation("hard_sigmoid"),
        layers.Activation("mish"),
    ],
    "augmentation": [
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.1),
        layers.RandomBrightness(0.1),
    ],
    "resizing": [
        layers.Rescaling(1 / 255),
        layers.Resizing(24, 24, interpolation="bicubic"),
        layers.Resizing(16, 16, interpolation="nearest", crop_to_aspect_ratio=True),
        layers.CenterCrop(8, 8),
    ],
    "regularization": [
        layers.SpatialDropout2D(0.2),
        layers.GaussianNoise(0.1),
        layers.GaussianDropout(0.1),
        layers.Dropout(0.2),
        layers.ActivityRegularization(0.1),
    ],
    "attention": [layers.Reshape((-1, 3)), layers.Dense(8)],
    "einsum": [layers.EinsumDense("abcd,de->abce", output_shape=(32, 32, 4))],
    "recurrent": [layers.Reshape((32, 96)), layers.Bidirectional(layers.LSTM(4)), layers.Dense(4)],
    "gated recurrent": [layers.Reshape((32, 96)), layers.GRU(4), layers.Dense(4)],
    "distributed": [layers.TimeDistributed(layers.Conv1D(4, 3)), layers.Permute((2, 1, 3))],
    "MobileNetV3": "MobileNetV3Small",
    "NASNet": "NASNetMobile",
}


def exported(name, folder):
    images = keras.Input((32, 32, 3))
    inner = MODELS[name]
    if isinstance(inner, str):
        network = getattr(keras.applications, inner)
        x = network(include_top=False, weights=None, input_shape=(32, 32, 3))(images)
    else:
        x = images
        for layer in inner:
            x = layer(x)
    if name == "attention":
        x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.Dense(len(CLASSES), activation="softmax")(layers.Flatten()(x))
    keras.Model(images, x).export(folder, verbose=False)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_plain_keras_models_pass(name, tmp_path):
    model = exported(name, tmp_path / "model")
    about = json.loads(tftl("inspect", model, "--json"))
    assert [o["name"] for o in about["operations"] if not o["allowed"]] == []
    assert all(a["can"] for a in about["abilities"] if "predict" in a["command"])


# Each of these would do something that nobody asked for.
HOSTILE = {
    "WriteFile": lambda x: tf.io.write_file("x", "x"),
    "ReadFile": lambda x: tf.io.read_file("/etc/passwd"),
    "MatchingFiles": lambda x: tf.io.matching_files("/*"),
    "PrintV2": lambda x: tf.raw_ops.PrintV2(input="x", output_stream="file://x"),
    "SaveV2": lambda x: tf.raw_ops.SaveV2(
        prefix="x", tensor_names=["x"], shape_and_slices=[""], tensors=[x]
    ),
    "RestoreV2": lambda x: tf.raw_ops.RestoreV2(
        prefix="x", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    ),
    "FixedLengthRecordReaderV2": lambda x: tf.raw_ops.FixedLengthRecordReaderV2(record_bytes=1),
    "TextLineDataset": lambda x: tf.raw_ops.TextLineDataset(
        filenames=["/etc/passwd"], compression_type="", buffer_size=0
    ),
    "EagerPyFunc": lambda x: tf.py_function(lambda: 1.0, [], tf.float32),
    "DebugIdentityV2": lambda x: tf.raw_ops.DebugIdentityV2(input=x, debug_urls=["file://x"]),
}


@pytest.mark.parametrize("operation", HOSTILE)
def test_models_that_do_more_are_refused(operation, tmp_path):

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32)])
        def serve(self, images):
            HOSTILE[operation](images)
            return {"probabilities": tf.nn.softmax(images[:, 0, 0])}

    model = Model()
    tf.saved_model.save(model, tmp_path / "model", signatures={"serving_default": model.serve})
    (tmp_path / "labels").write_text("\n".join(CLASSES))
    options = ["--model-output", "probabilities", "--labels", tmp_path / "labels"]
    said = fails(4, "predict", "--model", tmp_path / "model", *options, "image.jpg")
    assert f"has the operation {operation} " in said
    assert not (tmp_path / "x").is_file()
