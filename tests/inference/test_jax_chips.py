"""Several chips that share a batch: four devices of the CPU, which a process must ask for before it starts JAX."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("jax")

from tests.inference._jax import dense, free, saved
from tpukit.inference import jax_model

RUN = """
import sys
import numpy as np
from tpukit.errors import DeviceError
from tpukit.inference import Peaks, _jax, benchmark, get_device, read_model
from tpukit.inference._inputs import random_samples

_jax.processor_peaks = lambda threads: Peaks(ops_per_s={"float32": 1e11}, bytes_per_s={1: 1e11}, source="by hand")
model = read_model(sys.argv[1])

def outputs(device, batch):
    session = get_device(device).load(model, threads=1, batch=batch)
    samples = random_samples(session.inputs, np.random.default_rng(0))
    query = session.bind(samples)
    return [np.asarray(each) for index in (0, 1) for each in query(index)]
"""


@pytest.fixture
def child(child_environment: dict[str, str]) -> Callable[[Path, str], str]:
    """Return a function that runs `RUN` and a script on a model with four devices, and returns what it printed."""
    environment = child_environment | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}

    def run(model: Path, script: str) -> str:
        command = [sys.executable, "-c", RUN + script, str(model)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_chips_share_a_batch_and_give_what_one_gives(child: Callable[[Path, str], str], tmp_path: Path) -> None:
    script = """
one = outputs("jax:cpu", 8)
for device in ("jax:cpu,chips=4", "jax:cpu,chips=2,resident=true", "jax:reference,chips=4"):
    for alone, shared in zip(one, outputs(device, 8), strict=True):
        np.testing.assert_allclose(alone, shared, rtol=1e-5)

session = get_device("jax:cpu,chips=4,resident=true").load(model, threads=1, batch=8)
(y,) = session.bind([(np.zeros((8, 8), np.float32),)])(0)
print(sorted(shard.data.shape for shard in y.addressable_shards))

result = benchmark(model, "jax:cpu,chips=4", batch=8, duration_s=0.05)
print(result.verdict, result.run["device"].item(), result.summary["limit"].item().partition(":")[0])
works = [get_device(device).load(model, threads=1, batch=8).facts.work for device in ("jax:cpu", "jax:cpu,chips=4")]
print(works[1].macs["float32"] / works[0].macs["float32"], works[1].constant_bytes / works[0].constant_bytes)

for device, batch in (("jax:cpu,chips=4", 6), ("jax:cpu,chips=4", 1), ("jax:cpu,chips=5", 5)):
    try:
        get_device(device).load(model, threads=1, batch=batch)
    except DeviceError as error:
        print(error)
"""
    assert child(saved(dense(), tmp_path), script).splitlines() == [
        "[(2, 4), (2, 4), (2, 4), (2, 4)]",
        "VALID jax:cpu,chips=4 memory",
        "1.0 4.0",
        "the batch of model dense is 6, which 4 chips cannot share: give a multiple of 4",
        "the batch of model dense is 1, which 4 chips cannot share: give a multiple of 4",
        "jax:cpu,chips=5: JAX finds 4 of kind cpu here: ask for no more chips",
    ]


def test_an_input_without_the_batch_goes_to_every_chip(child: Callable[[Path, str], str], tmp_path: Path) -> None:
    model = jax_model(lambda x, scale: (x * scale).sum(1), free("b, 8"), free("8"), name="scaled")
    script = """
for alone, shared in zip(outputs("jax:cpu", 8), outputs("jax:cpu,chips=4,resident=true", 8), strict=True):
    np.testing.assert_allclose(alone, shared, rtol=1e-5)
session = get_device("jax:cpu,chips=4").load(model, threads=1, batch=8)
print([placement.is_fully_replicated for placement in session._program.placements])
"""
    # a batch of 8 does not make a scale of 8 numbers a batch
    assert child(saved(model, tmp_path), script) == "[False, True]\n"
