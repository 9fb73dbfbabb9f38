"""Improvement from preferences on sequences of tokens, with any causal model of `transformers` (the extra `language`).

`tokens` makes such a model a policy for `algorithms.improvement`; `sampling` draws responses from it; `training` is the
loop. `checkpoints` loads models from disk, `own` makes a small one. Nothing is ever downloaded.

Shapes: M responses to each of B prompts, T tokens of a prompt and its response, L of the response, V tokens known.
"""
