"""Table A.3: performance on HalfCheetah-v4 across evaluation metrics, "multi-seed" in both meanings of a seed.

The paper calls its ten seeds random initialisations; the release's script evaluates one checkpoint. Ours are ten training
runs, and one checkpoint under the script's evaluation seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from algorithms.records import StudyRecord
from algorithms.settings import METHODS
from analysis.load import STATUSES
from analysis.statistics import coefficient_of_variation, mean, std
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.prefpoe import OTHERS, OWN
from paper_figures.prefpoe.checkpoint import STUDY, populations
from paper_figures.prefpoe.studies import Deployment
from paper_figures.tables import Block

Floats = NDArray[np.float64]

NAME, PLACE, ENVIRONMENT = "table_a_3", "Table A.3", "HalfCheetah-v4"
ARMS = ("prefpoe_released", "prefpoe")
MULTI, SINGLE = "Episode Returns (Multi-seed)", "Episode Returns (Single model)"
VALUE, ACTION = "Value Function Estimates", "Action Values (Mean)"
RANGE, CV, REWARD = "Performance Range", "Coefficient of Variation", "Reward per step (added)"
CLAIMS = {
    MULTI: "table_a_3.multi_seed",
    SINGLE: "table_a_3.single_model",
    VALUE: "table_a_3.value_estimates",
    ACTION: "table_a_3.action",
    RANGE: "table_a_3.multi_seed.range",
    CV: "table_a_3.multi_seed.cv",
}
"""The paper's rows and the claims with their numbers; smallest and largest are claims named after them."""
TRAINING, EVALUATION = "training seeds", "one checkpoint, evaluation seeds"
NOT_TRAINED, NOT_RECORDED = "not trained yet", "not recorded yet"
NUMBERS = ("mean", "std", "min", "max")
COLUMNS = {
    "metric": "object",
    "way": "object",
    "method": "object",
    "label": "object",
    "status": "object",
    "n": "int64",
    **dict.fromkeys(NUMBERS, "float64"),
    **{f"paper_{name}": "object" for name in NUMBERS},
}
"""Columns of the values: a row for each metric, what it is taken over, and arm, with the paper's numbers as printed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table A.3 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    record = request.read_study(STUDY)
    scores = request.read("scores")
    scores = scores[(scores["environment"] == ENVIRONMENT) & ~scores["imported"]]
    rows = [*over_seeds(scores, record), *over_episodes(request, record)]
    said = {metric: printed(request, metric) for metric in (*CLAIMS, REWARD)}
    table = pd.DataFrame([row | said[row["metric"]] for row in rows], columns=list(COLUMNS))
    order = {metric: place for place, metric in enumerate(said)}
    table = table.astype(COLUMNS).sort_values(
        "metric", key=lambda column: column.map(order), kind="stable", ignore_index=True
    )
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    block = Block(f"{PLACE}. {request.title}", (), HEADS, lines(table), 3, notes(request, table))
    tables.write([block], request)


HEADS = ("Metric", "Over", "Arm", "n", "Mean", "Std Dev", "Min", "Max")


def over_seeds(scores: pd.DataFrame, record: StudyRecord | None) -> Iterator[dict[str, Any]]:
    """Rows of the first and the last two metrics: a score a seed, seeds in either meaning."""
    for way in (TRAINING, EVALUATION):
        for method in ARMS:
            if way == TRAINING:
                found = scores.loc[scores["method"] == method, ["score", "status"]]
                x = found["score"].dropna().to_numpy(np.float64)
                status = _counted(found["status"])
            else:
                x, status = _seed_means(record, method), _status(record, method)
            who = {"way": way, "method": method, "label": METHODS[method].label, "status": status}
            yield {"metric": MULTI, **who, **summary(x)}
            spread = float(np.ptp(x)) if len(x) else np.nan
            yield {"metric": RANGE, **who, "n": len(x), "mean": spread}
            yield {"metric": CV, **who, "n": len(x), "mean": coefficient_of_variation(x)}


def _counted(status: pd.Series) -> str:
    """ "8 done, 2 diverged", or that nothing is trained yet."""
    if (status == "missing").all():
        return NOT_TRAINED
    return ", ".join(f"{count} {name}" for name, count in status.value_counts().items())


def _seed_means(record: StudyRecord | None, method: str) -> Floats:
    """Mean return of each evaluation seed."""
    if record is None:
        return np.array([])
    played = _of(record.table("episodes"), method)
    means = played[played["way"] == OTHERS].groupby("evaluation_seed")["return"].mean()
    found: Floats = means.to_numpy(np.float64)
    return found


def _status(record: StudyRecord | None, method: str) -> str:
    """What became of the member that plays."""
    if record is None:
        return NOT_RECORDED
    return str(_of(record.table("members"), method)["status"].iloc[0])


def _of(table: pd.DataFrame, method: str) -> pd.DataFrame:
    return table[(table["environment"] == ENVIRONMENT) & (table["method"] == method)]


def over_episodes(request: Request, record: StudyRecord | None) -> Iterator[dict[str, Any]]:
    """Rows of one trained policy, of every method of the study."""
    for method in request.plan.studies[STUDY].methods:
        status = _status(record, method)
        who = {"method": method, "label": METHODS[method].label, "status": status}
        nothing = summary(np.array([]))
        if record is None:
            played, values = pd.DataFrame(columns=["return", "reward_mean"], dtype=float), nothing
            actions = dict.fromkeys((False, True), nothing)
        else:
            played = _of(record.table("episodes"), method)
            played = played[played["way"] == OWN]
            values = next(_summaries(_of(record.table("values"), method)), nothing)
            pooled = _of(record.table("actions"), method)
            pooled = pooled[pooled["dimension"] < 0]
            actions = {
                applied: next(_summaries(pooled[pooled["applied"] == applied]), nothing)
                for applied in (False, True)
            }
        yield {"metric": SINGLE, "way": "episodes", **who, **summary(played["return"].to_numpy())}
        rewards = summary(played["reward_mean"].to_numpy())
        yield {"metric": REWARD, "way": "episodes", **who, **rewards}
        yield {"metric": VALUE, "way": "steps", **who, **values}
        for applied, found in actions.items():
            way = "actions as applied" if applied else "actions before clipping"
            yield {"metric": ACTION, "way": way, **who, **found}


def _summaries(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in rows.to_dict("records"):
        yield {name: row[name] for name in ("n", *NUMBERS)}


def summary(x: Floats) -> dict[str, Any]:
    """Count, mean, standard deviation (ddof = 1), smallest and largest of x [n]; NaN where not defined."""
    ends = (x.min(), x.max()) if len(x) else (np.nan, np.nan)
    return {"n": len(x), "mean": mean(x), "std": std(x), "min": ends[0], "max": ends[1]}


def printed(request: Request, metric: str) -> dict[str, str | None]:
    """The paper's numbers of a metric, as printed; None where it has none."""
    name = CLAIMS.get(metric)
    if name is None:
        return {f"paper_{number}": None for number in NUMBERS}
    first, _, spread = str(request.claims[name].value).partition("±")
    ends = [request.claims.get(f"{name}.{end}") for end in ("minimum", "maximum")]
    texts = (first, spread or None, *(None if end is None else end.value for end in ends))
    return {f"paper_{number}": text for number, text in zip(NUMBERS, texts, strict=True)}


