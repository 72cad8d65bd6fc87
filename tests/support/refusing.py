"""The server as it is, with a camera that keeps its contrast: ``python -m tests.support.refusing``.

A device refuses a value now and then; the test pattern, which stands in for one, never does.
"""

import manage  # First: it makes the standard library green.

# isort: split
from server.capture.devices.controls import Value, find_control, refuse
from server.capture.sources.testpattern import TestPattern

take = TestPattern.set_control


def set_control(self: TestPattern, name: str, value: Value) -> Value:
    """Take everything but a contrast."""
    if name == "contrast":
        control = find_control(self.controls(), name)
        raise refuse(control, value, control.value)
    return take(self, name, value)


if __name__ == "__main__":
    TestPattern.set_control = set_control  # type: ignore[method-assign]
    manage.cli()
