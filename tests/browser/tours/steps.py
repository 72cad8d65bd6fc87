"""The steps of tours, one function each; every step waits for its result."""

from tests.support.browser.tab import Tab
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer

MANAGE = "[data-manage]"
FORM = f"{MANAGE} [data-form]"
PERSON = f"{MANAGE} [data-person-form]"
SECRET = f"{MANAGE} [data-secret]"
PANEL = "[data-panel]"
OTHER = "another horse battery"

# More Tab presses than there are stops.
MAX_STOPS = 60

SHOWN = """(selector) => [...document.querySelectorAll(selector)]
  .filter((one) => one.checkVisibility()).map((one) => one.textContent.trim())"""

IS_WORKERS = """(selector) => {
  try {
    return document.querySelector(selector).getContext('2d') && false;
  } catch {
    return true;
  }
}"""

# Number of responses to the page's requests for a path.
COUNT_REQUESTS = """(path) => performance.getEntriesByType('resource')
  .filter((one) => new URL(one.name).pathname.endsWith(path)).length"""

ACTIVE = """() => {
  const { activeElement: at } = document;
  return at.ariaLabel ?? at.labels?.[0]?.textContent.trim() ?? at.textContent.trim();
}"""


def person(tab: Tab, name: str) -> str:
    """Return the user for a role in this browser: changes must not affect the other browser."""
    return name if "-" in name else f"{name}-{tab.browser}"


# --- Coming and going -------------------------------------------------------------------------


def log_in(
    tab: Tab, server: PortholeServer, name: str, password: str = PASSWORD, by_keys: bool = False
) -> None:
    """Log in, and wait for the first pictures."""
    tab.open(server.url)
    if by_keys:
        # The first field already has the focus.
        tab.wait("() => document.activeElement.name === 'name'")
        tab.type(person(tab, name))
        tab.press("Tab")
        tab.type(password)
        tab.press("Enter")
    else:
        tab.fill("Name", person(tab, name))
        tab.fill("Password", password)
        tab.click("button", "Log in")
    tab.wait("() => window.porthole?.tiles.size > 0")


def log_out(tab: Tab, by_keys: bool = False) -> None:
    """Log out by the menu."""
    if by_keys:
        go_to(tab, "Menu", "Shift+Tab")
        tab.press("Enter")
        go_to(tab, "Log out")
        tab.press("Enter")
    else:
        tab.click("button", "Menu")
        tab.click(
            "button",
            tab.evaluate(
                "() => document.querySelector('[data-account] .menu-item:last-child').ariaLabel"
            ),
        )
    tab.wait("() => location.pathname.endsWith('/login')")


def change_own_password(tab: Tab) -> None:
    """Change it; the page reconnects, and goes on."""
    dialog = "[data-password]"
    tab.click("button", "Menu")
    tab.click("button", "Change your password")
    tab.fill("Current password", PASSWORD, dialog)
    tab.fill("New password", OTHER, dialog)
    asked = tab.evaluate(COUNT_REQUESTS, "api/views")
    tab.click("button", "Change", dialog)
    tab.wait_for_text(".toast", "Your password was changed.")
    # Requested after reconnecting. Logging out before that would make it a 401.
    tab.wait(f"(path, asked) => ({COUNT_REQUESTS})(path) > asked", "api/views", asked)
    tab.wait_for_paint("one")


# --- Pictures ---------------------------------------------------------------------------------


def watch_live(tab: Tab) -> None:
    """Check that both cameras go on, by the page's counts and by the canvas itself."""
    for camera in ("one", "two"):
        tab.wait_for_state(camera, "live")
        tab.wait_for_paint(camera)
        tab.wait_for_new_pixels(camera)
    # While a page is busy, frames go on: a worker paints them, and owns the canvas.
    assert tab.evaluate(IS_WORKERS, ".tile[data-camera='one'] canvas")


def open_camera(tab: Tab, camera: str) -> None:
    """Focus a camera by clicking its picture."""
    tab.click("button", camera, f".tile[data-camera='{camera}']")
    tab.wait_for_text("#panel-title", camera)
    assert f"camera={camera}" in tab.view
    tab.wait_for_paint(camera)


def tabs_of_panel(tab: Tab) -> list[str]:
    """Open each tab beside the picture; return their names."""
    names: list[str] = tab.evaluate(SHOWN, f"{PANEL} [role=tab]")
    for name in (*names, names[0]):
        tab.click("tab", name, PANEL)
        shown = f"() => ({SHOWN})('{PANEL} [role=tab][aria-selected=true]').join()"
        tab.wait(f"(name) => ({shown})() === name", name)
        of_tab = f"{PANEL} [role=tabpanel][aria-labelledby='tab-{name.lower()}']"
        assert len(tab.evaluate(SHOWN, f"{PANEL} [role=tabpanel]")) == 1
        assert len(tab.evaluate(SHOWN, of_tab)) == 1
    return names


def save_picture(tab: Tab, camera: str) -> None:
    """Save the camera's picture as a file."""
    name = tab.save(lambda: tab.click("button", "Snapshot", PANEL))
    assert name.startswith(f"{camera}-")
    assert name.endswith(".jpg")


