"""Improvement from a fixed set of episodes: no action is tried out before training is over (PMPO, Section 5.3).

`data` reads and writes such sets in Minari's format; `behaviours` collects one of mixed quality; `training` learns values
of all of it, labels its first part and improves; `playing` plays episodes.

Shapes: T steps of an episode, N transitions of all episodes, B of a batch, O observation, A action dimensions.
"""
