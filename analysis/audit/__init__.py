"""The audit: of every claim, whether it is consistent, possible and replicated."""
