"""One file per family, always in the order init, act, loss: family name → module."""

from algorithms.methods import ppo, prefpoe, sac

FAMILIES = {"ppo": ppo, "prefpoe": prefpoe, "sac": sac}
