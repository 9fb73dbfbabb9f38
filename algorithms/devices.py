"""Where a shard is trained: on a GPU that has the memory to spare, or on the CPU. No torch: the Snakefile asks too.

A GPU's memory is leased in slots of `SLOT` bytes, each a file lock: the kernel frees it when its holder dies, however it
dies. The locks lie in a folder of this machine and user, so that workflows of several checkouts share the GPUs as well.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import pynvml
from filelock import FileLock, Timeout

from algorithms.scratch import exclusive
from algorithms.specification import SpecificationError

Asked = Literal["auto", "cpu", "cuda"]
ASKED: tuple[Asked, ...] = ("auto", "cpu", "cuda")
VISIBLE = "CUDA_VISIBLE_DEVICES"
SLOT = 1_000_000_000
USABLE = 0.9
"""The share of a GPU's memory that is leased; the rest is the driver's, and what plans get wrong."""
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Device:
    """A GPU or one MIG instance of it: `uuid` as CUDA_VISIBLE_DEVICES takes it, what it is called, `memory` in bytes."""

    uuid: str
    name: str
    memory: int

    @property
    def slots(self) -> int:
        """How many slots its memory is leased in."""
        return int(USABLE * self.memory) // SLOT


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine: `parts` are its MIG instances where it is divided, else the GPU itself."""

    uuid: str
    parts: tuple[Device, ...]


@dataclass(frozen=True)
class Found:
    """The devices that may be used, and, where there are none, why."""

    devices: tuple[Device, ...]
    missing: str = ""

    @property
    def most_slots(self) -> int:
        """Slots of the largest device, 0 where there is none."""
        return max((device.slots for device in self.devices), default=0)


@dataclass(frozen=True)
class Place:
    """Where a shard is trained, and what there is to say of it: which GPU, or why none."""

    device: Literal["cpu", "cuda"]
    note: str


def slots_for(needed: int) -> int:
    """How many slots `needed` bytes take, at least one."""
    return max(1, -(-needed // SLOT))


def find() -> Found:
    """The devices of this machine that torch could use and that CUDA_VISIBLE_DEVICES leaves visible."""
    torch_version = metadata.version("torch")
    if torch_version.endswith("+cpu"):
        return Found((), f"torch {torch_version} is built without CUDA")
    try:
        gpus = _gpus()
    except pynvml.NVMLError as error:
        return Found((), f"no NVIDIA driver answers ({error})")
    if not gpus:
        return Found((), "the NVIDIA driver knows no GPU")
    listed = os.environ.get(VISIBLE)
    devices = visible(gpus, listed)
    return Found(devices, "" if devices else f"{VISIBLE}={listed} leaves no GPU visible")


def visible(gpus: Sequence[Gpu], listed: str | None) -> tuple[Device, ...]:
    """The devices that `listed`, a value of CUDA_VISIBLE_DEVICES, allows; all of them where it is not set.

    An entry is an index in nvidia-smi's order (CUDA's own where CUDA_DEVICE_ORDER is PCI_BUS_ID), a UUID of a GPU or of a MIG instance, or the beginning of one that no other
    has. As in CUDA, entries after the first that names nothing do not count. A GPU that is divided stands for its instances.
    """
    if listed is None:
        return tuple(device for gpu in gpus for device in gpu.parts)
    allowed: dict[str, Device] = {}
    for entry in listed.split(","):
        named = _named(gpus, entry.strip())
        if not named:
            break
        allowed |= {device.uuid: device for device in named}
    return tuple(allowed.values())


def _named(gpus: Sequence[Gpu], entry: str) -> tuple[Device, ...]:
    if entry.isdecimal():
        return gpus[int(entry)].parts if int(entry) < len(gpus) else ()
    if not entry.startswith(("GPU-", "MIG-")):
        return ()
    parts = {gpu.uuid: gpu.parts for gpu in gpus}
    parts |= {device.uuid: (device,) for gpu in gpus for device in gpu.parts}
    matching = [uuid for uuid in parts if uuid.startswith(entry)]
    return parts[matching[0]] if len(matching) == 1 else ()


def _gpus() -> list[Gpu]:
    """Every GPU that the driver knows, in nvidia-smi's order. Raises NVMLError."""
    pynvml.nvmlInit()
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [Gpu(pynvml.nvmlDeviceGetUUID(handle), tuple(_parts(handle))) for handle in handles]
    finally:
        pynvml.nvmlShutdown()


def _parts(gpu: object) -> Iterator[Device]:
    """A GPU's MIG instances where it is divided, which then are all that can be used of it; else itself."""
    try:
        divided = pynvml.nvmlDeviceGetMigMode(gpu)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
    except pynvml.NVMLError_NotSupported:
        divided = False
    if not divided:
        yield _device(gpu)
        return
    for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)
        except pynvml.NVMLError_NotFound:
            continue
        yield _device(instance)


def _device(handle: object) -> Device:
    memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    return Device(pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle), memory)


