"""Failure signatures: which arms diverge, collapse, drift apart, grow too wide, or break the bound on the fused variance.

Not in the paper; what counts as a signature, and why, stands in `signatures.py`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from algorithms.settings import METHODS, PrefPoE
from analysis.load import STATUSES, TAIL
from analysis.statistics import mean
from envs.registry import ENVIRONMENTS
from paper_figures import artifact, style, tables, traces
from paper_figures.artifact import Request
from paper_figures.curves import Floats
from paper_figures.prefpoe.hyperparameters import settings_of
from paper_figures.prefpoe.signatures import (
    FAR,
    IMMEDIATELY,
    NEAR_ZERO,
    ROUNDING,
    WIDE,
    clamped_within,
    outside_when_wide,
    widest_trace,
)
from paper_figures.tables import Block
from paper_figures.traces import Quantity

NAME = "table_failures"

DIFFERENCE = Quantity("main_difference", per=("main_mean_norm",))
TRACE = Quantity("fused_trace")
EXCESS = Quantity("trace_excess", per=("main_trace", "preference_trace"))
MEMBER = {
    "environment": "object",
    "method": "object",
    "label": "object",
    "seed": "int64",
    "status": "object",
    "diverged_at": "float64",
    "bins": "int64",
    "wide": "float64",
    "early_bins": "float64",
    "early_near_zero": "float64",
    "near_zero": "float64",
    "difference_final": "float64",
    "difference_peak": "float64",
    "difference_peak_step": "float64",
    "exceeded": "float64",
}
"""Columns of `per_member`; those that count bins, and differences, are NaN where they mean nothing."""
COUNTS = ("bins", "wide", "early_bins", "early_near_zero", "near_zero", "exceeded")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files: arms in parquet, members in csv."""
    members = pd.concat(
        [_on(request, name) for name in request.steps] or [pd.DataFrame(columns=list(MEMBER))],
        ignore_index=True,
    ).astype(MEMBER)
    table = values(members)
    artifact.write_values(table, request.output)
    artifact.write_csv(members, request.output)
    blocks = [block(table, request)]
    tables.write(blocks, request)


def arms(request: Request) -> list[str]:
    """The methods of the experiment that have a preference expert."""
    planned = request.plan.experiments[request.experiment].methods
    return [name for name in planned if isinstance(METHODS[name].settings, PrefPoE)]


def _on(request: Request, environment: str) -> pd.DataFrame:
    known = traces.read(request, environment, arms(request))
    labels = dict(zip(known.statistics["method"], known.statistics["label"], strict=True))
    table = per_member(known.scores, known.traces, request.steps[environment])
    return table.assign(label=table["method"].map(labels))


def per_member(scores: pd.DataFrame, diagnostics: pd.DataFrame, steps: int) -> pd.DataFrame:
    """What each member shows of every signature; columns of `MEMBER` without the label.

    `bins` counts its bins of updates while it learned, `wide` those in which the trace of the acting policy's
    covariance (tr Σ_fused, or tr Σ_main without fusion) is above `widest_trace`, `early_bins` those in the first `IMMEDIATELY`, `early_near_zero` and `near_zero`
    those with a preference entropy below `NEAR_ZERO`, `exceeded` those with a trace over the bound.
    """
    rows = []
    for member in scores.to_dict("records"):
        method, seed = member["method"], member["seed"]
        arm = diagnostics[diagnostics["method"] == method]
        own = arm[arm["seed"] == seed].sort_values("step")
        who = {key: member[key] for key in ("environment", "method", "seed", "status")}
        ended = {"diverged_at": member["diverged_at"], "bins": len(own)}
        signs = _signs(member["environment"], method, own, steps) if len(own) else {}
        rows.append({**who, **ended, **signs})
    return pd.DataFrame(rows, columns=[name for name in MEMBER if name != "label"])


def _signs(environment: str, method: str, own: pd.DataFrame, steps: int) -> dict[str, float]:
    """The signatures of one member that has diagnostics; only those that mean something for its method."""
    settings = settings_of(method)
    signs: dict[str, float] = {}
    trace = TRACE.of(own).to_numpy()
    if not np.isnan(trace).all() and not clamped_within(environment, settings):
        signs |= {"wide": float((trace > widest_trace(environment)).sum())}
    step = own["step"].to_numpy()
    if settings.preference_coefficient or settings.consistency_coefficient:
        low = own["preference_entropy"].to_numpy() < NEAR_ZERO.value
        early = step <= IMMEDIATELY.value * steps
        signs |= {"early_bins": early.sum(), "early_near_zero": low[early].sum()}
        signs |= {"near_zero": low.sum()}
    if settings.fusion != "none":
        signs |= _differences(DIFFERENCE.of(own).to_numpy(), step, steps)
    excess = EXCESS.of(own).to_numpy()
    if settings.fusion == "product" and np.isfinite(excess).any():
        signs |= {"exceeded": float((excess > ROUNDING.value).sum())}
    return signs


def _differences(difference: Floats, step: Any, steps: int) -> dict[str, float]:
    """Final (mean over the last `TAIL` of the steps) and largest difference, and the step of the latter."""
    known = np.isfinite(difference)
    if not known.any():
        return {}
    peak = int(np.nanargmax(np.where(known, difference, -np.inf)))
    return {
        "difference_final": mean(difference[known & (step > (1 - TAIL) * steps)]),
        "difference_peak": float(difference[peak]),
        "difference_peak_step": float(step[peak]),
    }


