"""One file per family, always in the order init, act, loss: family name → module."""

from algorithms.methods import greedy_ac, mpo, ppo, prefpoe, sac

FAMILIES = {"ppo": ppo, "prefpoe": prefpoe, "sac": sac, "greedy_ac": greedy_ac, "mpo": mpo}
