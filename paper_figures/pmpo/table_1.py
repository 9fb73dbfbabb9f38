"""Table 1 on a PROXY: mixtures of losses on data of our own, the paper's numbers beside them as context, never compared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from algorithms.offline.settings import ADVANTAGE
from algorithms.records import StudyRecord
from analysis.claims import Claim
from analysis.statistics import holm, mean_interval, paired_t, std
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.pmpo.studies import Offline
from paper_figures.tables import Block

NAME, STUDY, PLACE = "table_1", "offline", "Table 1"
PRINTED = {
    "bc": "BC",
    "accept_bc": "Accept+BC",
    "accept": "Accept",
    "reject_bc": "Reject+BC",
    "accept_reject_bc": "Accept+Reject+BC",
}
"""Our arms as the paper calls its columns, in its order."""
BASE = "bc"
COLUMNS = (
    *("arm", "label", "alpha", "beta", "paper_reward", "planned", "n", "mean", "std"),
    *("difference", "difference_low", "difference_high", "p", "p_holm", "halfway"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table; its csv has the score of every run."""
    record, settings = request.read_study(STUDY), request.study_settings(STUDY, Offline)
    scored = scores(record, settings)
    table = values(scored, settings, printed(request.claims.values()))
    artifact.write_values(table, request.output)
    artifact.write_csv(scored, request.output)
    blocks = [mixtures(table, settings, request), data(record, settings)]
    tables.write(blocks, request)


def printed(claims: Iterable[Claim]) -> dict[str, str]:
    """What the paper prints for each mixture, by the name of its column."""
    found = [claim for claim in claims if claim.place == PLACE and claim.kind == "mean"]
    return {str(claim.method): str(claim.value) for claim in found}


def scores(record: StudyRecord | None, settings: Offline) -> pd.DataFrame:
    """Each run's return, NaN unless it is done. Columns: arm, seed, status, halfway, score: the middle and the last evaluation."""
    if record is None:
        return pd.DataFrame(columns=["arm", "seed", "status", "halfway", "score"])
    runs, who = record.table("runs")[["arm", "seed", "status"]], ["arm", "seed"]
    evaluated = record.table("evaluations")
    for name, step in (("halfway", settings.updates // 2), ("score", settings.updates)):
        then = evaluated.loc[evaluated["step"] == step, [*who, "return_mean"]]
        runs = runs.merge(then.rename(columns={"return_mean": name}), on=who, how="left")
    return runs


def values(scored: pd.DataFrame, settings: Offline, paper: Mapping[str, str]) -> pd.DataFrame:
    """Means over seeds of each arm, and its difference from BC, seed by seed. Columns: COLUMNS."""
    by_seed = scored.set_index(["seed", "arm"])["score"].unstack()
    halfway = scored.groupby("arm")["halfway"].mean()
    rows = []
    for name, arm in settings.arms.items() if len(scored) else ():
        own, label = by_seed[name].dropna().to_numpy(np.float64), PRINTED.get(name, name)
        row = {"arm": name, "label": label, "alpha": arm.alpha, "beta": arm.beta}
        row |= {"paper_reward": paper.get(label), "planned": len(settings.seeds), "n": len(own)}
        row |= {"mean": own.mean() if len(own) else np.nan, "std": std(own)}
        if BASE in settings.arms and name != BASE:
            row |= against_base(by_seed[[name, BASE]].dropna().to_numpy(np.float64))
        rows.append(row | {"halfway": halfway[name]})
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS[7:], "float64"))
    return table.assign(p_holm=holm(table["p"].to_numpy(np.float64)))


def against_base(pairs: NDArray[np.float64]) -> dict[str, float]:
    """Of scores [seeds, 2], the second of them BC's: the mean difference, its 95 % interval and the paired t-test's p."""
    gaps = pairs[:, 0] - pairs[:, 1]
    low, high = mean_interval(gaps)
    difference = gaps.mean() if len(gaps) else np.nan
    p = paired_t(pairs[:, 0], pairs[:, 1]).p
    return {"difference": difference, "difference_low": low, "difference_high": high, "p": p}


