#!/bin/sh
# setup.sh: everything that tftl is built and exported with, inside this repository.
#
#   .venv/               Python with the pinned packages of scripts/requirements.txt
#   build/libtensorflow  include/ and lib/ of the TensorFlow that Go links with: the wheel's
#                        own, or the installation that LIBTENSORFLOW names
#
# Idempotent: what is there and up to date is left alone.
set -eu
cd "$(dirname "$0")/.."

die() { echo "setup: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"; }

python=${PYTHON:-python3}
need "$python" "install Python 3.11 (Debian: apt-get install python3 python3-venv)"
need "${GO:-go}" "install Go 1.26 or later"
need "${CC:-gcc}" "install a C compiler (Debian: apt-get install gcc libc6-dev)"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
	die "$($python -V) is not supported: the pinned packages need Python 3.11 to 3.13 (set PYTHON=)"

stamp=.venv/.requirements
if ! cmp -s scripts/requirements.txt "$stamp"; then
	if [ ! -x .venv/bin/pip ]; then
		"$python" -c 'import venv, ensurepip' 2>/dev/null ||
			die "$python cannot make virtual environments (Debian: apt-get install python3-venv)"
		"$python" -m venv .venv
	fi
	echo "setup: installing TensorFlow and the exporter's packages into .venv" >&2
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement scripts/requirements.txt ||
		die "pip could not install scripts/requirements.txt; its reason stands above"
	cp scripts/requirements.txt "$stamp"
fi

lib=build/libtensorflow
if [ -n "${LIBTENSORFLOW:-}" ]; then
	[ -f "$LIBTENSORFLOW/include/tensorflow/c/c_api.h" ] ||
		die "LIBTENSORFLOW=$LIBTENSORFLOW has no include/tensorflow/c/c_api.h"
	[ -e "$LIBTENSORFLOW/lib/libtensorflow.so" ] ||
		die "LIBTENSORFLOW=$LIBTENSORFLOW has no lib/libtensorflow.so"
	from=$(cd "$LIBTENSORFLOW" && pwd)
	if [ "$(readlink "$lib" || true)" != "$from" ]; then
		rm -rf "$lib" && mkdir -p build && ln -s "$from" "$lib"
	fi
	exit 0
fi

# The wheel's C++ library holds the C API too; the linker wants it under the C library's name,
# the loader under the name that is written in it.
wheel=$(.venv/bin/python -c 'import importlib.util as u; print(u.find_spec("tensorflow").submodule_search_locations[0])')
[ -f "$wheel/libtensorflow_cc.so.2" ] || die "$wheel has no libtensorflow_cc.so.2"
relative=../../..${wheel#"$PWD"}
[ -L "$lib" ] && rm "$lib"
mkdir -p "$lib/lib"
ln -sfn "../..${wheel#"$PWD"}/include" "$lib/include"
for name in libtensorflow.so libtensorflow_cc.so.2; do
	ln -sf "$relative/libtensorflow_cc.so.2" "$lib/lib/$name"
done
for name in libtensorflow_framework.so libtensorflow_framework.so.2; do
	ln -sf "$relative/libtensorflow_framework.so.2" "$lib/lib/$name"
done
