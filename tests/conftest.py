"""One Hypothesis profile for all tests: the same examples every time, and no clock that judges."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "croupier",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=15,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("croupier")
