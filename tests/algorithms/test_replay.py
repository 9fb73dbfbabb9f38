"""Replay: the last transitions, in lock-step, and on disk to the bit wherever a run is interrupted."""

from __future__ import annotations

import resource
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor

from algorithms import replay as replays
from algorithms.header import RecordError
from algorithms.memory import require_memory, row_size
from algorithms.methods.off_policy import Transitions
from algorithms.replay import FILE, Replay
from algorithms.specification import SpecificationError

CPU = torch.device("cpu")
MEMBERS, SEEN, DONE = 3, 4, 2
ROW = 2 * SEEN + DONE + 2


def empty(capacity: int) -> Replay:
    return Replay.empty(MEMBERS, capacity, SEEN, DONE, CPU)


def transition(step: int) -> tuple[Tensor, ...]:
    """What every member sees at a step; bits of all kinds, negative zeros and denormals among them."""
    rng = np.random.default_rng(step)
    row = torch.from_numpy(rng.standard_normal((MEMBERS, ROW)).astype(np.float32))
    row[:, 0], row[0, 1], row[1, 2] = step, -0.0, 1e-42
    row[:, -1] = float(step % 3 == 0)
    return torch.split(row, [SEEN, DONE, 1, SEEN, 1], dim=1)


def row_of(step: int) -> Tensor:
    """[MEMBERS, ROW] as a replay stores it, put together by hand."""
    return torch.cat(transition(step), dim=1)


def add(replay: Replay, columns: tuple[Tensor, ...]) -> None:
    observation, action, reward, successor, ending = columns
    replay.add(observation, action, reward.squeeze(1), successor, ending.squeeze(1))


def fill(replay: Replay, until: int) -> None:
    for step in range(replay.count, until):
        add(replay, transition(step))


def same_bits(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first.view(torch.int32), second.view(torch.int32))


def test_a_row_is_both_observations_the_action_the_reward_and_the_end() -> None:
    assert row_size(SEEN, DONE) == ROW == 12
    replay = empty(2)
    seen, done = torch.full((MEMBERS, SEEN), 1.0), torch.full((MEMBERS, DONE), 2.0)
    paid, reached = torch.arange(MEMBERS) + 3.0, torch.full((MEMBERS, SEEN), 4.0)
    replay.add(seen, done, paid, reached, torch.tensor([0.0, 1.0, 0.0]))
    assert replay.data[1, 0].tolist() == [1] * 4 + [2] * 2 + [4] + [4] * 4 + [1]
    read = Transitions.of(replay.data[:, :1], SEEN, DONE, torch.tensor(0.9))
    for column, expected in zip(read[:4], (seen, done, paid, reached), strict=True):
        assert torch.equal(column, expected)
    assert read.discount.tolist() == pytest.approx([0.9, 0, 0.9])


def test_a_full_replay_keeps_the_last_transitions() -> None:
    replay = empty(5)
    assert (replay.capacity, replay.stored, replay.count) == (5, 0, 0)
    for step in range(13):
        fill(replay, step + 1)
        assert (replay.count, replay.stored) == (step + 1, min(step + 1, 5))
        for kept in range(max(0, step - 4), step + 1):
            assert same_bits(replay.data[:, kept % 5], row_of(kept)), (step, kept)


def test_what_is_stored_does_not_change_with_what_was_given() -> None:
    replay, columns = empty(2), transition(1)
    add(replay, columns)
    columns[0].zero_()
    assert same_bits(replay.data[:, 0], row_of(1))


@pytest.mark.parametrize(
    "commits",
    [
        (3,),
        (7,),
        (10,),
        (25,),
        (3, 7, 10),
        (4, 9, 13, 14),
        (4, 4, 12, 12),
        (5, 30),
        (25, 28, 60, 61),
        (9, 19, 29),
    ],
    ids=str,
)
def test_what_is_restored_is_what_was_there_to_the_bit(
    commits: tuple[int, ...], tmp_path: Path
) -> None:
    """Capacity 10; `commits` are the counts at each: before and after it is full, and with more new rows than fit."""
    whole = empty(10)
    for count in commits:
        fill(whole, count)
        committed = whole.commit(tmp_path)
        again = empty(10)
        again.restore(tmp_path, committed)
        assert same_bits(again.data, whole.data)
        assert (again.count, again.stored) == (count, min(count, 10))
        again.restore(tmp_path, committed)
        assert same_bits(again.data, whole.data)
    rows = sum(min(new, 10) for new in np.diff((0, *commits)))
    assert (tmp_path / FILE).stat().st_size == 4 * MEMBERS * ROW * rows


