"""The server with a camera that rejects contrast: ``python -m tests.support.servers.refusing``.

Real devices sometimes reject a value; the test pattern never does.
"""

import manage  # Must be first: it patches the standard library.

# isort: split
from server.capture.devices.controls import Value, find_control, refuse
from server.capture.sources.testpattern import TestPattern

take = TestPattern.set_control


def set_control(self: TestPattern, name: str, value: Value) -> Value:
    """Accept every control except contrast."""
    if name == "contrast":
        control = find_control(self.controls(), name)
        raise refuse(control, value, control.value)
    return take(self, name, value)


if __name__ == "__main__":
    TestPattern.set_control = set_control  # type: ignore[method-assign]
    manage.cli()
