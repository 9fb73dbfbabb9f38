"""Where PrefPoE's two experts come to rest: a consequence of its losses that the paper does not draw.

Take one action dimension and let p = λσ_pref⁻² / (λσ_pref⁻² + σ_main⁻²) be the preference expert's share of the fused
precision, ρ = σ_fused² / σ_pref² = p / λ, and g the gradient of L_PPO with respect to log σ_fused. Because
d log σ_fused = (1 − p) d log σ_main + p d log σ_pref, and the variance part of L_cons is ½(ρ − 1 − ln ρ),

    ∂L / ∂log σ_main = (1 − p) g − w_cons (1 − p)(1 − ρ)
    ∂L / ∂log σ_pref = p g + w_cons (1 − p)(1 − ρ) − α w_pref

If both vanish, then g = α w_pref and ρ = 1 − α w_pref / w_cons: the second holds whatever L_PPO is. Left out are the advantage
term of L_pref, and what means that differ add, to L_cons and through μ_fused to L_PPO. In the recorded runs the ratio of the
two σ settles there while both still drift, since g need not have come to α w_pref.
"""

from __future__ import annotations

from algorithms.settings import PrefPoE


def entropy_pull(settings: PrefPoE) -> float:
    """α w_pref / w_cons: from 1 on nothing holds σ_pref back, and it grows up to its clamp, if it has one."""
    return settings.alpha * settings.preference_coefficient / settings.consistency_coefficient


def resting_share(settings: PrefPoE) -> float:
    """The preference expert's share p = λ(1 − α w_pref / w_cons) of the fused precision at rest; 0 where there is no rest."""
    return settings.fusion_weight * max(0.0, 1.0 - entropy_pull(settings))
