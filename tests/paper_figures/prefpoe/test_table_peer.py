"""Our PPO beside the published benchmark: every run shown, none dropped silently."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.load import SCORES
from paper_figures.prefpoe import table_peer

RUNS = {0: 1300.0, 1: 4000.0, 2: 1400.0}


def drawn(folder: Path, scores: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The table in Markdown, and its values."""
    (folder / "experiments" / "peer").mkdir(parents=True)
    scores.astype(SCORES).to_parquet(folder / "experiments" / "peer" / "scores.parquet")
    options = ["--paper", "paper_figures/prefpoe", "--scale", "paper"]
    options += ["--experiments", str(folder / "experiments"), "--output", str(folder / "table")]
    assert table_peer.main(options) == 0
    text = (folder / "table.md").read_text(encoding="utf-8")
    return text, pd.read_parquet(folder / "table.parquet")


def of(environment: str, runs: dict[int, float], lost: int = 0) -> pd.DataFrame:
    """Scores of runs that ended, and of `lost` more that did not."""
    statuses = ["done"] * len(runs) + ["diverged"] * lost
    rows = pd.DataFrame({name: [0] * len(statuses) for name in SCORES})
    rows["environment"], rows["method"], rows["setting"] = environment, "ppo", "{}"
    rows["seed"], rows["status"] = range(len(statuses)), statuses
    rows["training_return"] = [*runs.values(), *[7.0] * lost]
    return rows


def test_mean_and_spread_are_of_runs_that_ended_and_all_are_shown(tmp_path: Path) -> None:
    """1300, 4000, 1400: mean 2233.3, sum of squared deviations 4,686,666.7, so a standard deviation of 1530.8."""
    text, table = drawn(tmp_path, of("HalfCheetah-v4", RUNS, lost=1))
    line = next(line for line in text.splitlines() if "HalfCheetah" in line)
    assert "1442.64 ± 46.03 (n = 3)" in line
    assert "2233 ± 1531 (n = 3 of 4)" in line
    assert "1300, 1400, 4000" in line
    assert table["status"].tolist() == ["done", "done", "done", "diverged"]
    assert table["published_mean"].tolist() == pytest.approx([1442.64] * 4)


def test_an_environment_without_runs_is_shown_as_missing(tmp_path: Path) -> None:
    text, _ = drawn(tmp_path, of("Hopper-v4", {}, lost=2).assign(status="missing"))
    line = next(line for line in text.splitlines() if "Hopper" in line)
    assert "2382.86 ± 271.74" in line
    assert line.count("—") == 2
