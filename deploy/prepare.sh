#!/bin/sh
# Prepare Debian or a derivative for Porthole: create a virtual environment, and install the libraries
# and programs that are not Python packages, or print them if it may not install them.
# Usage: prepare.sh runtime|development
set -eu

what=$1
venv=.venv

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    as_root="none"
fi

# Install Debian packages by name.
install_packages() {
    if [ "$as_root" = none ] || ! command -v apt-get >/dev/null; then
        echo "Packages are missing, and this user may not install them. Please run:" >&2
        echo "    sudo apt-get install $*" >&2
        exit 1
    fi
    echo "Installing $* ..."
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian's own Python first: it is built with profile-guided optimization, unlike pyenv's by default,
# and takes a fifth less CPU time. PYTHON=... selects another.
python=""
for candidate in ${PYTHON:-/usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' &&
        # Debian's Python comes without venv.
        { [ "$as_root" != none ] || "$candidate" -c 'import ensurepip, venv' 2>/dev/null; }; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    if [ -n "${PYTHON:-}" ]; then
        echo "PYTHON=$PYTHON is not Python 3.11 or later with venv. Unset PYTHON to search for one." >&2
        exit 1
    fi
    install_packages python3 python3-venv
    python=python3
fi

if [ ! -x $venv/bin/pip ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
    "$python" -m venv --clear $venv
fi

installing=""
if [ "$what" = development ]; then
    missing=""
    for program in chromium firefox-esr ffmpeg curl git openssl; do
        command -v $program >/dev/null || missing="$missing $program"
    done
    # For the tests of the units in deploy/; it also works without a running systemd.
    command -v systemd-analyze >/dev/null || missing="$missing systemd"
    # Chromium without windows, for the tests; bench/ measures with the full browser.
    command -v chromium-headless-shell >/dev/null || missing="$missing chromium-headless-shell"
    # Some are in /usr/sbin, which is not in every PATH. Tests start them themselves; the services that
    # Debian starts with these packages are stopped again below.
    services=""
    for program in redis-server nginx haproxy apache2 caddy; do
        [ -x /usr/sbin/$program ] || command -v $program >/dev/null || services="$services $program"
    done
    missing="$missing$services"
    # An RTSP server for the tests, which Debian's own Python drives.
    [ -e /usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib ] || missing="$missing \
        gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
        gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"
    command -v gst-launch-1.0 >/dev/null || missing="$missing gstreamer1.0-tools"
    # Without a font the browser draws boxes instead of letters.
    [ -d /usr/share/fonts/truetype/dejavu ] || missing="$missing fonts-dejavu-core"
    # In the background, while the Python packages are installed, which takes as long.
    # shellcheck disable=SC2086
    [ -z "$missing" ] || { install_packages $missing & installing=$!; }
fi

requirements=requirements.txt
failed=""
if [ "$what" = development ]; then requirements=requirements-dev.txt; fi
echo "Installing the packages of $requirements ..."
install="$venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile"
# Debian's own pip takes 20 s just to resolve versions, a newer one 4 s. The old one works too, so this
# upgrade may fail.
$install --upgrade "pip>=25" 2>/dev/null || true
$install -r $requirements || failed=$?
[ -z "$installing" ] || wait "$installing"
[ -z "$failed" ] || exit "$failed"

# OpenCV's wheel leaves these to the system.
$venv/bin/python -c 'import cv2' 2>/dev/null || install_packages libgl1 libglib2.0-0 libxcb1
$venv/bin/python -c 'import cv2'

if [ "$what" = development ]; then
    for program in $services; do
        if [ -d /run/systemd/system ]; then $as_root systemctl disable --quiet --now $program
        else $as_root service $program stop; fi >/dev/null 2>&1 || true
    done
    touch $venv/.development
fi
# A service may not write here, and would compile everything at each start. pip would compile on one
# core, and include modules that nobody imports, some of which are invalid on purpose.
$venv/bin/python -m compileall -q -j 0 -x '/(tests|pip|mypy|setuptools)/' $venv/lib || true
$venv/bin/python -m compileall -q manage.py server
touch $venv/.runtime
