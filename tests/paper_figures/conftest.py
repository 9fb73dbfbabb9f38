"""Experiment folders as analysis.statistics writes them, from made-up scores, curves and diagnostics."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis.statistics
from algorithms.cell import Cell, Plan
from algorithms.settings import PrefPoE
from analysis.load import CURVES, DIAGNOSED, SCORES, Tables
from analysis.paper import load_paper
from analysis.statistics import contrasts, statistics, write_parquet

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "paper_figures" / "prefpoe"
SCALE = "quick"
LEVELS = {"ppo": 1.0, "prefpoe": 2.5, "prefpoe_released": 3.0, "linear_fusion": 0.6}
UNITS = {"HalfCheetah-v4": 1000.0, "Ant-v4": 900.0, "FrozenLake-v1": 0.25, "CartPole-v1": 120.0}
DIAGNOSTICS = {"entropy": 2.0, "policy_loss": -0.02, "gradient_norm": 0.5}
OF_TWO_EXPERTS = {
    "preference_loss": -0.3,
    "consistency_loss": 0.1,
    "advantage_correlation": 0.3,
    "main_entropy": 2.5,
    "preference_entropy": 3.0,
    "main_trace": 2.0,
    "preference_trace": 4.0,
    "fused_trace": 1.5,
    "trace_excess": -0.4,
    "preference_share": 0.25,
    "main_mean_norm": 0.5,
    "fused_mean_norm": 0.4,
    "main_difference": 0.1,
    "preference_difference": 0.2,
}
Build = Callable[..., Path]
Draw = Callable[..., Path]


def members(
    plan: Plan, cell: Cell, method: str, imported: bool, rng: np.random.Generator
) -> Tables:
    """Scores, curves and diagnostics of five members that all finished; imported runs have no diagnostics."""
    level = UNITS.get(cell.environment, 60.0) * LEVELS.get(method, 1.4)
    bins, scores, curves, diagnosed = plan.scales[SCALE].curve_rows, [], [], []
    extra = OF_TWO_EXPERTS if isinstance(cell.settings, PrefPoE) else {}
    for seed in plan.scales[SCALE].seeds:
        who = {"environment": cell.environment, "method": method, "seed": seed, "setting": "{}"}
        final = level * (1 + 0.15 * rng.standard_normal())
        score = {
            "steps": 40_960 if imported else cell.steps,
            "score": final,
            "training_return": 0.9 * final,
            "training_score": 0.9 * final,
            "auc": 0.5 * final,
            "training_auc": 0.5 * final,
            "episode_std": 0.1 * final,
            "episodes": 10,
            "status": "done",
        }
        scores.append({**who, **score, "diverged_at": np.nan, "imported": imported})
        kept = np.flatnonzero(rng.random(bins) < 0.9) + 1
        progress = 1 - np.exp(-3 * kept / bins)
        returns = final * progress * (1 + 0.05 * rng.standard_normal(len(kept)))
        curves += [
            {**who, "step": round(k * cell.steps / bins), "return_mean": r, "episodes": 2}
            | {"imported": imported}
            for k, r in zip(kept, returns, strict=True)
        ]
        diagnosed += [
            {**who, "step": round(k * cell.steps / bins)}
            | {name: value * (1 + 0.001 * k) for name, value in (DIAGNOSTICS | extra).items()}
            for k in range(1, 0 if imported else bins + 1)
        ]
    return Tables(pd.DataFrame(scores), pd.DataFrame(curves), pd.DataFrame(diagnosed))


def lose(tables: Tables, seeds: list[int], status: str, steps: int) -> Tables:
    """The same where `seeds` diverged half-way, failed, or have no record."""
    scores, *measured = tables
    rows = scores["seed"].isin(seeds)
    scores.loc[rows, ["score", "training_return", "training_score", "episode_std"]] = np.nan
    scores.loc[rows, "episodes"] = 0
    scores.loc[rows, "status"] = status
    end = steps / 2 if status == "diverged" else 0.0
    if status == "diverged":
        scores.loc[rows, "diverged_at"] = end
    kept = (table[~(table["seed"].isin(seeds) & (table["step"] > end))] for table in measured)
    return Tables(scores, *kept)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A function that writes every experiment of PrefPoE at scale quick and returns their folder.

    `damaged` makes members diverge or go missing and leaves one arm without any; `imported` adds an
    arm; `empty` leaves every member missing.
    """

    def make(damaged: bool = False, imported: bool = False, empty: bool = False) -> Path:
        folder = tmp_path_factory.mktemp("experiments")
        _, plan = load_paper(PAPER)
        for experiment in plan.planned(SCALE):
            parts = []
            for index, cell in enumerate(plan.cells(SCALE, experiment)):
                rng = np.random.default_rng((len(experiment), index))
                made = members(plan, cell, cell.method, False, rng)
                if empty or (damaged and cell.method == "linear_fusion"):
                    made = lose(made, list(plan.scales[SCALE].seeds), "missing", cell.steps)
                elif damaged and cell.method == "prefpoe":
                    made = lose(made, [0, 42], "diverged", cell.steps)
                    made = lose(made, [77], "failed", cell.steps)
                elif damaged and cell.method == "ppo_matched":
                    made = lose(made, [0, 10, 42, 77], "missing", cell.steps)
                parts.append(made)
                if imported and cell.method == "ppo":
                    parts.append(members(plan, cell, "reference_ppo", True, rng))
            scores, curves, diagnostics = (
                pd.concat(tables, ignore_index=True).astype(columns)
                for tables, columns in zip(
                    zip(*parts, strict=True), (SCORES, CURVES, DIAGNOSED), strict=True
                )
            )
            entry = plan.experiments[experiment]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(analysis.statistics, "BOOTSTRAP_RESAMPLES", 50)
                arms = statistics(scores, entry.baseline, entry.methods, np.random.default_rng(1))
                pairs = contrasts(scores, entry.contrasts, np.random.default_rng(1))
            files = {"scores": scores, "curves": curves, "diagnostics": diagnostics}
            files |= {"statistics": arms, "contrasts": pairs}
            for name, data in files.items():
                write_parquet(data, folder / experiment / f"{name}.parquet")
        return folder

    return make


