"""PrefPoE: Advantage-Guided Preference Fusion for Learning Where to Explore (arXiv 2511.08241)."""

OWN, OTHERS = "own environments", "evaluation seeds"
"""The ways in which the study `deployment` lets one member play: in the environments of the member's own evaluation, and
in one for each evaluation seed."""
