#!/bin/sh
# Which X, OpenGL and font libraries does a Qt window need here, and are they there?
# Looks for the libraries themselves, so it is silent wherever they exist. What is missing is
# installed when this runs as root on Debian or Ubuntu; otherwise the line to type is printed.
# Usage: system_libraries.sh [screen]     "screen": a virtual screen (Xvfb) is needed as well
set -eu

missing=""
need() {  # need LIBRARY PACKAGE
    ldconfig -p 2>/dev/null | grep -q "$1" || missing="$missing $2"
}

[ "$(uname -s)" = Linux ] || exit 0
PATH="$PATH:/sbin:/usr/sbin"
need libxcb-icccm.so.4 libxcb-icccm4
need libxcb-image.so.0 libxcb-image0
need libxcb-keysyms.so.1 libxcb-keysyms1
need libxcb-randr.so.0 libxcb-randr0
need libxcb-render-util.so.0 libxcb-render-util0
need libxcb-xinerama.so.0 libxcb-xinerama0
need libxcb-xkb.so.1 libxcb-xkb1
need libxcb-shape.so.0 libxcb-shape0
need libxcb-cursor.so.0 libxcb-cursor0
need libxkbcommon-x11.so.0 libxkbcommon-x11-0
need libEGL.so.1 libegl1
need libGL.so.1 libgl1
need libfontconfig.so.1 libfontconfig1
need libdbus-1.so.3 libdbus-1-3
need libglib-2.0.so.0 libglib2.0-0
found() {  # found PATTERN FOLDER...
    pattern=$1; shift
    [ -n "$(find "$@" -path "$pattern" 2>/dev/null | head -n 1)" ]
}
found '*/dri/*_dri.so' /usr/lib /usr/lib64 || missing="$missing libgl1-mesa-dri"
found '*.[to]tf' /usr/share/fonts /usr/local/share/fonts || missing="$missing fonts-dejavu-core"
if [ "${1:-}" = screen ]; then
    command -v xvfb-run >/dev/null 2>&1 || missing="$missing xvfb xauth"
fi

[ -n "$missing" ] || exit 0
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing system libraries:$missing"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $install >/dev/null
else
    echo "The window needs system libraries that are missing here. On Debian or Ubuntu type:" >&2
    echo "    sudo apt-get update && sudo $install" >&2
    echo "and on other systems install what these packages hold; then call make again." >&2
    exit 1
fi
