"""PrefPoE: Advantage-Guided Preference Fusion for Learning Where to Explore (arXiv 2511.08241)."""

READINGS = {"prefpoe_released": "prefpoe"}
"""Arms that are a second reading of a row of the paper, and the arm whose printed number they share."""
