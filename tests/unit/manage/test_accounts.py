"""Users as the page sends them."""

from typing import Any

import pytest

from server.manage.accounts import NewPassword, NewToken, NewUser, Rights, read_account
from server.manage.form import FormError

USER = {"name": "ada", "role": "viewer", "cameras": None}


def test_valid_user_is_accepted() -> None:
    """The password may be missing; the server then generates one."""
    user = read_account(NewUser, USER | {"cameras": ["door"]})

    assert (user.name, user.role, user.cameras, user.password) == ("ada", "viewer", ["door"], None)


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (NewUser, {"role": "viewer", "cameras": None}, "name"),
        (NewUser, USER | {"name": 7}, "name"),
        (NewUser, USER | {"cameras": "door"}, "cameras"),
        (NewUser, USER | {"cameras": [""]}, "cameras"),
        (NewUser, USER | {"password": "short"}, "password"),
        (NewUser, USER | {"secret": "x"}, "secret"),
        (Rights, {"role": "viewer"}, "cameras"),
        (Rights, {"role": "admin", "cameras": ["door"]}, "role"),
        (NewPassword, {"password": 12345678}, "password"),
        (NewToken, USER | {"embed": True}, "cameras"),
        (NewToken, USER | {"cameras": ["door", "yard"], "embed": True}, "cameras"),
        (NewToken, USER | {"role": "operator", "cameras": ["door"], "embed": True}, "cameras"),
    ],
)
def test_invalid_field_is_named_in_the_error(kind: Any, values: dict[str, Any], field: str) -> None:
    """The error belongs to the invalid field, and repeats nothing that was sent."""
    with pytest.raises(FormError) as caught:
        read_account(kind, values)

    assert list(caught.value.fields) == [field]
    assert "short" not in str(caught.value)
    assert "12345678" not in str(caught.value)
