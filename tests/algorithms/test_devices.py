"""Leases of GPUs, with stated devices: this is all the code that runs where there are real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from algorithms.devices import (
    SLOT,
    VISIBLE,
    Asked,
    Device,
    Found,
    Gpu,
    Place,
    find,
    lease,
    obstacle,
    place,
    require,
    visible,
)
from algorithms.specification import SpecificationError
from tests.algorithms.lease_cycles import DEVICES

REPOSITORY = Path(__file__).parents[2]
CYCLES = 1000


def device(uuid: str, slots: int = 10) -> Device:
    return Device(uuid, "stated", int((slots + 0.5) * SLOT / 0.9))


WHOLE = Gpu("GPU-aaaa1111", (device("GPU-aaaa1111"),))
OTHER = Gpu("GPU-aaaa2222", (device("GPU-aaaa2222"),))
DIVIDED = Gpu("GPU-bbbb3333", (device("MIG-cccc1", 2), device("MIG-cccc2", 2)))
MACHINE = (WHOLE, OTHER, DIVIDED)


@pytest.mark.parametrize(
    ("listed", "allowed"),
    [
        (None, ["GPU-aaaa1111", "GPU-aaaa2222", "MIG-cccc1", "MIG-cccc2"]),
        ("1,0", ["GPU-aaaa2222", "GPU-aaaa1111"]),
        ("0,0", ["GPU-aaaa1111"]),
        ("GPU-aaaa2222", ["GPU-aaaa2222"]),
        ("GPU-aaaa2", ["GPU-aaaa2222"]),
        ("GPU-aaaa", []),  # names two
        ("MIG-cccc2", ["MIG-cccc2"]),
        ("MIG-cccc2, MIG-cccc1", ["MIG-cccc2", "MIG-cccc1"]),
        ("2", ["MIG-cccc1", "MIG-cccc2"]),
        ("GPU-bbbb3333", ["MIG-cccc1", "MIG-cccc2"]),
        ("1,7,0", ["GPU-aaaa2222"]),  # as in CUDA, an entry that names nothing ends the list
        ("-1", []),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_what_the_user_hides_is_not_used(listed: str | None, allowed: list[str]) -> None:
    assert [found.uuid for found in visible(MACHINE, listed)] == allowed


def test_a_thousand_processes_half_of_them_killed_never_share_a_slot_and_leave_none_taken(
    tmp_path: Path,
) -> None:
    command = (sys.executable, "-m", "tests.algorithms.lease_cycles", str(tmp_path), str(CYCLES))
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["double"] == counts["failed"] == 0, done.stderr
    assert counts["done"] + counts["killed"] == CYCLES
    assert counts["done"] >= CYCLES // 2
    assert counts["killed"] > CYCLES // 10  # others had finished before their moment came
    for one in DEVICES:
        with lease([one], one.slots, tmp_path) as held:  # it would wait for a slot that is lost
            assert held.slots == tuple(range(one.slots))


HOLD = """
import subprocess, sys
from pathlib import Path
from algorithms.devices import lease
from tests.algorithms.test_devices import device
with lease([device("GPU-x", 2)], 2, Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "600"])
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_a_lease_does_not_outlive_its_holder_in_a_child(tmp_path: Path) -> None:
    """What a job starts, such as compilers, may outlive it for a moment."""
    command = (sys.executable, "-c", HOLD, str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            with lease([device("GPU-x", 2)], 2, tmp_path):
                os.kill(child, 0)  # it lives still
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lease_takes_the_device_with_most_to_spare(tmp_path: Path) -> None:
    both = [device("GPU-a", 3), device("GPU-b", 4)]
    with lease(both, 2, tmp_path) as first, lease(both, 2, tmp_path) as second:
        assert (first.device.uuid, second.device.uuid) == ("GPU-b", "GPU-a")
        with lease(both, 2, tmp_path) as third:
            assert third.device.uuid == "GPU-b"


def test_a_shard_finds_its_gpu_in_the_environment_and_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    found = Found((device("GPU-a"), device("GPU-b")))
    with place(4 * SLOT, "auto", found, tmp_path) as first:
        assert first == Place("cuda", "stated")
        assert os.environ[VISIBLE] in ("GPU-a", "GPU-b")
    assert os.environ[VISIBLE] == "0,1"


NONE = Found((), "no NVIDIA driver answers")
SMALL = Found((device("GPU-a", 3),))


@pytest.mark.parametrize(
    ("asked", "found", "note"),
    [
        ("cpu", SMALL, "as asked"),
        ("auto", NONE, NONE.missing),
        ("auto", SMALL, "largest GPU has 3"),
    ],
)
def test_training_on_the_cpu_says_why(
    asked: Asked, found: Found, note: str, tmp_path: Path
) -> None:
    with place(4 * SLOT, asked, found, tmp_path) as where:
        assert where.device == "cpu"
        assert note in where.note
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("found", "words"), [(NONE, NONE.missing), (SMALL, "4 GB")])
def test_cuda_where_it_cannot_be_is_an_error(found: Found, words: str, tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=words):
        require("cuda", found, 4 * SLOT)
    with pytest.raises(SpecificationError, match=words), place(4 * SLOT, "cuda", found, tmp_path):
        pytest.fail("entered")
    require("auto", found, 4 * SLOT)


def test_what_just_fits_is_no_obstacle() -> None:
    assert obstacle(SMALL, 3 * SLOT) == ""
    assert "4 GB" in obstacle(SMALL, 3 * SLOT + 1)


def test_a_divided_gpu_is_its_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the driver tells it: a whole GPU that knows no MIG, and one with instances 0 and 2; told here, for want of both."""

    def mig_mode(gpu: str) -> list[int]:
        if gpu == "old":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_ENABLE]

    def instance(gpu: str, index: int) -> str:
        if index == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return f"{gpu}/{index}"

    told = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: ("old", "new")[index],
        "nvmlDeviceGetMigMode": mig_mode,
        "nvmlDeviceGetMaxMigDeviceCount": lambda gpu: 3,
        "nvmlDeviceGetMigDeviceHandleByIndex": instance,
        "nvmlDeviceGetUUID": lambda handle: f"{'MIG' if '/' in handle else 'GPU'}-{handle}",
        "nvmlDeviceGetName": lambda handle: "stated",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=8 * SLOT),
    }
    for name, function in told.items():
        monkeypatch.setattr(pynvml, name, function)
    monkeypatch.setattr("algorithms.devices.metadata.version", lambda name: "2.13.0")
    monkeypatch.delenv(VISIBLE, raising=False)
    assert [one.uuid for one in find().devices] == ["GPU-old", "MIG-new/0", "MIG-new/2"]
    assert {one.slots for one in find().devices} == {7}
    monkeypatch.setenv(VISIBLE, "5")
    assert find() == Found((), f"{VISIBLE}=5 leaves no GPU visible")


def test_torch_without_cuda_uses_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algorithms.devices.metadata.version", lambda name: "2.13.0+cpu")
    assert find() == Found((), "torch 2.13.0+cpu is built without CUDA")
