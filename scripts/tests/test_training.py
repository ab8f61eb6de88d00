"""init, begin, dropout, resuming, and steps that must change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from driver import ADAM, SGD, Stage, batches, variables


def same(a, b):
    """Whether two checkpoints have the same names and the same bits."""
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


# init


@pytest.mark.parametrize("classes, outputs", [(2, 1), (3, 3), (5, 5)])
def test_init_gives_the_head_its_size(tiny, tmp_path, classes, outputs):
    stage = Stage(tiny(), "head").init(classes, 7)
    head = variables(stage.save(tmp_path / "c"))
    assert head["head/hidden1_kernel"].shape == (32, 7)
    assert head["head/output_kernel"].shape == (7, outputs)
    assert not head["head/hidden1_bias"].any() and head["head/hidden1_bias"].shape == (7,)
    assert not head["head/output_bias"].any() and head["head/output_bias"].shape == (outputs,)
    assert stage.logits(np.ones((4, 32), np.float32)).shape == (4, classes)


def test_each_hidden_layer_has_a_width_of_its_own(tiny, tmp_path):
    stage = Stage(tiny("gap", "--hidden", "3"), "head").init(4, 7, 3, 5)
    head = variables(stage.save(tmp_path / "c"))
    shapes = [head[f"head/{name}_kernel"].shape for name in ("hidden1", "hidden2", "hidden3")]
    assert shapes == [(8, 7), (7, 3), (3, 5)]
    assert head["head/output_kernel"].shape == (5, 4)
    for images, targets in batches(1, 2, 8, 32, 4):
        assert stage.step(stage.features(images), targets)["finite"]


def test_kernels_are_glorot_uniform(tiny, tmp_path):
    stage = Stage(tiny(), "head").init(5, 5000)
    head = variables(stage.save(tmp_path / "c"))
    for name, rows, columns in (("hidden1", 32, 5000), ("output", 5000, 5)):
        kernel = head[f"head/{name}_kernel"]
        limit = np.sqrt(6 / (rows + columns))
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).max() > 0.999 * limit
        # The mean is 0 and the variance a third of the limit's square, within 5 standard errors.
        assert abs(kernel.mean()) < 5 * limit / np.sqrt(3 * kernel.size)
        assert abs(kernel.var() / (limit**2 / 3) - 1) < 5 * np.sqrt(0.8 / kernel.size)


def test_init_depends_on_the_seed(tiny, tmp_path):
    stage = Stage(tiny(), "head")

    def kernels(name, seed):
        found = variables(stage.init(5, seed=seed).save(tmp_path / name))
        assert found["seed"].tolist() == [*seed]
        return found["head/hidden1_kernel"], found["head/output_kernel"]

    first, again = kernels("a", (7, 0)), kernels("b", (7, 0))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for i, seed in enumerate([(8, 0), (7, 1), (-7, 0)]):
        other = kernels(f"c{i}", seed)
        assert not any(np.isin(a, b).mean() > 0.01 for a, b in zip(first, other, strict=True))


def test_init_can_be_repeated_with_other_sizes(tiny, tmp_path):
    stage = Stage(tiny(), "head").init(5, 16)
    for classes, units in ((5, 16), (2, 3), (9, 40)):
        stage.init(classes, units)
        assert variables(stage.save(tmp_path / "c"))["step"] == 0
        for images, targets in batches(3, 2, 8, 32, classes):
            assert stage.step(stage.features(images), targets)["finite"]
        assert variables(stage.save(tmp_path / "c"))["step"] == 2


# begin, steps and checkpoints


def test_begin_resets_the_slots_but_not_the_step(tiny, tmp_path):
    stage = Stage(tiny(), "block2").init(3)
    for images, targets in batches(1, 3, 8, 32, 3):
        stage.step(stage.features(images), targets)
    before = variables(stage.save(tmp_path / "a"))
    assert [before["step"], before["iterations"]] == [3, 3]
    assert before["slots/first/block2_conv1_kernel"].any()
    assert before["slots/first/block1_conv1_kernel"].size == 0  # no stage has trained it yet
    stage.call("begin")
    after = variables(stage.save(tmp_path / "b"))
    assert [after["step"], after["iterations"]] == [3, 0]
    slots = {name for name in after if name.startswith("slots/")}
    assert not any(after[name].any() for name in slots)
    assert all(np.array_equal(after[n], before[n]) for n in after if n.startswith(("net", "head")))


def test_a_step_before_begin_is_an_error(tiny):
    stage = Stage(tiny(), "head")
    stage.call("init", classes=3, units=[16], seed=(1, 0), feature_scale=1, output_scale=1)
    ((images, targets),) = batches(1, 1, 8, 32, 3)
    features = stage.features(images)
    for optimizer in (ADAM, SGD):
        with pytest.raises(tf.errors.InvalidArgumentError):
            stage.step(features, targets, optimizer=optimizer)
    stage.call("begin")
    assert stage.step(features, targets)["finite"]


def test_a_stage_trains_only_what_is_above_its_cut(tiny, tmp_path):
    for name, trained in (("head", []), ("block2", ["block2"]), ("block1", ["block1", "block2"])):
        stage = Stage(tiny(), name).init(3)
        before = variables(stage.save(tmp_path / "a"))
        for images, targets in batches(1, 2, 8, 32, 3):
            stage.step(stage.features(images), targets)
        after = variables(stage.save(tmp_path / "b"))
        changed = {n for n in after if n[:4] in ("netw", "head") and (after[n] != before[n]).any()}
        want = {n for n in after if n.startswith(("head/", *(f"network/{t}" for t in trained)))}
        assert changed == want - {"head/feature_scale"}


@pytest.mark.parametrize("optimizer", [{}, {"optimizer": SGD, "momentum": 0.9}], ids=str)
def test_a_resumed_run_is_the_same_run(tiny, tmp_path, optimizer):
    data = batches(1, 6, 8, 32, 3)

    def train(stage, part):
        return [
            stage.step(stage.features(images), targets, dropout=0.5, **optimizer)["loss"]
            for images, targets in part
        ]

    whole = Stage(tiny(), "block2").init(3)
    train(whole, data[:3])
    whole.save(tmp_path / "middle")
    rest = train(whole, data[3:])

    resumed = Stage(tiny(), "block2")
    resumed.restore(tmp_path / "middle")
    assert train(resumed, data[3:]) == rest
    ends = [variables(stage.save(tmp_path / "end")) for stage in (whole, resumed)]
    assert same(*ends)


def test_the_loss_is_the_weighted_sum_over_n(tiny):
    stage = Stage(tiny(), "head").init(3)
    ((images, targets),) = batches(1, 1, 8, 32, 3, soft=True)
    features = stage.features(images)
    weights = np.array([0, 0, 2, 1, 0.5, 0, 0, 3], np.float32)
    z = stage.logits(features).astype(np.float64)
    result = stage.step(features, targets, weights, l2=0.1)
    losses = -np.sum(targets * (z - np.log(np.exp(z).sum(1, keepdims=True))), axis=1)
    assert result["loss"] == pytest.approx((losses * weights).sum() / 8, rel=1e-5)
    assert np.array_equal(result["logits"], z.astype(np.float32))  # from before the update


# Refused steps: not a bit changes, including counters and slots.


@pytest.mark.parametrize("stage_name", ["head", "block2", "block1"])
@pytest.mark.parametrize(
    "spoil",
    [
        {"features": np.nan},
        {"features": np.inf},
        {"targets": np.nan},
        {"targets": np.inf},
        {"weights": np.nan},
        {"weights": -np.inf},
        {"lr": np.nan},
        {"lr": np.inf},
        {"momentum": np.nan},
        {"weight_decay": np.nan},
        {"l2": np.nan},
        {"l2": 1e38},
        {"clip": np.nan},
        {"dropout": np.nan},
        {"dropout": 1.0},
    ],
    ids=str,
)
def test_values_that_are_not_finite_update_nothing(stages, tmp_path, stage_name, spoil):
    stage = stages[stage_name]
    ((images, targets),) = batches(1, 1, 8, 32, 3)
    features = stage.features(images)
    inputs = {"features": features, "targets": targets, "weights": np.ones(8, np.float32)}
    for name, value in spoil.items():
        if name in inputs:
            inputs[name] = inputs[name].copy()
            inputs[name][2, ...] = value  # one example of the batch
        else:
            inputs[name] = value
    before = variables(stage.save(tmp_path / "before"))
    assert not stage.step(**inputs)["finite"]
    assert same(before, variables(stage.save(tmp_path / "after")))
    assert stage.step(features, targets)["finite"]  # and the run can go on


@pytest.fixture(scope="module")
def stages(export):
    """Each stage after one step, so that slots and counters are not zero."""
    model = export("--backbone", "tiny", "--weights", "none", "--head", "flatten")
    opened = {}
    for name in ("head", "block2", "block1"):
        opened[name] = Stage(model, name).init(3)
        ((images, targets),) = batches(2, 1, 8, 32, 3)
        opened[name].step(opened[name].features(images), targets)
    return opened


def test_an_empty_batch_updates_nothing(tiny, tmp_path):
    stage = Stage(tiny(), "head").init(3)
    before = variables(stage.save(tmp_path / "before"))
    nothing = np.zeros((0, 32), np.float32), np.zeros((0, 3), np.float32)
    assert not stage.step(*nothing)["finite"]
    assert same(before, variables(stage.save(tmp_path / "after")))


def test_an_infinite_loss_stops_the_updates(tiny, tmp_path):
    stage = Stage(tiny(), "block2").init(3)
    data = batches(1, 4, 8, 32, 3)
    results = [stage.step(stage.features(x), y, lr=1e30) for x, y in data[:2]]
    assert [bool(result["finite"]) for result in results] == [True, False]
    before = variables(stage.save(tmp_path / "before"))
    assert all(np.isfinite(value).all() for value in before.values())
    for images, targets in data[2:]:
        assert not stage.step(stage.features(images), targets)["finite"]
    assert same(before, variables(stage.save(tmp_path / "after")))


# Dropout. The gap head has no hidden layer, so one-hot features show the mask: the logits of
# example i are row i of the kernel, scaled, or zero.


def masks(stage, rate, steps=1):
    """Which of many one-hot features were kept in each step, and their logits."""
    features = np.tile(np.eye(8, dtype=np.float32), (250, 1))
    targets = np.tile(np.eye(2, 3, dtype=np.float32), (1000, 1))
    rows, logits = [], []
    for _ in range(steps):
        z = stage.step(features, targets, dropout=rate, lr=0.0)["logits"]
        rows.append((z != 0).any(axis=1))
        logits.append(z)
    return np.array(rows), np.array(logits), stage.logits(features)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_scales_it(tiny, rate):
    kept, dropped, plain = masks(Stage(tiny("gap"), "head").init(3), rate, steps=5)
    n = kept.size
    assert abs(kept.mean() - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / n)
    for row, z in zip(kept, dropped, strict=True):
        np.testing.assert_allclose(z[row], plain[row] / np.float32(1 - rate), rtol=1e-6)


def test_dropout_depends_on_seed_and_step(tiny, tmp_path):
    first, _, _ = masks(Stage(tiny("gap"), "head").init(3, seed=(5, 0)), 0.5, steps=4)
    again, _, _ = masks(Stage(tiny("gap"), "head").init(3, seed=(5, 0)), 0.5, steps=4)
    other, _, _ = masks(Stage(tiny("gap"), "head").init(3, seed=(6, 0)), 0.5, steps=4)
    assert np.array_equal(first, again)
    # Independent masks agree in half of their places, within 5 standard errors.
    pairs = [(first[i], first[j]) for i in range(4) for j in range(i)]
    pairs += [(first[i], other[j]) for i in range(4) for j in range(4)]
    for a, b in pairs:
        assert abs((a == b).mean() - 0.5) < 5 * np.sqrt(0.25 / a.size)


def test_rate_0_changes_nothing_and_inference_drops_nothing(tiny):
    stage = Stage(tiny(), "head").init(3)
    features = np.random.default_rng(1).normal(size=(16, 32)).astype(np.float32)
    targets = np.eye(16, 3, dtype=np.float32)
    plain = stage.logits(features)
    assert np.array_equal(stage.step(features, targets, lr=0.0)["logits"], plain)
    dropped = stage.step(features, targets, lr=0.0, dropout=0.5)["logits"]
    assert not np.array_equal(dropped, plain)
    assert np.array_equal(stage.logits(features), plain)