def mixtures(table: pd.DataFrame, settings: Offline, request: Request) -> Block:
    """The paper's columns as rows: what it prints on its task, then ours on the proxy."""
    spans = (("", 3), ("the paper, RGB stacking", 1), ("ours, PROXY: another task, other data", 4))
    paper, ours = ("Losses", "α", "β", "reward"), ("return", "return halfway")
    rows = []
    for row in table.to_dict("records"):
        decimals = style.decimals_for(row["std"], row["mean"])
        low, high = row["difference_low"], row["difference_high"]
        lost = f" (n = {row['n']} of {row['planned']})" if row["n"] < row["planned"] else ""
        rows.append(
            (
                row["label"],
                style.MISSING if pd.isna(row["alpha"]) else f"{row['alpha']:g}",
                f"{row['beta']:g}",
                row["paper_reward"] or style.MISSING,
                style.mean_and_std(row["mean"], row["std"]) + lost,
                style.number(row["halfway"], decimals),
                style.interval(row["difference"], low, high, decimals),
                tables.with_holm(row["p"], row["p_holm"]),
            )
        )
    heads = (*paper, *ours, "return − BC's", "paired t, p (Holm)")
    title = f"{PLACE}, PROXY. {request.title}"
    return Block(title, spans, heads, tuple(rows), 1, notes(table, settings, request))


def notes(table: pd.DataFrame, settings: Offline, request: Request) -> tuple[str, ...]:
    """What is compared, and that it answers nothing of the paper's."""
    first = (
        settings.labelled
        if settings.episodes is None
        else f"{settings.labelled} of {settings.episodes}"
    )
    labelled = (
        "the sign of the advantage"
        if settings.labels == ADVANTAGE
        else f"{settings.labels!r} in the data"
    )
    return (
        "PROXY: the paper's 140,000 episodes of RGB stacking are not public, so nothing here answers its claims. Its column is "
        f"printed as context: another task, another unit. Scale {request.scale}, of this study alone; not a replication.",
        f"{source(settings)} The first {first} episodes are labelled by {labelled}; the value function and BC (the KL term, estimated from "
        "samples) take all of them, accepted and rejected terms the first part. "
        f"Ours: return of {settings.evaluated} episodes of {settings.world.horizon} steps of the mean action after {settings.updates:,} "
        f"updates, mean ± standard deviation (ddof = 1) over n = {len(settings.seeds)} seeds; halfway: after half of them. Differences are "
        "seed by seed, with Student's 95 % interval; Holm's family is the comparisons with BC.",
        *(() if len(table) else ("The study is not recorded yet.",)),
    )


def source(settings: Offline) -> str:
    """Whose data they are."""
    if settings.dataset is not None:
        return (
            f"Data of {settings.environment} from the settings' data set, the same for every seed."
        )
    return (
        f"Data of {settings.environment}, collected anew for every seed by four scripted controllers of mixed quality, a fourth of the "
        "episodes each: skilled ones, weak and noisy ones, ones that go astray (to the point opposite the target) and random ones."
    )


def data(record: StudyRecord | None, settings: Offline) -> Block:
    """The data: what each behaviour is paid, and how many of its labelled steps are accepted; means over seeds."""
    heads = (
        "Behaviour",
        "episodes",
        "steps an episode",
        "return of an episode",
        "labelled episodes",
        "accepted steps",
    )
    rows: list[tuple[str, ...]] = []
    explained = ""
    if record is not None:
        table = record.table("behaviours")
        for name, own in table.groupby("behaviour", sort=False):
            mean = own.drop(columns="behaviour").mean()
            share = 100 * own["accepted_steps"].sum() / max(own["labelled_steps"].sum(), 1)
            rows.append(
                (
                    str(name),
                    f"{mean['episodes']:g}",
                    f"{mean['steps'] / mean['episodes']:.0f}",
                    style.mean_and_std(mean["return_mean"], own["return_mean"].std()),
                    f"{mean['labelled_episodes']:g}",
                    style.percent(share),
                )
            )
        last = record.table("values").groupby("seed")["explained"].last()
        if len(last):
            explained = f" V explains {style.number(100 * last.mean(), 0)} % of the variance of λ-returns in its last round."
    note = f"Means over seeds; of labelled steps, the share that is accepted.{explained}"
    return Block("The data, by what made them", (), heads, tuple(sorted(rows)), 1, (note,))


if __name__ == "__main__":
    sys.exit(main())
