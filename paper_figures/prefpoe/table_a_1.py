"""Table A.1: the paper's ranges of PrefPoE's hyperparameters, the values that we train with, and where each is from."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from algorithms.settings import METHODS
from algorithms.specification import SpecificationError
from analysis.audit.specification import Requirement, read_specification
from paper_figures import artifact, tables
from paper_figures.artifact import Request
from paper_figures.tables import Block

NAME, PLACE, BASE = "table_a_1", "Table A.1", "Appendix A.2"
ARMS = ("prefpoe", "prefpoe_released")
ITEMS = {
    "β₁, advantage guidance": "beta_1",
    "α, preference entropy": "alpha",
    "λ_pref, fusion weight": "fusion_weight",
    "w_cons, consistency-coef": "consistency_coefficient",
    "w_pref, preference-loss-coef": "preference_coefficient",
}
"""Items of specification.yaml that quote a row of the paper's table, and the setting that each is."""

ELSEWHERE = {
    ("prefpoe_released", "fusion_weight"): "its fusion has no weight, which is a weight of 1",
}
"""Where a value is from that is not its range's geometric midpoint."""

STATED = {
    "learning_rate": "learning rate 3×10^{-4}",
    "anneal_learning_rate": "linear learning rate annealing",
    "batch_size": "batch size of 2048 environment steps",
    "epochs": "10 optimization epochs per batch",
    "gae_lambda": r"GAE $\lambda = 0.95$",
    "gamma": r"discount factor $\gamma = 0.99$",
    "max_grad_norm": "gradient clipping norm of 0.5",
    "clip": "clip coefficient of 0.2",
    "value_coefficient": "value function coefficient of 0.5",
    "entropy_coefficient": "entropy coefficient of 0.0",
    "advantage_normalization": "advantage normalization as standard practice",
}
"""Settings of the base PPO, and the words of Appendix A.2 that state them."""

CLEANRL, ARTEFACT = "CleanRL", "CleanRL; released artefact"
ASSUMED = {
    "environments": CLEANRL,
    "rollout_steps": CLEANRL,
    "minibatches": CLEANRL,
    "adam_epsilon": CLEANRL,
    "clip_value_loss": CLEANRL,
    "anneal_clip": CLEANRL,
    "bootstrap_truncation": CLEANRL,
    "normalize_observations": "CleanRL; off on discrete tasks",
    "normalize_rewards": "CleanRL; off on discrete tasks",
    "hidden": "Appendix A.1",
    "backbone": "Algorithm A.1; released artefact",
    "mean": "nothing squashes it in the text; released artefact",
    "std": "Eq. 1; released artefact",
    "initial_log_std": ARTEFACT,
    "std_range": "no clamp in the text; released artefact",
    "precision_epsilon": "Eq. 5; released artefact",
    "fusion": "Eq. 5 and 7",
    "fusion_schedule": "no schedule in the text",
    "entropy_sign": "Eq. 2 (Eq. 16 has the other sign)",
    "detach_fused": "Eq. 6 as written",
    "detach_encoder": "Eq. 6 as written",
    "advantage_noise": "none in the text",
}
"""Every other setting, and where its two values are from; where they differ, that of `prefpoe` first.

`paper.yaml` has each of these assumptions with its reason.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table A.1 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    table = values(read_specification(request.folder))
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    blocks = [ranges(table, request), base(table), others(table)]
    tables.write(blocks, request)


def values(requirements: Sequence[Requirement]) -> pd.DataFrame:
    """One row for each setting and arm.

    Columns: block (ranges, base, others), item, setting, description, paper (as printed), low, high, midpoint
    (float, geometric), method, value (str), inside (whether it lies in the range), source.
    """
    by_item = {entry.item: entry for entry in requirements if entry.place == PLACE}
    rows: list[dict[str, Any]] = []
    for item, setting in ITEMS.items():
        if item not in by_item:
            raise SpecificationError(
                f"specification.yaml: {item!r} of {PLACE} is not there; allowed: {', '.join(by_item)}"
            )
        printed = printed_range(str(by_item[item].quote))
        rows += [ranged(method, setting, {"item": item, **printed}) for method in ARMS]
    for block, sources in (("base", STATED), ("others", ASSUMED)):
        for setting, words in sources.items():
            about = {"block": block, "item": setting.replace("_", " "), "setting": setting}
            about |= {"source": words} if block == "others" else {"paper": words, "source": BASE}
            rows += [
                {**about, "method": method, "value": shown(setting_of(method, setting))}
                for method in ARMS
            ]
    columns = ["block", "item", "setting", "description", "paper", "low", "high", "midpoint"]
    return pd.DataFrame(rows, columns=[*columns, "method", "value", "inside", "source"])


def printed_range(quote: str) -> dict[str, str]:
    """Description and range of a row "β_1 (advantage guidance) 0.1 - 0.4 Strength of …".

    Raises SpecificationError for other words.
    """
    found = re.search(r" (?P<low>\d[\d.]*) - (?P<high>\d[\d.]*) (?P<description>.+)$", quote)
    if not found:
        raise SpecificationError(
            f"specification.yaml: {PLACE}: {quote!r} has no range; allowed: name low - high description"
        )
    return {**found.groupdict(), "paper": f"{found['low']} - {found['high']}"}


def ranged(method: str, setting: str, printed: Mapping[str, str]) -> dict[str, Any]:
    """A setting of an arm beside the range that is printed for it, with where the value is from."""
    low, high = float(printed["low"]), float(printed["high"])
    value, midpoint = float(setting_of(method, setting)), math.sqrt(low * high)
    source = ELSEWHERE.get((method, setting))
    if source is None and value != float(f"{midpoint:.2g}"):
        raise SpecificationError(
            f"table_a_1.py: {method}: {setting} = {value} has no source; allowed: the geometric midpoint "
            f"of {printed['paper']} to two digits, or an entry in ELSEWHERE"
        )
    return {
        **printed,
        "block": "ranges",
        "setting": setting,
        "low": low,
        "high": high,
        "midpoint": midpoint,
        "method": method,
        "value": shown(value),
        "inside": low <= value <= high,
        "source": source or f"geometric midpoint of the range ({midpoint:.4g})",
    }


def setting_of(method: str, setting: str) -> Any:
    """A setting of an arm before any experiment's own settings."""
    return getattr(METHODS[method].settings, setting)