def fill_screen(tab: Tab) -> None:
    """Show the picture in full screen, and leave that."""
    tab.click("button", "Full screen", PANEL)
    tab.wait("() => document.fullscreenElement?.matches('.tile') ?? false")
    tab.press("f")
    tab.wait("() => document.fullscreenElement === null")


# --- Missing permissions ----------------------------------------------------------------------


def see_nothing_for_admins(tab: Tab) -> None:
    """Check that the page contains neither the admins' window nor its button, at any address."""
    tab.open(tab.evaluate("() => location.origin") + "/?manage=people")
    tab.wait("() => window.porthole?.tiles.size > 0")
    parts = "[data-manage], [data-open-manage], [data-people], [data-access], [data-offer]"
    assert tab.evaluate("(parts) => document.querySelectorAll(parts).length", parts) == 0
    tab.click("button", "Menu")
    assert tab.evaluate(SHOWN, "#page-menu button") == [
        *("Change your password", "Log out", "Colours: automatic", "Help?"),
    ]
    tab.press("Escape")


def see_nothing_for_operators(tab: Tab) -> None:
    """Check that the focused camera has no controls, not even keys, and no way to shut down."""
    for role in ("spinbutton", "switch"):
        assert tab.count(role) == 0, role
    assert tab.count("slider") == tab.count("slider", "Time"), "more than the time bar"
    assert tab.count("button", "Stop") == 0
    assert tab.evaluate(SHOWN, f"{PANEL} :disabled") == []
    tab.press("Space")
    tab.wait_for_paint("one")
    tab.press("i")
    tab.wait_for_text("#system", "System")
    assert tab.count("button", "Shut down the server") == 0
    tab.press("Escape")


# --- Operators --------------------------------------------------------------------------------


def set_camera(tab: Tab, camera: str) -> None:
    """Set a camera's frame rate, and return to the source's own."""
    knob = f"{PANEL} [data-knob=fps]"
    tab.click("tab", "Image", PANEL)
    tab.focus("Frame rate", PANEL)
    tab.press("Home")
    tab.wait("(knob) => document.querySelector(`${knob} .number`).value === '1'", knob)
    tab.click("button", "Source’s own frame rate", PANEL)
    own = f"{knob} [data-own][aria-pressed=true]"
    tab.wait("(own) => document.querySelector(own) !== null", own)
    tab.wait_for_paint(camera)


def stop_and_take_back(tab: Tab, camera: str) -> None:
    """Stop a camera for everybody, and undo that."""
    tab.click("button", "Stop", PANEL)
    tab.wait_for_state(camera, "stopped")
    tab.wait_for_text(".toast", "stopped for everybody")
    tab.click("button", "Undo", ".toast")
    tab.wait_for_state(camera, "live")


def go_round_by_keys(tab: Tab) -> None:
    """Focus a camera, stop, start, save, full screen, and back; help, layouts; all by keys."""
    tab.press("Tab")
    assert tab.evaluate(ACTIVE) == "Skip to the cameras"
    tab.press("Enter")
    tab.press("Tab")
    tab.press("ArrowRight")
    tab.press("Enter")
    tab.wait_for_text("#panel-title", "two")
    for state in ("stopped", "live"):
        tab.press("Space")
        tab.wait_for_state("two", state)
    assert tab.save(lambda: tab.press("s")).startswith("two-")
    tab.press("f")
    tab.wait("() => document.fullscreenElement !== null")
    tab.press("f")
    tab.wait("() => document.fullscreenElement === null")
    go_to(tab, "View")
    tab.press("ArrowRight")
    tab.wait("() => document.querySelector('#tabpanel-image').checkVisibility()")
    tab.press("Escape")
    tab.wait("() => document.querySelector('[data-grid]').dataset.view === 'grid'")
    assert tab.evaluate("() => document.activeElement.closest('.tile').dataset.camera") == "two"
    tab.press("l")
    tab.wait_for_text("[data-announcer]", "Layout: One at a time")
    for _ in range(3):
        tab.press("l")
    tab.wait_for_text("[data-announcer]", "Layout: Automatic")
    tab.press("?")
    tab.wait("() => document.querySelector('[data-help]').open")
    tab.press("Escape")
    tab.wait("() => !document.querySelector('[data-help]').open")


def go_to(tab: Tab, name: str, key: str = "Tab") -> None:
    """Press a key until the wanted element has the focus."""
    passed = []
    for _ in range(MAX_STOPS):
        tab.press(key)
        passed.append(tab.evaluate(ACTIVE))
        if passed[-1].startswith(name):
            return
    raise AssertionError(f"{key} leads past {passed}, and not to {name!r}")


# --- Admins -----------------------------------------------------------------------------------


def open_manage(tab: Tab) -> None:
    """Open the admins' window."""
    tab.click("button", "Menu")
    tab.click("button", "Cameras and people")
    tab.wait_for_text(f"{MANAGE} .managed-row", "two")