def values(members: pd.DataFrame) -> pd.DataFrame:
    """One row for each environment and arm.

    Columns: environment, method, label, planned, those of STATUSES (members of each), the first and the
    last step at which one diverged, observed (members with diagnostics), sums of the counts of bins, the means over members of the final and the largest
    difference with how many members are above `FAR` (final_far, peak_far), and the median step of the largest.
    """
    rows = []
    for who, arm in members.groupby(["environment", "method", "label"], sort=False):
        row: dict[str, Any] = dict(zip(("environment", "method", "label"), who, strict=True))
        row |= {"planned": len(arm)}
        row |= {status: int((arm["status"] == status).sum()) for status in STATUSES}
        ends = arm["diverged_at"]
        row |= {"diverged_first": ends.min(), "diverged_last": ends.max()}
        row |= {"observed": int((arm["bins"] > 0).sum())}
        row |= {name: arm[name].sum(min_count=1) for name in COUNTS}
        for name in ("final", "peak"):
            x = arm[f"difference_{name}"].dropna().to_numpy(np.float64)
            row |= {f"difference_{name}": mean(x), f"{name}_far": float((x > FAR.value).sum())}
            row |= {f"{name}_members": len(x)}
        peaks = arm["difference_peak_step"].dropna()
        row |= {"difference_peak_step": peaks.median() if len(peaks) else math.nan}
        rows.append(row)
    return pd.DataFrame(rows)


def block(table: pd.DataFrame, request: Request) -> Block:
    """The arms, with every threshold and its source below."""
    rows = [
        (
            arm["environment"],
            arm["label"],
            _members(arm),
            f"{arm['bins']}",
            _share(arm["wide"], arm["bins"]),
            _share(arm["early_near_zero"], arm["early_bins"]),
            _share(arm["near_zero"], arm["bins"]),
            _difference(arm, "final"),
            _difference(arm, "peak") + _when(arm),
            _share(arm["exceeded"], arm["bins"]),
        )
        for arm in table.to_dict("records")
    ]
    heads = (
        "Environment",
        "Arm",
        "members",
        "bins",
        "wider than range",
        "entropy near zero, early",
    )
    more = ("entropy near zero", "means apart, final", "means apart, peak", "bound exceeded")
    return Block(request.title, (), (*heads, *more), tuple(rows), 2, notes(request))


def _members(arm: dict[str, Any]) -> str:
    """ "3 done, 2 diverged (at 4,096 to 10,240)"."""
    words = {status: f"{arm[status]} {status}" for status in STATUSES if arm[status]}
    if "diverged" in words:
        first, last = (f"{arm[f'diverged_{end}']:,.0f}" for end in ("first", "last"))
        words["diverged"] += f" (at {first})" if first == last else f" (at {first} to {last})"
    return ", ".join(words.values())


def _share(count: float, bins: float) -> str:
    """ "2.5%" of the bins; a dash where there are none, or where the signature means nothing."""
    return style.percent(100 * count / bins) if bins and math.isfinite(count) else style.MISSING


def _difference(arm: dict[str, Any], name: str) -> str:
    """ "8.6% (0 of 5)": the mean over members, and how many are above `FAR`."""
    n = arm[f"{name}_members"]
    if not n:
        return style.MISSING
    return f"{style.percent(100 * arm[f'difference_{name}'])} ({arm[f'{name}_far']:.0f} of {n})"


def _when(arm: dict[str, Any]) -> str:
    step = arm["difference_peak_step"]
    return f" at {step:,.0f}" if math.isfinite(step) else ""


def notes(request: Request) -> tuple[str, ...]:
    """What a row counts, and every threshold with its source."""
    sizes = {ENVIRONMENTS[name].action.size for name in request.steps}
    limits = ", ".join(f"{widest_trace(name):g} on {name}" for name in request.steps)
    spread = ", ".join(f"{_std_at(NEAR_ZERO.value, size):.2f}" for size in sorted(sizes))
    return (
        f"{request.scale_words}. Most signatures are those that a third-party summary of the paper lists; the paper has none. "
        "bins: bins of updates that ended before their member diverged, all members together; percentages are of these, and a "
        "diagnostic is averaged in each. A dash: nothing recorded yet, or it means nothing for the arm (no fusion, no "
        "product, a preference expert that nothing trains, or a clamp that rules it out).",
        "diverged: a loss or gradient was not finite, and the member stopped learning. The bin in which that "
        "happened is not among its bins.",
        "wider than range: the trace of the covariance of the policy that acts (the fused one, or the main one without fusion), averaged over "
        f"the states and updates of a bin, is above {WIDE.value:g} {WIDE.source}; here {limits}. With such a deviation in each dimension at least "
        f"{style.percent(100 * outside_when_wide())} of its actions lie outside the range, wherever its mean is. A dash for an arm whose clamp on "
        "the fused deviation keeps it within.",
        f"entropy near zero: preference entropy below {NEAR_ZERO.value:g} {NEAR_ZERO.source}. It is the entropy of a Gaussian with "
        f"standard deviation {spread} in every action dimension. early: in the first {IMMEDIATELY.value:g} {IMMEDIATELY.source}.",
        "means apart: the norm of fused mean minus main mean over the norm of the main mean, a ratio of averages in a bin; mean over members, and "
        f"in brackets the members above {FAR.value:g} {FAR.source}. final: the last {100 * TAIL:g} % of the steps; peak: the largest bin of "
        "a member, at the median of its steps. Main means start near 0, so that an early peak says little.",
        "bound exceeded: the largest excess of the fused trace over the smaller expert's (the paper's bound after Eq. 5) in a "
        f"minibatch, averaged over a bin, is above {ROUNDING.value:g} {ROUNDING.source}. An average below it does not rule out a "
        "single state above it.",
    )


def _std_at(entropy: float, size: int) -> float:
    """The standard deviation at which a Gaussian, alike in `size` dimensions, has `entropy` (nats)."""
    return math.exp(entropy / size) / math.sqrt(2 * math.pi * math.e)


if __name__ == "__main__":
    sys.exit(main())