@pytest.mark.parametrize("interrupted_after", [3, 9, 14, 31])
def test_a_run_resumed_at_every_commit_goes_on_as_the_whole_one(
    interrupted_after: int, tmp_path: Path
) -> None:
    """Every segment is interrupted twice: before, and after it has appended what no checkpoint knows of."""
    whole = empty(10)
    committed = empty(10).commit(tmp_path)
    for count in (interrupted_after, interrupted_after + 4, interrupted_after + 19):
        fill(whole, count)
        for finished in (False, True):
            resumed = empty(10)
            resumed.restore(tmp_path, committed)
            fill(resumed, count if finished else count + 2)
            found = resumed.commit(tmp_path)
            assert same_bits(resumed.data, whole.data) == finished
        committed = found
        assert found["count"] == count
    expected = empty(10)
    expected.restore(tmp_path, committed)
    assert same_bits(expected.data, whole.data)


def test_an_append_that_was_interrupted_is_cut_off(tmp_path: Path) -> None:
    replay = empty(10)
    fill(replay, 4)
    committed = replay.commit(tmp_path)
    path = tmp_path / FILE
    kept = path.read_bytes()
    path.write_bytes(kept + b"half a row")
    again = empty(10)
    again.restore(tmp_path, committed)
    assert same_bits(again.data, replay.data)
    fill(again, 6)
    fill(replay, 6)
    again.commit(tmp_path)
    assert path.read_bytes() == kept + b"".join(row_of(s).numpy().tobytes() for s in (4, 5))
    assert same_bits(again.data, replay.data)


def test_a_fresh_run_does_not_go_on_with_an_old_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"left by a run without a checkpoint" * 100)
    replay = empty(10)
    fill(replay, 2)
    expected = b"".join(row_of(step).numpy().tobytes() for step in (0, 1))
    assert replay.commit(tmp_path) == {"count": 2, "rows": 2, "checksum": crc32(expected)}
    assert (tmp_path / FILE).read_bytes() == expected


@pytest.mark.parametrize("lost", [1, 4 * MEMBERS * ROW, None])
def test_a_file_that_is_too_short_is_refused(lost: int | None, tmp_path: Path) -> None:
    """To be restored from, and to be appended to: the gap would read as zeros."""
    replay = empty(10)
    fill(replay, 3)
    committed = replay.commit(tmp_path)
    path, size = tmp_path / FILE, 3 * 4 * MEMBERS * ROW
    if lost is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-lost])
    left = 0 if lost is None else size - lost
    message = rf"{FILE}: {left} bytes, the checkpoint beside it needs {size}"
    with pytest.raises(RecordError, match=message):
        empty(10).restore(tmp_path, committed)
    fill(replay, 5)
    with pytest.raises(RecordError, match=message):
        replay.commit(tmp_path)


@pytest.mark.parametrize("where", [0, 4 * MEMBERS * ROW * 14, -1])
def test_a_flipped_bit_is_noticed_by_who_needs_what_lies_there(where: int, tmp_path: Path) -> None:
    """In 14 rows, then 19: the checkpoint before the last does not need the rows of the last."""
    replay = empty(10)
    fill(replay, 14)
    before = replay.commit(tmp_path)
    fill(replay, 19)
    last = replay.commit(tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[where] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RecordError, match=rf"{FILE}: damaged \(checksum differs\)"):
        empty(10).restore(tmp_path, last)
    if where == 0:
        with pytest.raises(RecordError, match=rf"{FILE}: damaged \(checksum differs\)"):
            empty(10).restore(tmp_path, before)
        return
    again = empty(10)
    again.restore(tmp_path, before)
    fill(again, 19)
    assert again.commit(tmp_path) == last
    assert same_bits(again.data, replay.data)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    replay = empty(10)
    fill(replay, 1)
    with pytest.raises(RecordError, match=rf"{FILE}: cannot be written"):
        replay.commit(tmp_path)
    assert (replay.rows, replay.committed) == (0, 0)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read memory from")
def test_memory_is_taken_as_it_fills() -> None:
    """A million transitions of three members take 144 MB once they are there."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    replay = empty(1_000_000)
    fill(replay, 5)
    assert resident() - before < 20e6
    replay.data[:, :] = 1
    assert resident() - before > 100e6


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_copying_in_pieces_changes_no_bit(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, files = empty(10), []
    for piece in (replays.PIECE, rows * 4 * MEMBERS * ROW):
        monkeypatch.setattr(replays, "PIECE", piece)
        whole, folder = empty(10), tmp_path / str(piece)
        for count in (4, 9, 25, 28):
            fill(whole, count)
            committed = whole.commit(folder)
        files.append((folder / FILE).read_bytes())
        again = empty(10)
        again.restore(folder, committed)
        assert same_bits(again.data, whole.data)
    assert files[0] == files[1]


def test_a_replay_that_memory_does_not_hold_is_refused() -> None:
    """5 · 10⁶ · 42 numbers of 4 bytes are 840 MB."""
    require_memory(5, 1_000_000, 42, 840_000_000)
    with pytest.raises(
        SpecificationError, match=r"5 members × 1,000,000 transitions × 42 .* 0\.8 GB"
    ):
        require_memory(5, 1_000_000, 42, 839_999_999)
