"""Figures 5 and 9: one run's learning curve, and its action values and policy at a starting state over training.

Action values are the smaller of both critics at each action; densities are averages over bins of actions, from the exact
probability of each bin, so that a policy that saturates tanh neither overflows nor slips between the points of a grid.
Shapes: K times, B bins, N components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray
from scipy import signal, stats

from algorithms.cell import Shard
from algorithms.methods import sac
from algorithms.networks import Parameters
from algorithms.policies import Mixture
from algorithms.records import Record
from algorithms.settings import METHODS, SAC
from analysis.load import find_record, snapshots
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.curves import where

Floats = NDArray[np.float64]
BINS = 200
EDGES: Floats = np.linspace(-1, 1, BINS + 1)
CENTRES: Floats = (EDGES[1:] + EDGES[:-1]) / 2
RISE = 0.05
"""How far, in units of density, a mode rises above the valleys beside it; a uniform density is 0.5 throughout."""
_CAR, _HANGING = (-0.5, 0.0), (-1.0, 0.0, 0.0)
START = {
    "ShapedMountainCar": _CAR,
    "MountainCar": _CAR,
    "ShapedPendulum": _HANGING,
    "Pendulum": _HANGING,
}
"""Observations of starting states, in the order of the panels: the middle of MountainCar's start, a pendulum that hangs."""
QUANTITIES = {"value": "Q(s, a)", "density": "π(a | s)"}
HEIGHTS = (1.5, 1.0, 1.0)
"""Of a learning curve, and of the rows of action values and densities below it."""
COLUMNS = ["environment", "seed", "step", "action", "value", "density"]


@dataclass(frozen=True)
class Layout:
    """A figure of this kind: one method."""

    name: str
    method: str


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, pdf and png."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure: in parquet what every panel shows, for all seeds; in csv how many modes."""
    values = read(layout, request)
    artifact.write_values(values, request.output)
    counted = modes(values)
    artifact.write_csv(counted, request.output)
    environments = shown(request)
    with style.figure(2.15 * len(environments) + 0.6, style.PAGE) as drawing:
        ratios = HEIGHTS * len(environments)
        times = runs_of(layout, environments[0], request)[0].cell.snapshot_boundaries
        grid = drawing.add_gridspec(len(ratios), len(times), height_ratios=ratios)
        for number, environment in enumerate(environments):
            own = values[values["environment"] == environment]
            draw_run(drawing, grid, number, environment, layout, own, request)
        style.legend_below(drawing, [], [], note(layout, counted, request))
        style.save(drawing, request.output)


def shown(request: Request) -> list[str]:
    """The environments that the scale has, in the order of the panels."""
    return [name for name in START if name in request.steps]


def runs_of(layout: Layout, environment: str, request: Request) -> list[Shard]:
    """The shards of the method on an environment."""
    return [
        shard
        for shard in request.plan.shards(request.scale, request.experiment)
        if (shard.cell.method, shard.cell.environment) == (layout.method, environment)
    ]


# Values


def read(layout: Layout, request: Request) -> pd.DataFrame:
    """Action values and densities of every run of the method at every snapshot; columns are COLUMNS."""
    parts = [
        at_start(shard, record, START[environment])
        for environment in shown(request)
        for shard in runs_of(layout, environment, request)
        if (record := find_record(shard, request.records)) is not None
    ]
    kinds = dict(zip(COLUMNS, ("object", "int64", "int64", *["float64"] * 3), strict=True))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return found.astype(kinds)


def at_start(shard: Shard, record: Record, start: Sequence[float]) -> pd.DataFrame:
    """The part of a shard, seen from the observation `start`."""
    steps, arrays = snapshots(record)
    settings = shard.cell.settings
    if not isinstance(settings, SAC):
        raise TypeError(f"{shard.cell.method} has no actor of SAC")
    parts = []
    for index, member in enumerate(shard.members):
        for number, step in enumerate(steps):
            parameters = {
                name: torch.from_numpy(array[number, index]).double()
                for name, array in arrays.items()
            }
            value, density = seen_from(parameters, start, settings)
            about = {"environment": shard.cell.environment, "seed": member.seed, "step": step}
            found = {"action": CENTRES, "value": value, "density": density}
            parts.append(pd.DataFrame({**about, **found}))
    return pd.concat(parts, ignore_index=True)


def seen_from(
    parameters: Parameters, start: Sequence[float], settings: SAC
) -> tuple[Floats, Floats]:
    """Action values at CENTRES and densities in the bins of EDGES, in the policy's units of action: [B] each."""
    observation = torch.tensor(start, dtype=torch.float64)
    actions = torch.from_numpy(CENTRES).unsqueeze(-1)
    value = sac.value(parameters, observation.expand(BINS, -1), actions, settings)
    policy = sac.act(parameters, observation, {}, settings)
    return value.numpy(), density(policy)


