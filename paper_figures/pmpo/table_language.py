"""What arms of the language study are like before training, where they score best and where they end; and what they say."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pandas as pd

from algorithms.records import StudyRecord
from algorithms.settings import METHODS
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.pmpo.language_panels import STUDY, explained, method_arm
from paper_figures.pmpo.studies import Language
from paper_figures.tables import Block

NAME = "table_language"
MEASURES = {
    "reward": "Reward",
    "score": "Independent score",
    "wins": "Wins",
    "kl_base": "KL to the base model",
    "length": "Tokens",
    "distinct": "Distinct words",
}
WHEN = ("start", "best", "end")
COLUMNS = ("method", "when", "step", "n", *MEASURES, *(f"{name}_std" for name in MEASURES))


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table: its values are means over seeds, its csv has the answers."""
    record, settings = request.read_study(STUDY), request.study_settings(STUDY, Language)
    table = values(record, settings)
    said = answers(record, table, settings)
    artifact.write_values(table, request.output)
    artifact.write_csv(said, request.output)
    tables.write([numbers(table, settings, request), spoken(said)], request)


def values(record: StudyRecord | None, settings: Language) -> pd.DataFrame:
    """Means and standard deviations (ddof 1) over seeds at three evaluations of each planned arm. Columns: COLUMNS.

    `best` is where the mean independent score is highest, of equal ones the first; without a judge, the reward.
    """
    rows = []
    evaluated = pd.DataFrame() if record is None else record.table("evaluations")
    for method in settings.arms if len(evaluated) else ():
        own = of_arm(evaluated, method, settings)
        seeds = own.groupby("step")
        mean, spread, n = (
            getattr(seeds[list(MEASURES)], name)() for name in ("mean", "std", "count")
        )
        judged = mean["score"] if settings.judge is not None else mean["reward"]
        for when, step in zip(WHEN, (mean.index[0], judged.idxmax(), mean.index[-1]), strict=True):
            spreads = {f"{name}_std": spread.loc[step, name] for name in MEASURES}
            about = {"method": method, "when": when, "step": step, "n": n.loc[step, "reward"]}
            rows.append({**about, **mean.loc[step].to_dict(), **spreads})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def of_arm(rows: pd.DataFrame, method: str, settings: Language) -> pd.DataFrame:
    """The rows of a method as it is planned apart from the sweep."""
    named = [method_arm(settings, *who) for who in zip(rows["method"], rows["beta"], strict=True)]
    return rows[(rows["method"] == method) & pd.notna(named)]


def answers(record: StudyRecord | None, table: pd.DataFrame, settings: Language) -> pd.DataFrame:
    """What the first seed of each arm answers the first held-out prompt at the same evaluations."""
    rows = []
    kept = pd.DataFrame() if record is None else record.table("examples")
    for method, when, step in table[["method", "when", "step"]].itertuples(index=False):
        own = of_arm(kept, method, settings)
        own = own[(own["seed"] == settings.seeds[0]) & (own["step"] == step)]
        rows += [{"when": when, **row} for row in own.head(1).to_dict("records")]
    return pd.DataFrame(
        rows, columns=["method", "when", "step", "prompt", "answer", "reward", "score"]
    )


def numbers(table: pd.DataFrame, settings: Language, request: Request) -> Block:
    """The measures, mean ± standard deviation over seeds."""
    heads = ("Method", "When", "Learner step", *MEASURES.values())
    rows = tuple(
        (
            METHODS[row["method"]].label,
            row["when"],
            f"{row['step']}" + (f" (n = {row['n']})" if row["n"] < len(settings.seeds) else ""),
            *(style.mean_and_std(row[name], row[f"{name}_std"]) for name in MEASURES),
        )
        for row in table.to_dict("records")
    )
    notes = (
        f"{request.scale_words}, n = {len(settings.seeds)} seeds. {explained(settings)} Answers to held-out prompts before training, "
        "where the mean independent score is highest (which flatters it), and at the end. Wins: share of answers that score above "
        "the base model's, ties counting half. KL(policy ‖ base) of an answer in nats. Distinct: share of an answer's "
        "words that it has not said before.",
        *(() if len(table) else ("The study is not recorded yet.",)),
    )
    return Block(request.title, (), heads, rows, 3, notes)


def spoken(said: pd.DataFrame) -> Block:
    """The answers, word by word."""
    rows = tuple(
        (
            METHODS[row["method"]].label,
            str(row["step"]),
            row["answer"] or style.MISSING,
            style.number(row["reward"], 0),
            style.number(row["score"], 2),
        )
        for row in said.to_dict("records")
    )
    asked = f"The prompt: “{said['prompt'].iloc[0]}”. " if len(said) else ""
    heads = ("Method", "Learner step", "Answer", "Reward", "Independent score")
    return Block(
        "What the first seed answers", (), heads, rows, 3, (f"{asked}One sampled answer each.",)
    )


if __name__ == "__main__":
    sys.exit(main())
