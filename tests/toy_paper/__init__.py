"""A whole tiny paper: probe environments, seconds of training, one table and one figure."""