def add_camera_by_address(tab: Tab, source: str, name: str) -> None:
    """Try an address, see its picture, and save it."""
    tab.click("button", "Add a camera", MANAGE)
    tab.fill("Address", source, FORM)
    tab.click("button", "Try", FORM)
    tab.wait_for_text(f"{FORM} [data-trial]", "It works: 160 × 90.")
    tab.wait(f"() => document.querySelector('{FORM} [data-trial-picture]').naturalWidth === 160")
    tab.fill("Name", name, FORM)
    tab.click("button", "Add", FORM)
    tab.wait_for_text(f"{MANAGE} .managed-row", name)
    tab.wait_for_paint(name)


def add_camera_of_folder(tab: Tab, name: str) -> None:
    """Choose a file of the media folder, which is then tried, and save it."""
    tab.click("button", "Add a camera", MANAGE)
    tab.wait_for_text(f"{FORM} [data-found-note]", "1 file in the media folder")
    tab.focus("A file in the media folder", FORM)
    tab.press("ArrowDown")
    tab.wait_for_text(f"{FORM} [data-trial]", "It works: 160 × 90.")
    tab.wait(f"(name) => document.querySelector('{FORM} #managed-name').value === name", name)
    tab.click("button", "Add", FORM)
    tab.wait_for_text(f"{MANAGE} .managed-row", name)
    tab.wait_for_paint(name)


def rename_camera(tab: Tab, name: str, new: str) -> None:
    """Give a camera another name and a title."""
    open_row(tab, name)
    tab.fill("Name", new, FORM)
    tab.fill("Title", f"The {new}", FORM)
    tab.click("button", "Save", FORM)
    tab.wait_for_text(f"{MANAGE} .managed-row", f"The {new}")
    tab.wait("(name) => !window.porthole.tiles.has(name)", name)
    tab.wait_for_paint(new)


def remove_camera(tab: Tab, name: str, title: str, undo: bool = True) -> None:
    """Remove a camera, undo that, see it again, and remove it for good."""
    newest = "[data-manage-toasts] .toast:last-child"
    for act in ("Undo", "Dismiss") if undo else ("Dismiss",):
        open_row(tab, title)
        tab.click("button", "Remove", FORM)
        tab.wait_for_text(newest, f"{title} was removed.")
        tab.wait("(name) => !window.porthole.tiles.has(name)", name)
        tab.click("button", act, newest)
        if act == "Undo":
            tab.wait_for_text(newest, f"{title} is back.")
            # When the notice hides by itself, elements below a click may move.
            tab.click("button", "Dismiss", newest)
            tab.wait_for_paint(name)


def open_row(tab: Tab, title: str) -> None:
    """Open the form of a camera or user in a list, by clicking the name."""
    name = tab.wait(
        f"""(title) => [...document.querySelectorAll('{MANAGE} .managed-row')]
          .find((row) => row.querySelector('.managed-title').textContent === title)
          ?.querySelector('[data-open]').innerText.replace(/\\s+/g, ' ').trim()""",
        title,
    )
    tab.click("button", name, MANAGE)


def add_user(tab: Tab) -> tuple[str, str]:
    """Add a viewer; return the name, and the password, which is shown once."""
    name = person(tab, "bea")
    tab.click("button", "Add a user", MANAGE)
    tab.fill("Name", name, PERSON)
    tab.click("radio", "Viewer Sees cameras.", PERSON)
    tab.click("button", "Add", PERSON)
    tab.wait_for_text(SECRET, name)
    password = tab.evaluate(f"() => document.querySelector('{SECRET} textarea').value")
    tab.click("button", "Done", SECRET)
    tab.wait_for_text(f"{MANAGE} .person-row", name)
    return name, password


def sign_out(tab: Tab, name: str, other: Tab) -> None:
    """End all logins of a user, whose page says why."""
    tab.wait(
        f"""(name) => [...document.querySelectorAll('{MANAGE} .person-row')]
          .some((one) => one.textContent.includes(name)
            && one.querySelector('[data-on]').checkVisibility())""",
        name,
    )
    open_row(tab, name)
    tab.wait_for_text(PERSON, "watching one, two")
    tab.click("button", "Log out everywhere", PERSON)
    other.wait("() => location.href.endsWith('/login?why=ended')")


def add_embed_link(tab: Tab, camera: str) -> str:
    """Add a token for another page; return the link, which is shown once."""
    tab.click("button", "Add a token", MANAGE)
    tab.fill("Name", f"panel-{tab.browser}", PERSON)
    tab.click("radio", camera, PERSON)
    tab.click("button", "Add", PERSON)
    tab.wait_for_text(SECRET, f"panel-{tab.browser}")
    link: str = tab.evaluate(f"() => document.querySelector('{SECRET} textarea').value")
    tab.click("button", "Done", SECRET)
    return link


def show_embedded(tab: Tab, link: str, camera: str) -> None:
    """Open an embed link: one camera, and nothing else."""
    tab.open(link)
    tab.wait_for_paint(camera)
    assert tab.evaluate("() => window.porthole.tiles.size") == 1
