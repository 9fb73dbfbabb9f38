"""Everything that goes wrong on a machine, done to real runs: nothing is lost, and the record is the same to the bit.

CONTRIBUTING.md has a table of the faults, each with the test that makes it.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from algorithms.records import Record, read_record
from algorithms.scratch import is_held
from analysis.attempts import attempt
from analysis.progress import View
from tests.algorithms.small_runs import values
from tests.training_server import KILLED, REPLAYED, SHARD, WIDE, at_call, at_event, train
from tests.workflow_runs import CONFIG, REPOSITORY, TOY, Tree, shard_hash

Said = subprocess.CompletedProcess[str]


def run(folder: Path, shard: Sequence[str] = SHARD, before: str = "") -> Said:
    """Train a shard with records and scratch in `folder`."""
    places = ("--records", str(folder / "records"), "--scratch", str(folder / "scratch"))
    return train([*shard, *places], before)


def record_in(folder: Path) -> Path:
    (found,) = (folder / "records").glob("*/*")
    return found


def scratch_in(folder: Path) -> Path:
    """The shard's scratch folder."""
    (found,) = (path for path in (folder / "scratch").iterdir() if path.is_dir())
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of `SHARD` as it is without a fault."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder).returncode == 0
    return record_in(folder)


@pytest.fixture(scope="module")
def whole_replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of `REPLAYED` as it is without a fault."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, REPLAYED).returncode == 0
    return record_in(folder)


def finished(folder: Path, expected: Path, shard: Sequence[str] = SHARD) -> dict[str, object]:
    """Train on to the end: the record is `expected` to the bit, and nothing else is left. Its provenance."""
    done = run(folder, shard)
    assert done.returncode == 0, done.stderr
    record = record_in(folder)
    assert values(record) == values(expected)
    assert list((folder / "scratch").iterdir()) == []
    provenance: dict[str, object] = read_record(record).meta["provenance"]
    return provenance


# Killed

COUNTED = """
import atexit
calls = 0
def count(frame, event, argument):
    global calls
    calls += "call" in event
atexit.register(lambda: (sys.setprofile(None), print("calls", calls)))
sys.setprofile(count)
"""
WHILE_A_CHECKPOINT_IS_WRITTEN = (
    at_event("open", ".checkpoint.safetensors"),  # before its first byte
    at_event("open", ".checkpoint.safetensors", 2),  # written, about to be synced
    at_event("os.rename", "checkpoint.previous.safetensors"),  # about to become the one before
    at_event("os.rename", "checkpoint.safetensors", 2),  # that it has; the new one not in place
)
WHILE_THE_RECORD_IS_WRITTEN = (
    at_event("os.rename", "curve.parquet"),
    at_event("open", ".weights.safetensors"),
    at_event("os.rename", "record.json"),
)
WHILE_SCRATCH_IS_CLEARED = at_event("os.remove", "checkpoint.safetensors")


