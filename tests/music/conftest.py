"""Hypothesis settings: the same examples on every run, and no time limits, which a busy machine would break."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "music", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("music")
