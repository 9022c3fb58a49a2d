"""API keys: what each may do."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.api_key import SCOPES, ApiKey, Right, digest_of, usable_digest, write_key


@given(
    secret=st.binary(min_size=32, max_size=32), scopes=st.sets(st.sampled_from(SCOPES), min_size=1)
)
def test_a_key_shows_its_scopes_and_its_digest_shows_nothing(
    secret: bytes, scopes: set[str]
) -> None:
    key = write_key(sorted(scopes), secret)
    assert key.startswith("_".join(["cr", *(scope[:3] for scope in sorted(scopes))]) + "_")
    assert len(key.rsplit("_", 1)[1]) <= 43
    assert usable_digest(digest_of(key))
    assert key[-20:] not in repr(ApiKey("web", ("decide",), digest_of(key)))


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_is_for_itself_and_admin_for_all(scope: Right) -> None:
    key, admin = ApiKey("k", (scope,), ""), ApiKey("a", ("admin",), "")
    assert [each for each in SCOPES if key.may(each)] == (
        list(SCOPES) if scope == "admin" else [scope]
    )
    assert all(admin.may(each) for each in get_args(Right))


def test_a_restricted_key_touches_its_experiments_only() -> None:
    key = ApiKey("k", ("admin",), "", experiments=("a",))
    assert [key.touches(name) for name in ("a", "b", None)] == [True, False, False]


def test_a_short_secret_is_none() -> None:
    with pytest.raises(ValueError, match="32"):
        write_key(["admin"], bytes(16))
