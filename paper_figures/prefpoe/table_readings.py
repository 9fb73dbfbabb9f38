"""Readings of PrefPoE's gradients and of A_norm: returns, and the state that training ends in, beside the release's.

The paper leaves open whether the gradient of L_cons reaches the main head, whether that of L_pref reaches the encoder, and
where advantages are normalised. The released checkpoint's log-stds are the end of a training run by one of the eight
readings (or of some other procedure), so the end that each reading comes to is a witness of which one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.claims import load_claims
from analysis.effects import levels
from analysis.statistics import mean, std
from paper_figures import artifact, style, sweeps, tables
from paper_figures.artifact import Request
from paper_figures.prefpoe.equilibrium import entropy_pull, resting_share
from paper_figures.prefpoe.hyperparameters import settings_of
from paper_figures.prefpoe.released import README, SOURCE, deviations, gaussian_entropy
from paper_figures.tables import Block

NAME = "table_readings"
ENVIRONMENT, METHOD = "HalfCheetah-v4", "prefpoe_released"
MAIN_LOG_STD = (-1.504095, -1.988346, -1.096144, -2.038998, -1.542135, -1.162484)
PREFERENCE_LOG_STD = (0.695320, 0.695035, 0.695417, 0.696134, 0.694852, 0.695145)
"""The released checkpoint's free log-stds by action dimension, `actor_logstd` and `preference_logstd` of `SOURCE`."""
PAPER_RETURNS = {"Table 1": "table_1.half_cheetah.prefpoe", "Table A.3": "table_a_3.multi_seed"}
PAPER_ENTROPIES = {
    "preference_entropy": "appendix_b_1.pref_entropy.late",
    "fused_entropy": "appendix_b_1.fused_entropy",
}
"""The claims that stand in the paper's row, returns by where they are printed."""
FACTORS: dict[str, dict[Any, str]] = {
    "detach_fused": {False: "reaches", True: "stopped"},
    "detach_encoder": {False: "reaches", True: "stopped"},
    "advantage_normalization": {"minibatch": "minibatch", "batch": "batch"},
}
"""The readings' factors and how their levels are printed."""
DIAGNOSTICS = {
    "main_entropy": "main_entropy",
    "preference_entropy": "preference_entropy",
    "entropy": "fused_entropy",
    "preference_share": "share",
}
"""Diagnostics of training, and what they are called here."""
STATE = {
    "preference_std": "std, preference",
    "main_std": "std, main",
    "preference_entropy": "entropy, preference",
    "main_entropy": "entropy, main",
    "fused_entropy": "entropy, fused",
    "share": "preference share, %",
    "distance": "distance",
}
"""The quantities of an end state, and how they are headed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    arms = sweeps.trained(request, "statistics", ENVIRONMENT)
    scores = sweeps.trained(request, "scores", ENVIRONMENT)
    ends = end_states(sweeps.trained(request, "diagnostics", ENVIRONMENT), scores)
    table = values(arms, ends, references(request))
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    blocks = [block(table, request)]
    tables.write(blocks, request)


def checkpoint_state() -> dict[str, float]:
    """The quantities of `STATE` in the released checkpoint; its σ do not depend on the state, so they are exact."""
    found = deviations(np.array(MAIN_LOG_STD), np.array(PREFERENCE_LOG_STD))
    entropies = {
        "main_entropy": gaussian_entropy(found.main),
        "preference_entropy": gaussian_entropy(found.preference),
        "fused_entropy": gaussian_entropy(found.fused),
    }
    return derived({**entropies, "share": float(100 * found.share.mean())}) | {"distance": 0.0}


def derived(state: Mapping[str, float]) -> dict[str, float]:
    """An end state with the experts' σ, geometric means over action dimensions, as their entropies give them."""
    size = len(MAIN_LOG_STD)
    unit = 0.5 * math.log(2 * math.pi * math.e)
    stds = {
        f"{name}_std": math.exp(state[f"{name}_entropy"] / size - unit)
        for name in ("main", "preference")
    }
    return {**state, **stds}


def distance(state: Mapping[str, float]) -> float:
    """How far the experts' σ are from the checkpoint's: root of the summed squares of both log ratios."""
    end = checkpoint_state()
    return math.hypot(*(math.log(state[n] / end[n]) for n in ("main_std", "preference_std")))


