"""Users as the page sends them."""

from typing import Any

import pytest

from server.manage.accounts import NewPassword, NewToken, NewUser, Rights, read_account
from server.manage.form import FormError

USER = {"name": "ada", "role": "viewer", "cameras": None}


def test_a_complete_user_is_taken() -> None:
    """If the password is missing, one is generated."""
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
def test_each_field_says_what_it_accepts(kind: Any, values: dict[str, Any], field: str) -> None:
    """Each field has its message, which repeats nothing that was sent."""
    with pytest.raises(FormError) as caught:
        read_account(kind, values)

    assert list(caught.value.fields) == [field]
    assert "short" not in str(caught.value)
    assert "12345678" not in str(caught.value)