def locks_folder() -> Path:
    """Where the slots of this machine's GPUs are locked, for this user: one place, whatever temporary folder a job is given."""
    return Path("/tmp", f"rl-replica-gpus-{os.getuid()}")


def obstacle(found: Found, needed: int) -> str:
    """Why `needed` bytes of device memory fit on no device; "" where they do."""
    if not found.devices or slots_for(needed) <= found.most_slots:
        return found.missing
    return (
        f"{slots_for(needed)} GB of device memory are needed, and the largest GPU has {found.most_slots} GB to lease "
        f"({USABLE:.0%} of it)"
    )


def require(asked: Asked, found: Found, needed: int) -> None:
    """Raise SpecificationError where CUDA is asked for and `needed` bytes of device memory fit on no device."""
    reason = obstacle(found, needed)
    if reason and asked == "cuda":
        raise SpecificationError(f"device: 'cuda': {reason}; allowed: auto, cpu")


@contextmanager
def place(needed: int, asked: Asked, found: Found, folder: Path) -> Iterator[Place]:
    """Where a shard that takes `needed` bytes of device memory is trained; waits for a GPU with that much to lease.

    CUDA_VISIBLE_DEVICES names the GPU as long as the block lasts. "auto" is the CPU where no GPU will do; then "cuda" raises
    SpecificationError. To be entered before torch initialises CUDA.
    """
    if asked == "cpu":
        yield Place("cpu", "as asked")
        return
    require(asked, found, needed)
    if reason := obstacle(found, needed):
        yield Place("cpu", reason)
        return
    with lease(found.devices, slots_for(needed), folder) as held, _visible_only(held.device):
        yield Place("cuda", held.device.name)


@contextmanager
def _visible_only(device: Device) -> Iterator[None]:
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = device.uuid
    try:
        yield
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before


@dataclass(frozen=True)
class Lease:
    """A device, and which of its slots are held."""

    device: Device
    slots: tuple[int, ...]


@contextmanager
def lease(
    devices: Sequence[Device], wanted: int, folder: Path, poll_seconds: float = POLL_SECONDS
) -> Iterator[Lease]:
    """Hold `wanted` slots of one of `devices`, the one with most of them free; waits until one has enough.

    Who waits, waits in a queue: whoever is at its head alone takes slots, so small leases never starve a large one.
    Raises OSError where the file system of `folder` has no locks.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(folder / "queue.lock").acquire(poll_interval=poll_seconds):
        taken = _take(devices, wanted, folder)
        if not taken:
            print(f"waiting for {wanted} GB of a GPU's memory", file=sys.stderr)
        while not taken:
            time.sleep(poll_seconds)
            taken = _take(devices, wanted, folder)
    device, held = taken
    try:
        yield Lease(device, tuple(held))
    finally:
        _release(held.values())


def _take(
    devices: Sequence[Device], wanted: int, folder: Path
) -> tuple[Device, dict[int, FileLock]] | None:
    """The device with most slots free, and locks on `wanted` of them; or None. For the head of the queue alone."""
    free = [(device, _lock_free(device, folder)) for device in devices]
    best, locks = max(free, key=lambda found: len(found[1]))
    enough = len(locks) >= wanted
    held = {slot: locks.pop(slot) for slot in list(locks)[:wanted]} if enough else {}
    for _, others in free:
        _release(others.values())
    return (best, held) if enough else None


def _lock_free(device: Device, folder: Path) -> dict[int, FileLock]:
    """Locks on the slots of `device` that nobody holds."""
    locks = {}
    for slot in range(device.slots):
        lock = exclusive(folder / f"{device.uuid}.{slot}.lock")
        with suppress(Timeout):
            lock.acquire(blocking=False)
            locks[slot] = lock
    return locks


def _release(locks: Iterable[FileLock]) -> None:
    for lock in locks:
        lock.release()
