"""The limits on a picture's size."""

import pytest

from server.capture.frames.limits import check_size
from server.errors import SourceError


@pytest.mark.parametrize(
    ("width", "height", "accepted"),
    [(0, 0, True), (7680, 4320, True), (8192, 4882, True), (8193, 10, False), (8192, 8192, False)],
)
def test_oversized_pictures_are_rejected(width: int, height: int, accepted: bool) -> None:
    """A picture may have at most 8192 pixels a side and 40 megapixels."""
    if accepted:
        check_size(width, height)
    else:
        with pytest.raises(SourceError, match=f"{width} x {height} pixels; accepted"):
            check_size(width, height)