def test_twenty_kills_lose_nothing(tmp_path: Path, whole: Path) -> None:
    """One run, killed at random moments, while it writes checkpoints, while it writes its record, and after that."""
    counted = run(tmp_path / "counted", before=COUNTED)
    (calls,) = re.findall(r"^calls (\d+)$", counted.stdout, flags=re.MULTILINE)
    drawn = random.Random(0)
    moments = [at_call(drawn.randrange(1, int(calls) // 10)) for _ in range(12)]
    moments[3:3] = WHILE_A_CHECKPOINT_IS_WRITTEN
    moments += (*WHILE_THE_RECORD_IS_WRITTEN, WHILE_SCRATCH_IS_CLEARED)
    assert len(moments) == 20
    for kill, moment in enumerate(moments, start=1):
        assert run(tmp_path / "killed", before=moment).returncode == KILLED, f"kill {kill}"
        there = [*(tmp_path / "killed").glob("records/*/*/record.json")]
        assert len(there) == (kill == 20)
    assert finished(tmp_path / "killed", whole)["resumed"] != 0


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(at_event("open", "replay.float32", 3), id="about to append to the replay"),
        pytest.param(at_event("os.rename", "checkpoint.previous", 2), id="replay longer"),
    ],
)
def test_killed_while_the_replay_is_written(
    moment: str, tmp_path: Path, whole_replayed: Path
) -> None:
    assert run(tmp_path, REPLAYED, moment).returncode == KILLED
    assert finished(tmp_path, whole_replayed, REPLAYED)["resumed"] == 1


def test_killed_while_compiling(tmp_path: Path) -> None:
    """When the compiler is called for the first time, and for the second; then everything is compiled."""
    cache = f"os.environ['TORCHINDUCTOR_CACHE_DIR'] = {str(tmp_path / 'cache')!r}\n"
    compiled = (*SHARD, "--mode", "compiled")
    for calls in (1, 2):
        moment = cache + at_event("subprocess.Popen", "-shared", calls)
        assert run(tmp_path / "killed", compiled, moment).returncode == KILLED
    for folder in ("killed", "whole"):
        done = run(tmp_path / folder, compiled, cache)
        assert done.returncode == 0, done.stderr
    killed, expected = (record_in(tmp_path / folder) for folder in ("killed", "whole"))
    assert read_record(killed).meta["provenance"]["mode"] == "compiled"
    assert values(killed) == values(expected)


def test_snakemake_killed_goes_on_where_it_stopped(tree: Tree) -> None:
    """Its shard may outlive it: who comes next waits for the lock and takes the record as it is."""
    (record,) = tree.records("ProbeTarget-v0/prefpoe-*")
    before = values(record)
    shutil.rmtree(record)
    pairs = [f"{key}={value}" for key, value in CONFIG.items()]
    command = (sys.executable, "-m", "snakemake", "toy_paper", "--config", *pairs)
    with (tree.root / "said").open("wb") as said:
        workflow = subprocess.Popen(command, cwd=tree.root, stdout=said, stderr=said)
    lock = tree.root / "results" / "scratch" / f"{shard_hash(record)}.lock"
    while not is_held(lock):
        assert workflow.poll() is None, (tree.root / "said").read_text()
        time.sleep(0.01)
    os.kill(workflow.pid, signal.SIGKILL)
    workflow.wait()
    assert tree.snakemake("--unlock").returncode == 0
    done = tree.snakemake("toy_paper")
    assert done.returncode == 0, done.stderr
    assert values(record) == before
    assert tree.planned("toy_paper") == []


# Files that are not what they were


def flip(content: bytes, place: int) -> bytes:
    """`content` with one bit flipped in the byte at `place`."""
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def len_of_head(content: bytes) -> int:
    """Where the numbers of a safetensors file begin."""
    return 8 + int.from_bytes(content[:8], "little")


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "one bit of the numbers": lambda content: flip(
        content, (len(content) + len_of_head(content)) // 2
    ),
    "one bit of what is told": lambda content: content.replace(b"segment", b"segmenu", 1),
    "one bit of the checksum": lambda content: content.replace(b'checksum":"', b'checksum":#', 1),
    "one digit": lambda content: re.sub(rb'(updates[\\]*": )(\d)', rb"\g<1>9", content, count=1),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_serves(
    damage: str, tmp_path: Path, whole: Path
) -> None:
    third = at_event("os.rename", "checkpoint.previous", 3)
    assert run(tmp_path, before=third).returncode == KILLED
    path = scratch_in(tmp_path) / "checkpoint.safetensors"
    before = path.with_name("checkpoint.previous.safetensors")
    assert [segments(path), segments(before)] == [3, 2]
    content = path.read_bytes()
    path.write_bytes(DAMAGES[damage](content))
    assert path.read_bytes() != content
    first = at_event("os.rename", "checkpoint.safetensors")
    done = run(tmp_path, before=first)
    assert done.returncode == KILLED
    assert "checkpoint.safetensors: damaged" in done.stderr
    assert done.stderr.count("going on from checkpoint.previous.safetensors") == 1
    assert segments(before) == 2, "what serves is kept until there is another"
    assert finished(tmp_path, whole)["resumed"] == 1


def segments(path: Path) -> int:
    """How many segments a checkpoint has behind it."""
    with safe_open(path, framework="np") as stored:
        return int(json.loads(stored.metadata()["state"])["segment"])


def test_where_both_checkpoints_are_damaged_the_shard_says_so(tmp_path: Path) -> None:
    assert run(tmp_path, before=at_event("os.rename", ".previous", 3)).returncode == KILLED
    folder = scratch_in(tmp_path)
    for path in folder.glob("checkpoint*"):
        path.write_bytes(path.read_bytes()[:-1])
    there = {path: path.read_bytes() for path in folder.glob("checkpoint*")}
    done = run(tmp_path)
    assert done.returncode == 1
    assert {path: path.read_bytes() for path in folder.glob("checkpoint*")} == there
    assert len(there) == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {folder}/checkpoint.previous.safetensors: damaged (")
    assert last.endswith(f"; delete {folder} to start over")
    assert attempt(tmp_path / "scratch", folder.name).state == "failed"


@pytest.mark.parametrize("part", ["checkpoint.safetensors", "replay.float32"])
def test_with_a_replay_the_checkpoint_before_the_last_serves(
    part: str, tmp_path: Path, whole_replayed: Path
) -> None:
    """Its last rows belong to the last checkpoint only; they are cut off and made again."""
    third = at_event("os.rename", "checkpoint.previous", 3)
    assert run(tmp_path, REPLAYED, third).returncode == KILLED
    path = scratch_in(tmp_path) / part
    if part == "replay.float32":  # a fourth segment is behind the three that are committed
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 4 * 3])
    content = path.read_bytes()
    path.write_bytes(flip(content, len(content) - 200))
    assert finished(tmp_path, whole_replayed, REPLAYED)["resumed"] == 1


# Disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of sixteen megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place), capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(("umount", place), check=True)


def fill(disk: Path, left: int) -> Path:
    """A file that takes all of the disk but `left` bytes."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - left))
    return ballast


def test_a_disk_that_is_full_at_a_checkpoint(tmp_path: Path, disk: Path, whole: Path) -> None:
    (tmp_path / "scratch").symlink_to(disk)
    assert run(tmp_path, before=at_event("os.rename", ".previous", 3)).returncode == KILLED
    ballast = fill(disk, left=12_288)
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "checkpoint.safetensors: cannot be written" in done.stderr
    assert "No space left" in done.stderr or "os error 28" in done.stderr
    ballast.unlink()
    assert finished(tmp_path, whole)["resumed"] != 0


def test_a_disk_that_is_full_at_the_record(tmp_path: Path, disk: Path, whole: Path) -> None:
    (tmp_path / "records").symlink_to(disk)
    ballast = fill(disk, left=16_384)
    done = run(tmp_path)
    assert done.returncode == 1
    assert re.search(rf"^error: {tmp_path}/records/\S+: cannot be written", done.stderr, re.M)
    assert list(disk.glob("*/*/record.json")) == []
    ballast.unlink()
    assert finished(tmp_path, whole)["resumed"] == 1


def test_a_results_directory_that_takes_nothing(tmp_path: Path, disk: Path, whole: Path) -> None:
    """Told in a line; once it takes something again, what was trained before is not trained again."""
    (tmp_path / "records").symlink_to(disk)
    subprocess.run(("mount", "-o", "remount,ro", disk), check=True)
    done = run(tmp_path)
    assert done.returncode == 1
    assert re.search(rf"^error: {tmp_path}/records/\S+: cannot be written: ", done.stderr, re.M)
    assert "Traceback" not in done.stderr
    subprocess.run(("mount", "-o", "remount,rw", disk), check=True)
    assert finished(tmp_path, whole)["resumed"] == 1


def test_status_and_why_need_nothing_but_to_read(tree: Tree, disk: Path) -> None:
    shutil.copytree(tree.root / "results", disk / "results")
    subprocess.run(("mount", "-o", "remount,ro", disk), check=True)
    options = ("--papers", str(TOY), "--results", str(disk / "results"))
    for command in (("analysis.status", "--scale", "smoke"), ("analysis.stale",)):
        done = tree.python(*command, *options)
        assert done.returncode == 0, done.stderr


# Two at once, and what others left


def test_two_snakemakes_at_once(tree: Tree) -> None:
    """With its own lock, which refuses the second, switched off: the second waits for the shard's."""
    (record,) = tree.records("ProbeTarget-v0/prefpoe-*")
    before = values(record)
    shutil.rmtree(record)
    pairs = [f"{key}={value}" for key, value in CONFIG.items()]
    target = record.relative_to(tree.root) / "record.json"
    command = (sys.executable, "-m", "snakemake", str(target), "--nolock", "--config", *pairs)
    both = [
        subprocess.Popen(command, cwd=tree.root, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert values(record) == before
    assert read_record(record).meta["provenance"]["resumed"] == 0
    assert not [job for job in tree.planned("toy_paper_table_1") if job.startswith("train")]


def test_a_record_that_somebody_else_finishes_meanwhile_is_kept(tree: Tree) -> None:
    """Snakemake has planned two shards and trains the first; the second one's record is there when its turn comes."""
    records = [tree.records(f"ProbeTarget-v0/{method}-*")[0] for method in ("ppo", "prefpoe")]
    before = {record: (record / "record.json").read_bytes() for record in records}
    for record in records:
        record.rename(record.with_suffix(".aside"))
    targets = [str(record.relative_to(tree.root) / "record.json") for record in records]
    pairs = [f"{key}={value}" for key, value in CONFIG.items()]
    command = (sys.executable, "-m", "snakemake", *targets, "--cores", "1", "--config", *pairs)
    locks = {
        record: tree.root / "results" / "scratch" / f"{shard_hash(record)}.lock"
        for record in records
    }
    with (tree.root / "said").open("wb") as said:
        workflow = subprocess.Popen(command, cwd=tree.root, stdout=said, stderr=said)
    while not (begun := [record for record in records if is_held(locks[record])]):
        assert workflow.poll() is None, (tree.root / "said").read_text()
        time.sleep(0.01)
    (trained,), (other,) = begun, set(records) - set(begun)
    other.with_suffix(".aside").rename(other)
    assert workflow.wait() == 0, (tree.root / "said").read_text()
    assert (other / "record.json").read_bytes() == before[other]
    assert (trained / "record.json").read_bytes() != before[trained]  # it tells another time


def test_a_shard_that_fails_after_its_record_keeps_it(tree: Tree) -> None:
    (record,) = tree.records("ProbeTarget-v0/ppo-*")
    before = values(record)
    shutil.rmtree(record)
    module = tree.root / "algorithms" / "checkpoint.py"
    text = module.read_text(encoding="utf-8")
    head = "def forget(folder: Path) -> None:\n"
    assert head in text
    module.write_text(text.replace(head, head + "    raise OSError('no more')\n"), encoding="utf-8")
    done = tree.snakemake(str(record.relative_to(tree.root) / "record.json"))
    assert done.returncode == 1
    assert values(record) == before
    assert not [job for job in tree.planned("toy_paper_table_1") if job.startswith("train")]


def test_what_is_recorded_at_one_scale_is_never_touched_by_another(tree: Tree) -> None:
    """Records of scales paper and reduced lie beside those of smoke, and one of smoke is trained again."""
    kept = []
    for scale in ("paper", "reduced"):
        shutil.copytree(tree.results, tree.root / "results" / scale)
        kept += [path for path in (tree.root / "results" / scale).rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in kept}
    (record,) = tree.records("ProbeTarget-v0/ppo-*")
    shutil.rmtree(record)
    for target in ("all", "recorded"):
        done = tree.snakemake(target)
        assert done.returncode == 0, done.stderr
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in kept} == before


# Clocks

JUMPING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static int calls;
    if (!real) real = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += (calls++ % 3 - 1) * 864000;
    return status;
}
"""


def test_a_clock_that_jumps(tmp_path: Path, whole: Path) -> None:
    """Ten days back and forth, with every look at it."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and LD_PRELOAD to make a clock jump")
    library = tmp_path / "jumping.so"
    command = (compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl")
    subprocess.run(command, input=JUMPING, text=True, check=True)
    ctypes.CDLL(str(library))  # it loads
    places = ("--records", str(tmp_path / "records"), "--scratch", str(tmp_path / "scratch"))
    process = subprocess.run(
        (sys.executable, "-m", "algorithms.train", *SHARD, *places),
        cwd=REPOSITORY,
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    record = record_in(tmp_path)
    assert values(record) == values(whole)
    provenance = read_record(record).meta["provenance"]
    assert 0 < provenance["training_seconds"] <= provenance["wall_seconds"] < 864000


def test_a_failure_is_reported_whatever_the_clock_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was there before the workflow is not, though its time lies ahead."""
    for name, when in (("old", 4_000_000_000), ("new", 1)):
        if name == "new":
            view = View([str(TOY)], "smoke", tmp_path)
        folder = tmp_path / "scratch" / name
        folder.mkdir(parents=True)
        (folder / "failure.json").write_text(json.dumps({"error": f"{name} error"}))
        os.utime(folder / "failure.json", (when, when))
    view.report_failures()
    assert capsys.readouterr().err == "failed: new: new error ()\n"


# Memory


def room(megabytes: int) -> str:
    """Code that lets the process take so much more memory than it has."""
    return f"""
import resource
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + {megabytes} * 10**6,) * 2)
"""


def members_are_as_alone(record: Record, folder: Path, shard: Sequence[str]) -> None:
    """Both members of `record` of `shard` are, to the bit, what they are in shards of their own, trained in `folder`."""
    for member in (0, 1):
        assert run(folder / str(member), [*shard, *("--seed", str(member))]).returncode == 0
        by_itself = read_record(record_in(folder / str(member)))
        assert record.meta["members"][member] == by_itself.meta["members"][0]
        for table in ("curve", "evaluation", "diagnostics"):
            rows, own = getattr(record, table), getattr(by_itself, table)
            rows = rows[rows["member"] == member].drop(columns="member").reset_index(drop=True)
            assert rows.equals(own.drop(columns="member")), table
        for name, array in by_itself.arrays().items():
            np.testing.assert_array_equal(record.arrays()[name][member], array[0])


def test_planned_batches_are_kept_when_killed_and_run_again(tmp_path: Path) -> None:
    """Killed in the second batch, and gone on with by somebody who plans one batch alone."""
    second = at_event("open", ".checkpoint.safetensors", 50)
    killed = run(tmp_path / "cut", [*SHARD, "--batches", "2"], second)
    assert killed.returncode == KILLED
    assert {path.name for path in scratch_in(tmp_path / "cut").glob("batch-*")} == {
        "batch-1-of-2",
        "batch-2-of-2",
    }
    done = run(tmp_path / "cut")
    assert done.returncode == 0, done.stderr
    record = read_record(record_in(tmp_path / "cut"))
    assert record.meta["provenance"]["batches"] == 2
    assert list((tmp_path / "cut" / "scratch").iterdir()) == []
    members_are_as_alone(record, tmp_path, SHARD)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read memory from")
def test_out_of_memory_trains_in_twice_as_many_batches_once(tmp_path: Path) -> None:
    """Room for the update of one member, not for that of two; then for none."""
    done = run(tmp_path / "halves", WIDE, room(400))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("out of memory (") == done.stderr.count("training in 2 batches") == 1
    assert list((tmp_path / "halves" / "scratch").iterdir()) == []
    halved = read_record(record_in(tmp_path / "halves"))
    assert halved.meta["provenance"]["batches"] == 2
    assert run(tmp_path / "whole", WIDE).returncode == 0
    whole = read_record(record_in(tmp_path / "whole"))
    assert whole.meta["hash"] == halved.meta["hash"]
    members_are_as_alone(halved, tmp_path, WIDE)
    for name, array in whole.arrays().items():
        np.testing.assert_allclose(halved.arrays()[name], array, rtol=1e-4, atol=1e-5)
    done = run(tmp_path / "none", WIDE, room(150))
    assert done.returncode == 1
    assert done.stderr.count("training in 2 batches") == 1
    scratch = tmp_path / "none" / "scratch"
    assert attempt(scratch, scratch_in(tmp_path / "none").name).state == "failed"


# Environments

FAULTY = """
from envs import native
import numpy as np
class Faulty(native.NATIVE["ProbeTarget-v0"]):
    steps = 0
    def __init__(self, seeds):
        super().__init__(seeds)
        self.trains = len(seeds) == 2
    def step(self, action, index):
        Faulty.steps += 1
        told = super().step(action, index)
        {fault}
        return told