def lines(table: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """The paper's row of each metric, then ours."""
    found: list[tuple[str, ...]] = []
    for metric, part in table.groupby("metric", sort=False):
        paper = [part[f"paper_{name}"].iloc[0] for name in NUMBERS]
        if any(paper):
            cells = ("" if text is None else str(text).replace("-", style.MINUS) for text in paper)
            found.append((str(metric), "paper", "PrefPoE", "", *cells))
        found += [_line(str(metric), row) for row in part.to_dict("records")]
    return tuple(found)


def _line(metric: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    label = str(row["label"]) + ("†" if _lost(row["status"]) else "")
    who = (metric, str(row["way"]), label, f"{row['n']:,}")
    if not row["n"]:
        return (*who, str(row["status"]), *[style.MISSING] * 3)
    if metric == CV:
        return (*who, style.percent(row["mean"]), "", "", "")
    decimals = (
        3 if metric in (VALUE, ACTION, REWARD) else style.decimals_for(row["std"], row["mean"])
    )
    if metric == RANGE:
        return (
            *who,
            style.number(row["mean"], style.decimals_for(row["mean"] / 10, 0)),
            "",
            "",
            "",
        )
    return (*who, *(style.number(row[name], decimals) for name in NUMBERS))


def notes(request: Request, table: pd.DataFrame) -> tuple[str, ...]:
    """What the rows mean, and which arms lack data."""
    settings = request.study_settings(STUDY, Deployment)
    said = [
        f"{request.scale_words}.",
        f"{TRAINING}: a run of its own for each of {request.seeds} seeds, its score the mean of "
        f"{request.plan.scale_of(request.scale, request.experiment).evaluation_episodes} episodes. "
        f"{EVALUATION}: the policy of training seed {settings.seed} alone, its score for each of "
        f"{len(settings.evaluation_seeds)} evaluation seeds the mean of {settings.episodes_per_seed} episodes; the spread says how much "
        "one policy's score varies with the environment's first states, nothing about training. "
        f"{populations(request)}",
        f"Single model, value estimates, actions: the policy of training seed {settings.seed}, "
        f"{settings.episodes} episodes, deterministic, observation statistics frozen. Value estimates are in units "
        "of the normalised reward. Actions are of all dimensions together; applied: clipped to the bounds. "
        "Standard deviations have ddof = 1. PPO's rows are ours.",
    ]
    lost = table[table["metric"].isin((MULTI, SINGLE)) & table["status"].map(_lost)]
    words = [f"{row['label']}, {row['way']}: {row['status']}" for row in lost.to_dict("records")]
    if words:
        said.append(f"† Without data, or with less than planned. {'; '.join(words)}.")
    return tuple(said)


def _lost(status: str) -> bool:
    """Whether something is missing that was planned."""
    return any(word in status for word in ("not", *STATUSES[1:]))


if __name__ == "__main__":
    sys.exit(main())
