"""PrefPoE's hyperparameters as its artifacts name them, and the settings of its arms."""

from __future__ import annotations

from algorithms.settings import METHODS, PrefPoE

SYMBOLS = {
    "beta_1": "β₁",
    "alpha": "α",
    "fusion_weight": "λ",
    "consistency_coefficient": "w_cons",
    "preference_coefficient": "w_pref",
}
"""The hyperparameters of Table A.1, as its equations write them."""


def settings_of(method: str) -> PrefPoE:
    """The settings of an arm of PrefPoE's family."""
    settings = METHODS[method].settings
    assert isinstance(settings, PrefPoE)
    return settings
