"""The exported folder: MetaGraphs, signatures, checkpoint keys, tftl.json and its digests."""

from __future__ import annotations

import hashlib
import json
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from driver import MetaGraph, Stage, pictures, variables
from tensorflow.core.protobuf import saved_model_pb2

from tftl_export import contract
from tftl_export.backbones.build import build_backbone
from tftl_export.commands import export as command

STAGES = ["head", "block2", "block1"]
NETWORK = ["block1_conv1_kernel", "block1_conv1_bias", "block2_conv1_kernel", "block2_conv1_bias"]
HEAD = ["hidden1_kernel", "hidden1_bias", "output_kernel", "output_bias"]


def description(folder):
    return json.loads((folder / "assets.extra" / "tftl.json").read_text())


def meta_graphs(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return {tuple(graph.meta_info_def.tags): graph for graph in saved.meta_graphs}


def test_the_folder_has_the_contracts_files(tiny):
    files = {str(path.relative_to(tiny())) for path in tiny().rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/tftl.json",
        "assets.extra/SHA256SUMS",
    }
    assert list(meta_graphs(tiny())) == [("serve",), *(("train", stage) for stage in STAGES)]


def test_the_seal_lists_every_file(tiny):
    subprocess.run(
        ["sha256sum", "--quiet", "--check", "assets.extra/SHA256SUMS"], cwd=tiny(), check=True
    )
    sums = (tiny() / "assets.extra" / "SHA256SUMS").read_text().splitlines()
    assert {line.split()[1] for line in sums} == {
        str(path.relative_to(tiny()))
        for path in tiny().rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert description(tiny())["sealed"]


SCALARS = ["lr", "momentum", "weight_decay", "l2", "clip", "dropout"]


def shapes(infos):
    return {
        name: (tf.as_dtype(info.dtype).name, tf.TensorShape(info.tensor_shape).as_list())
        for name, info in infos.items()
    }


@pytest.mark.parametrize(
    "head, hidden, features",
    [
        ("flatten", 1, {"head": [32], "block2": [8, 8, 4], "block1": [32, 32, 3]}),
        ("gap", 0, {"head": [8], "block2": [8, 8, 4], "block1": [32, 32, 3]}),
    ],
)
def test_signatures_have_the_contracts_names_dtypes_and_shapes(tiny, head, hidden, features):
    graphs = meta_graphs(tiny(head))
    images = {"images": ("float32", [None, 32, 32, 3])}
    matrix = ("float32", [None, None])
    for stage, shape in features.items():
        cached = {"features": ("float32", [None, *shape])}
        # Pooled features lose the maps from which explain computes.
        maps = {"maps": ("float32", [None, 2, 2, 8])} if (head, stage) == ("gap", "head") else {}
        step = (
            {
                **cached,
                "targets": matrix,
                "weights": ("float32", [None]),
                "optimizer": ("int32", []),
                **{name: ("float32", []) for name in SCALARS},
            },
            {
                "loss": ("float32", []),
                "penalty": ("float32", []),
                "logits": matrix,
                "finite": ("bool", []),
            },
        )
        share: dict[str, tuple[str, list[int | None]]] = {
            name: ("int32", []) for name in ("examples", "workers", "instance")
        }
        want = {
            "init": (
                {
                    "classes": ("int32", []),
                    "units": ("int32", [hidden]),
                    "seed": ("int32", [2]),
                    "feature_scale": ("float32", []),
                    "output_scale": ("float32", []),
                },
                {"step": ("int64", [])},
            ),
            "head_inputs": (cached, {"inputs": ("float32", [None, *features["head"]])}),
            "begin": ({}, {"step": ("int64", [])}),
            "features": (images, {**cached, **maps}),
            "step": step,
            "step_shared": (
                {**step[0], **share, "rows": ("int32", [None])},
                {**step[1], "correct": ("float32", [])},
            ),
            "logits": (cached, {"logits": matrix}),
            "explain": (
                {**(maps or cached), "label": ("int32", [None])},
                {"heatmap": ("float32", [None, 2, 2])},
            ),
            "save": ({"prefix": ("string", [])}, {"step": ("int64", [])}),
        }
        check_signatures(graphs["train", stage], want)
    outputs = {"probabilities": matrix, "logits": matrix, "accepted": ("bool", [None])}
    outputs["novelty"] = ("float32", [None])
    serving = {
        "serving_default": (images, outputs),
        "serving_bytes": ({"bytes": ("string", [None])}, outputs),
        "explain": (
            {**images, "label": ("int32", [None])},
            {"heatmap": ("float32", [None, 2, 2])},
        ),
    }
    check_signatures(graphs["serve",], serving)


def check_signatures(graph, want):
    have = {
        name: (shapes(signature.inputs), shapes(signature.outputs))
        for name, signature in graph.signature_def.items()
        if not name.startswith("__saved_model")
    }
    assert have == want


def test_every_training_metagraph_saves_the_same_variables(tiny, tmp_path):
    want = {
        *(f"network/{name}" for name in NETWORK),
        *(f"head/{name}" for name in HEAD),
        "head/feature_scale",
        *(f"slots/{moment}/{n}" for moment in ("first", "second") for n in NETWORK + HEAD),
        "step",
        "iterations",
        "seed",
    }
    assert set(variables(tiny() / "variables" / "variables")) == want
    for stage in STAGES:
        assert set(variables(Stage(tiny(), stage).save(tmp_path / stage))) == want
    serve = variables(MetaGraph(tiny(), "serve").save(tmp_path / "serve"))
    assert set(serve) == {name for name in want if name.startswith(("network/", "head/"))}


def test_save_writes_what_the_stage_can_change(tiny, tmp_path):
    """The keys and values are those that the saver writes, and the rest stays as it was."""
    before = variables(tiny() / "variables" / "variables")
    for stage, blocks in zip(STAGES, [(), ("block2",), ("block1", "block2")], strict=True):
        opened = Stage(tiny(), stage).init(3)
        features = opened.features(pictures(0, 4, 32))
        opened.step(features, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], lr=0.1)
        opened.call("save", prefix=str(tmp_path / stage))
        saved, whole = variables(tmp_path / stage), variables(opened.save(tmp_path / "whole"))
        trained = [name for name in NETWORK if name.startswith(blocks)]
        assert set(saved) == {
            *(f"network/{name}" for name in trained),
            *(f"head/{name}" for name in HEAD),
            "head/feature_scale",
            *(f"slots/{moment}/{n}" for moment in ("first", "second") for n in trained + HEAD),
            "step",
            "iterations",
            "seed",
        }
        for name, value in whole.items():
            assert np.array_equal(value, saved.get(name, before[name])), name


@pytest.mark.parametrize("hidden", [None, 2])
@pytest.mark.parametrize("head", ["flatten", "gap", "gmp"])
def test_stages_divide_the_layers(tiny, head, hidden):
    folder = tiny(head) if hidden is None else tiny(head, "--hidden", str(hidden))
    base, _ = build_backbone("tiny", 32, "none", seed=0)
    stages = description(folder)["stages"]
    layers = [layer for stage in stages for layer in stage["layers"]]
    count = {"flatten": 1, "gap": 0, "gmp": 0}[head] if hidden is None else hidden
    own = [*(f"hidden{i + 1}" for i in range(count)), "output"]
    assert sorted(layers) == sorted([layer.name for layer in base.layers[1:]] + own)
    assert description(folder)["head"]["pooling"] == head
    assert description(folder)["head"]["hidden"] == count
    parameters = [stage["parameters"] for stage in stages]
    assert parameters[0] == 0 and parameters == sorted(parameters)
    assert parameters[-1] == base.count_params()


def test_the_description_says_what_was_exported(tiny):
    options = ("--interpolation", "area", "--fit", "crop", "--image-size", "48")
    about = description(tiny("gap", *options))
    assert about["contract"] == 5
    assert about["backbone"] == "tiny"
    assert about["weights"]["origin"] == "random, seed 0"
    assert about["input"] == {
        "size": [48, 48],
        "interpolation": "area",
        "fit": "crop",
        "preprocess": "rescale",
    }
    assert about["head"] == {"pooling": "gap", "hidden": 0, "inputs": 8}
    assert [stage["name"] for stage in about["stages"]] == STAGES
    assert [stage["features"] for stage in about["stages"]] == [[8], [12, 12, 4], [48, 48, 3]]
    assert about["optimizers"] == ["adam", "sgd", "rmsprop", "adamw", "nesterov"]
    assert about["learning_rate"] == 0.01
    assert about["versions"]["tensorflow"] == tf.__version__


def test_digests_are_those_of_the_weights(tiny):
    weights = description(tiny())["weights"]
    data = tiny() / "variables" / "variables.data-00000-of-00001"
    assert weights["variables_sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    base, _ = build_backbone("tiny", 32, "none", seed=0)
    arrays = b"".join(w.numpy().tobytes() for w in base.weights)
    assert weights["network_sha256"] == hashlib.sha256(arrays).hexdigest()


def frozen(folder):
    return [stage["frozen_sha256"] for stage in description(folder)["stages"]]


def test_two_exports_of_one_network_have_one_description(tiny, tmp_path):
    arguments = ["--backbone", "tiny", "--weights", "none", "--head", "flatten"]
    assert command.main([*arguments, "-o", str(tmp_path / "again")]) == 0
    assert description(tmp_path / "again") == description(tiny())


def test_the_frozen_digest_depends_on_the_weights_and_not_the_seed(export, tmp_path):
    file = tmp_path / "a.weights.h5"
    base, _ = build_backbone("tiny", 32, "none", seed=5)
    base.save_weights(file)

    def digests(weights, *more):
        return frozen(export("--backbone", "tiny", "--weights", weights, "--head", "gap", *more))

    saved = digests(str(file))
    assert digests(str(file), "--seed", "9") == saved == digests("none", "--seed", "5")
    # block1 has no weights below its cut: its features are the preprocessed pixels.
    assert [a == b for a, b in zip(saved, digests("none"), strict=True)] == [False, False, True]


@pytest.mark.parametrize("change", [("--preprocess", "tf"), ("--image-size", "48")])
def test_the_frozen_digest_depends_on_size_and_preprocessing(tiny, change):
    plain, changed = frozen(tiny()), frozen(tiny("flatten", *change))
    assert not set(plain) & set(changed)
    assert len(set(plain)) == len(plain)


def test_the_frozen_digest_depends_on_pooling_below_the_cut(tiny):
    same = [a == b for a, b in zip(frozen(tiny("gap")), frozen(tiny("flatten")), strict=True)]
    assert same == [False, True, True]


@pytest.mark.parametrize(
    "inputs, rate", [(25088, 8e-5), (2048, 1e-3), (1280, 2e-3), (512, 4e-3), (8, 0.01)]
)
def test_the_default_rate_falls_with_the_number_of_inputs(inputs, rate):
    assert contract.learning_rate(inputs) == rate
