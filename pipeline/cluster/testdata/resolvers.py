"""Write resolvers.json beside this file: what TensorFlow's own resolvers make of the examples.

Run it again after changing an example: python resolvers.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tensorflow.python.distribute import multi_worker_util
from tensorflow.python.distribute.cluster_resolver import (
    SlurmClusterResolver,
    TFConfigClusterResolver,
    slurm_cluster_resolver,
)

HERE = Path(__file__).parent
HOST_LISTS = [
    "t02n13",
    "t02n[13,41-43,45-46],m1",
    "n[1-2],m5,o[3-4,6,7-9]",
    "n[008-011]",
    "n[9-10]",
    "a,b,c",
    "[1-3]",
    "n[08,9,010]",
]
TASKS_PER_NODE = ["1", "2,1", "3(x2),2,1", "2(x3),1", "1(x12)"]


def tf_config(text: str) -> dict:
    """Jobs and task as TensorFlow reads them, and the task's place among those that train."""
    with mock.patch.dict(os.environ, {"TF_CONFIG": text}):
        resolver = TFConfigClusterResolver()
        spec, task = resolver.cluster_spec(), (resolver.task_type, resolver.task_id)
    found = {"jobs": spec.as_dict(), "type": task[0], "index": task[1]}
    if spec.jobs and task[0]:
        try:
            found["place"] = multi_worker_util.id_in_cluster(spec, *task)
            found["tasks"] = multi_worker_util.worker_count(spec, task[0])
            found["chief"] = multi_worker_util.is_chief(spec, *task)
        except (KeyError, ValueError) as error:
            found["refused"] = str(error)
    return found


def slurm(environment: dict[str, str]) -> dict:
    """The same for a step of Slurm. Without GPUs TensorFlow would count no tasks."""
    with mock.patch.dict(os.environ, environment):
        resolver = SlurmClusterResolver(gpus_per_node=8, gpus_per_task=1, auto_set_gpu=False)
        jobs = resolver.cluster_spec().as_dict()
        return {"jobs": jobs, "place": resolver.get_task_info()[1]}


def main() -> None:
    """Ask TensorFlow about each example."""
    found = {
        "tf_config": {p.stem: tf_config(p.read_text()) for p in sorted(HERE.glob("tf_config/*"))},
        "slurm": {
            p.stem: slurm(json.loads(p.read_text())) for p in sorted(HERE.glob("slurm/*.json"))
        },
        "hosts": {text: slurm_cluster_resolver.expand_hostlist(text) for text in HOST_LISTS},
        "counts": {
            text: slurm_cluster_resolver.expand_tasks_per_node(text) for text in TASKS_PER_NODE
        },
    }
    (HERE / "resolvers.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