def shown(value: Any) -> str:
    """A setting as text: "0.0003", "yes", "64, 64", "none"."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    return str(value) if isinstance(value, str) else f"{value:g}"


def ranges(table: pd.DataFrame, request: Request) -> Block:
    """The paper's rows: its range, our values, and where they are from."""
    rows = []
    for _, pair in _pairs(table, "ranges"):
        first, second = pair
        sources = [first["source"]]
        if second["source"] != first["source"]:
            sources.append(f"{METHODS[ARMS[1]].label}: {second['source']}")
        cells = [arm["value"] + ("" if arm["inside"] else "*") for arm in pair]
        about = (first["item"], first["description"], "; ".join(sources))
        rows.append((*about, first["paper"], *cells))
    heads = ("Parameter", "Description", "source of our value", "range (paper)", *_labels())
    notes = (
        "The paper gives ranges for all environments together and not the values used in any; each "
        "value here is used in every environment; midpoints are rounded to two digits. *: outside of the paper's range.",
    )
    return Block(f"{PLACE}. {request.title}", (), heads, tuple(rows), 3, notes)


def base(table: pd.DataFrame) -> Block:
    """Settings that Appendix A.2 states."""
    rows = [
        (pair[0]["item"], plain(pair[0]["paper"]), *(arm["value"] for arm in pair))
        for _, pair in _pairs(table, "base")
    ]
    heads = ("Setting", f"{BASE} (paper)", *_labels())
    return Block("Base PPO as the paper states it", (), heads, tuple(rows), 2, ())


def others(table: pd.DataFrame) -> Block:
    """Settings that neither Table A.1 nor Appendix A.2 states."""
    rows = [
        (pair[0]["item"], pair[0]["source"], *(arm["value"] for arm in pair))
        for _, pair in _pairs(table, "others")
    ]
    heads = ("Setting", "source", *_labels())
    notes = (
        "Settings that neither Table A.1 nor Appendix A.2 states. Where the two arms differ, the source of the first "
        "stands first. The assumptions are listed in full with the paper.",
    )
    return Block("Every other setting", (), heads, tuple(rows), 2, notes)


def plain(words: str) -> str:
    """Words of the paper without its formulas' markup."""
    return words.replace("$", "").replace(r"\lambda", "λ").replace(r"\gamma", "gamma")


def _labels() -> tuple[str, ...]:
    return tuple(METHODS[method].label for method in ARMS)


def _pairs(table: pd.DataFrame, block: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """A block's settings in their order, each with its rows in the order of `ARMS`."""
    rows = table[table["block"] == block]
    grouped = rows.groupby("setting", sort=False)
    return [(str(setting), part.to_dict("records")) for setting, part in grouped]


if __name__ == "__main__":
    sys.exit(main())