@pytest.fixture(scope="session")
def complete(build: Build) -> Path:
    """Every member of every cell finished."""
    return build()


@pytest.fixture(scope="session")
def damaged(build: Build) -> Path:
    """Some members lost, one arm empty, one arm imported."""
    return build(damaged=True, imported=True)


@pytest.fixture(scope="session")
def empty(build: Build) -> Path:
    """Nothing trained yet."""
    return build(empty=True)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """A function that draws an artifact from an experiments folder and returns its stem.

    Without a folder to draw into it draws once, below <experiments>/results, and remembers.
    """
    done: dict[tuple[str, Path], Path] = {}

    def run(name: str, experiments: Path, folder: Path | None = None) -> Path:
        if folder is None and (name, experiments) in done:
            return done[name, experiments]
        target = folder or experiments / "results" / SCALE / "prefpoe"
        stem = target / f"{name.partition('_')[0]}s" / name
        options = [
            "--paper",
            PAPER,
            "--scale",
            SCALE,
            "--experiments",
            experiments,
            "--output",
            stem,
        ]
        module = importlib.import_module(f"paper_figures.prefpoe.{name}")
        assert module.main([str(option) for option in options]) == 0
        if folder is None:
            done[name, experiments] = stem
        return stem

    return run


@pytest.fixture
def statistics_of() -> Callable[[Path, str], pd.DataFrame]:
    """A function that reads an experiment's statistics, indexed by environment and method."""

    def read(folder: Path, experiment: str) -> pd.DataFrame:
        table = pd.read_parquet(folder / experiment / "statistics.parquet")
        return table.set_index(["environment", "method"])

    return read
