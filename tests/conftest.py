"""For all tests: one Hypothesis profile, the same examples every time; servers on demand."""

from hypothesis import HealthCheck, settings

from tests.services.fixtures import running, services

__all__ = ["running", "services"]

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