native.NATIVE["ProbeTarget-v0"] = Faulty
"""
RAISES = FAULTY.format(fault="if Faulty.steps == 150: raise RuntimeError('the simulator gave up')")
# In training there is a copy a member, in evaluation there are two.
NOT_A_NUMBER = FAULTY.format(
    fault="if Faulty.steps > 150 and self.trains and 1 in index: told[0][list(index).index(1)] = np.nan"
)


def test_an_environment_that_raises(tmp_path: Path, whole: Path) -> None:
    done = run(tmp_path, before=RAISES)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: the simulator gave up"
    told = attempt(tmp_path / "scratch", scratch_in(tmp_path).name)
    assert told[:2] == ("failed", "RuntimeError: the simulator gave up")
    assert finished(tmp_path, whole)["resumed"] == 1


def test_observations_that_are_no_numbers_cost_their_member_only(
    tmp_path: Path, whole: Path
) -> None:
    done = run(tmp_path, before=NOT_A_NUMBER)
    assert done.returncode == 0, done.stderr
    record, expected = read_record(record_in(tmp_path)), read_record(whole)
    assert [member["status"] for member in record.meta["members"]] == ["done", "diverged"]
    for table in ("curve", "evaluation", "diagnostics"):
        own, other = (getattr(one, table) for one in (record, expected))
        own, other = (rows[rows["member"] == 0].reset_index(drop=True) for rows in (own, other))
        assert own.equals(other), table
    weights, others = record.arrays(), expected.arrays()
    for name in weights:
        np.testing.assert_array_equal(weights[name][0], others[name][0])
        seen = name.startswith("observation.")  # what it saw is averaged, then it stands still
        assert np.isfinite(weights[name][: 1 if seen else 2]).all(), name


# The table


def test_the_table_of_faults_names_tests_that_there_are() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("### Faults")
    table = [line for line in rest.partition("\n### ")[0].splitlines() if line.startswith("| ")]
    named = {name for line in table for name in re.findall(r"`(test_\w+)`", line)}
    assert all(re.search(r"`test_\w+`", line) for line in table[1:] if "---" not in line)
    there = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert named - there == set()
    own = Path(__file__).read_text("utf-8")
    assert set(re.findall(r"^def (test_\w+)", own, re.MULTILINE)) - named == {
        "test_the_table_of_faults_names_tests_that_there_are"
    }