def density(policy: Mixture) -> Floats:
    """The mean density of a squashed normal mixture over one action dimension in each bin of EDGES: [B]."""
    weight = policy.log_weights.exp().numpy()
    location, scale = policy.location[:, 0].numpy(), policy.scale[:, 0].numpy()
    with np.errstate(divide="ignore"):
        ends = np.arctanh(EDGES)
    below = stats.norm.cdf(ends[:, None], location, scale) @ weight
    mass: Floats = np.diff(below)
    return mass / np.diff(EDGES)


def modes(values: pd.DataFrame) -> pd.DataFrame:
    """How many modes every density has. Columns: environment, seed, step, modes."""
    rows = [
        (*who, count_modes(own["density"].to_numpy()))
        for who, own in values.groupby(["environment", "seed", "step"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["environment", "seed", "step", "modes"])


def count_modes(density: Floats) -> int:
    """Modes of binned densities [B] that rise by RISE above the valleys beside them, those at the ends too."""
    peaks, _ = signal.find_peaks(np.pad(density, 1), prominence=RISE)
    return len(peaks)


# Drawing


def draw_run(
    drawing: Figure,
    grid: GridSpec,
    number: int,
    environment: str,
    layout: Layout,
    values: pd.DataFrame,
    request: Request,
) -> None:
    """Environment `number`: the learning curve of the first seed above its action values and densities."""
    shard = runs_of(layout, environment, request)[0]
    seed = shard.members[0].seed
    own = values[values["seed"] == seed]
    first = number * len(HEIGHTS)
    top = drawing.add_subplot(grid[first, :])
    unit = curves.step_axis(top, shard.cell.steps)
    run = where(request.read("curves"), environment=environment, seed=seed, method=layout.method)
    look = style.METHODS[layout.method]
    top.plot(run["step"] / unit, run["return_mean"], color=look.colour, ls=look.dashes)
    top.set_ylabel("training return", labelpad=2)
    style.panel_title(top, ascii_lowercase[number], environment, f"{request.scale}, n = 1")
    if run.empty:
        style.centre_note(top, style.NO_RECORDS)
    for column in range(grid.ncols):
        below = [drawing.add_subplot(grid[first + row, column]) for row in (1, 2)]
        draw_column(below, column, own, look.colour, unit)


def draw_column(
    panels: Sequence[Axes], column: int, values: pd.DataFrame, colour: str, unit: float
) -> None:
    """Action values and density at the snapshot number `column`; empty panels where there is none."""
    steps = sorted(set(values["step"]))
    step = steps[column] if steps else None
    at = values[values["step"] == step]
    for axes, (name, label) in zip(panels, QUANTITIES.items(), strict=True):
        snapshot(axes, at, name, colour)
        if column == 0:
            axes.set_ylabel(label, labelpad=2)
    panels[0].set_title("" if step is None else f"{step / unit:g}", fontsize=style.SMALL, pad=2)
    panels[1].set_xlabel("action" if column == 0 else "", labelpad=1)


def snapshot(axes: Axes, at: pd.DataFrame, name: str, colour: str) -> None:
    """One small panel; each has its own scale, without ticks, as in the paper."""
    if name == "density":
        axes.fill_between(at["action"], at[name], color=colour, alpha=0.3, lw=0)
        axes.set_ylim(bottom=0)
    axes.plot(at["action"], at[name], color=colour, lw=0.8)
    axes.set_xlim(-1.05, 1.05)
    axes.set(xticks=[-1, 1], yticks=[])
    axes.tick_params(labelsize=style.SMALL - 1, length=2, pad=1.5)
    axes.set_xticklabels([f"{style.MINUS}1", "1"] if name == "density" else [])


def note(layout: Layout, counted: pd.DataFrame, request: Request) -> str:
    """How to read the figure, and how many densities of all seeds have several modes."""
    told = [
        f"{environment} {(own['modes'] > 1).sum()} of {len(own)}"
        for environment, own in counted.groupby("environment", sort=False)
    ]
    several = (
        f" Densities with more than one mode, all times and seeds: {', '.join(told)}."
        if told
        else ""
    )
    return (
        f"{request.scale_words}. {METHODS[layout.method].label} with the best setting of the sweep; the first of the seeds. Below each curve, at so "
        "many thousand steps: the smaller of both critics' action values, and the policy's density, at a state in the middle of the "
        f"starting ones; scales of their own.{several}"
    )