def end_states(diagnostics: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The quantities of `STATE` for each member that finished, from the last bin of its diagnostics.

    Columns: setting, seed, then those. A member that diverged has no end of training.
    """
    done = scores.loc[scores["status"] == "done", ["setting", "seed"]]
    last = diagnostics.sort_values("step").groupby(["setting", "seed"], as_index=False).tail(1)
    columns = ["setting", "seed", *DIAGNOSTICS]
    rows = done.merge(last.reindex(columns=columns), on=["setting", "seed"])
    named = rows.rename(columns=DIAGNOSTICS).assign(share=100 * rows["preference_share"])
    states = [derived(row) for row in named.to_dict("records")]
    table = [{**state, "distance": distance(state)} for state in states]
    return pd.DataFrame(table, columns=["setting", "seed", *STATE])


def references(request: Request) -> list[dict[str, Any]]:
    """The rows of the paper and of the checkpoint: their quantities as numbers, what is printed of them as text."""
    said = {claim.id: claim.value for claim in load_claims(request.folder)}
    paper = {name: said[claim] for name, claim in PAPER_ENTROPIES.items()}
    returns = "; ".join(f"{said[claim]} ({place})" for place, claim in PAPER_RETURNS.items())
    return [
        {"row": "the paper's text", "printed_return": returns}
        | {f"printed_{name}": text for name, text in paper.items()},
        {"row": "released checkpoint", **checkpoint_state()},
    ]


def values(
    arms: pd.DataFrame, ends: pd.DataFrame, known: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """The paper, the checkpoint, then a row for each reading.

    Columns: row, the factors, planned, n, missing, failed, diverged, mean, std (of the final return), printed_return and
    printed_… (the paper's strings), then each quantity of `STATE` with its …_std over the seeds of which there are `states`.
    """
    rows: list[dict[str, Any]] = []
    for arm, level in zip(*(_records(part) for part in (arms, levels(arms))), strict=True):
        own = ends[ends["setting"] == arm["setting"]]
        row = {"row": f"reading {len(rows) + 1}", **{name: level[name] for name in FACTORS}}
        row |= {name: arm[name] for name in ("planned", "n", *tables.LOST, "mean", "std")}
        for name in STATE:
            x = own[name].to_numpy(np.float64)
            row |= {name: mean(x), f"{name}_spread": std(x)}
        rows.append({**row, "states": len(own)})
    counts = dict.fromkeys(("planned", "n", *tables.LOST, "states"), "Int64")
    return pd.DataFrame([*known, *rows]).astype(counts)


def block(table: pd.DataFrame, request: Request) -> Block:
    """The table in words."""
    spans = (("", 1), ("Gradient of", 2), ("", 2), ("At the end of training", len(STATE)))
    heads = (
        "",
        "L_cons to the main head",
        "L_pref to the encoder",
        "A_norm over a",
        "Final return",
    )
    readings = table[table["n"].notna()]
    clamp = checkpoint_state()["preference_std"]
    multi_seed = str(request.claims[PAPER_RETURNS["Table A.3"]].value)
    notes = (
        f"{request.scale_words}. PrefPoE (released artefact) on {ENVIRONMENT}, mean ± standard deviation (ddof = 1) "
        "over seeds. Reading 1 is the one trained everywhere else; readings differ in nothing but the three columns.",
        "At the end: mean over the last bin of diagnostics of each seed that finished. std: geometric mean over action "
        "dimensions, as the entropies (in nats) give it; preference share: of the fused precision; distance: root of the "
        "summed squares of ln(std / std of the checkpoint) of the two experts, averaged over seeds (0.69: one std twice as large).",
        f"Released checkpoint: its log-stds ({SOURCE}); the preference std is at the artefact's upper clamp of {clamp:g}. "
        f"No return stands in its row: the paper prints {_spaced(multi_seed)} over ten random initialisations (Table A.3), the release's README "
        f"{_spaced(README.text)} for the same metric, and the release's script evaluates this one checkpoint under ten seeds; which "
        "policy either number is of is not known. Which hyperparameters within Table A.1 it was trained with is not known, so a "
        "reading that ends elsewhere may still be the authors', with other hyperparameters.",
        "Under every one of these readings the losses balance at a share of λ(1 − α w_pref / w_cons), here "
        f"{100 * resting_share(settings_of(METHOD)):.0f} % (paper_figures/prefpoe/equilibrium.py); from α w_pref = w_cons on nothing holds the "
        f"preference std below its clamp. Here α w_pref / w_cons is {entropy_pull(settings_of(METHOD)):.2f}; Table A.1's ranges allow 0.0025 to 4.",
        sweeps.lost_note(readings, list(readings["row"])),
    )
    rows = tuple(_line(row) for row in _records(table))
    said = tuple(note for note in notes if note)
    return Block(request.title, spans, (*heads, *STATE.values()), rows, 4, said)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = table.to_dict("records")
    return records


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    if pd.isna(row["n"]):
        state = [_printed(row, name) for name in STATE]
        said = row["printed_return"]
        score = _spaced(said) if isinstance(said, str) else style.MISSING
        return (row["row"], "", "", "", score, *state)
    told = [names[row[factor]] for factor, names in FACTORS.items()]
    state = [_number(row[name], row[f"{name}_spread"]) for name in STATE]
    return (row["row"], *told, sweeps.score(row), *state)


def _spaced(printed: str) -> str:
    return printed.replace("±", " ± ")


def _printed(row: Mapping[str, Any], name: str) -> str:
    text = row.get(f"printed_{name}")
    return text if isinstance(text, str) else _number(row[name], math.nan)


def _number(value: float, spread: float) -> str:
    """With the digits that the spread deserves, three at most: a std at its clamp hardly spreads; two at least without one."""
    decimals = style.decimals_for(spread, value)
    if not math.isfinite(spread):
        return style.number(value, max(2, decimals))
    decimals = min(3, decimals)
    return f"{style.number(value, decimals)} ± {style.number(spread, decimals)}"


if __name__ == "__main__":
    sys.exit(main())
