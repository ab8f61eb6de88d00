#!/bin/sh
# setup.sh: installs everything that is needed to build tftl and export networks, inside this
# repository:
#
#   .venv/               Python with the packages pinned in requirements.txt
#   build/libtensorflow  include/ and lib/ of the TensorFlow that Go links with, from the wheel
#
# With GPU=1 it uses TensorFlow's CUDA build, and others: .venv-gpu/, requirements-gpu.txt and
# build/gpu/libtensorflow, where nvidia/ has CUDA's libraries.
#
# Does nothing if both are up to date. With LIBTENSORFLOW=DIR it checks DIR instead of making the
# second.
set -eu
cd "$(dirname "$0")/.."

venv=.venv requirements=scripts/requirements.txt lib=build/libtensorflow root=../..
if [ -n "${GPU:-}" ]; then
	venv=.venv-gpu requirements=scripts/requirements-gpu.txt lib=build/gpu/libtensorflow root=../../..
fi

die() {
	echo "setup: $*" >&2
	exit 1
}

need() { # a program, and what to do if it is missing
	command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"
}

prerequisites() {
	[ "$(uname -s)" = Linux ] || die "$(uname -s) is not supported: only TensorFlow's wheel for Linux contains its C library"
	need "${GO:-go}" "install Go (Debian: apt-get install golang-go; or https://go.dev/dl)"
	need "${CC:-gcc}" "install a C compiler (Debian: apt-get install gcc libc6-dev)"
	echo '#include <stdlib.h>' | "${CC:-gcc}" -E -o /dev/null - 2>/dev/null ||
		die "${CC:-gcc} does not find stdlib.h: install the headers of libc (Debian: apt-get install libc6-dev)"
	# go.mod names the version; Go 1.21 and later downloads it if GOTOOLCHAIN allows it.
	reason=$("${GO:-go}" list -m 2>&1) || die "go does not work: $(last "$reason")"
}

# virtual_environment makes it, again if its Python no longer works.
virtual_environment() {
	"$venv/bin/python" -c 'import pip' 2>/dev/null && return
	python=${PYTHON:-python3}
	need "$python" "install Python 3.11 to 3.13 (Debian: apt-get install python3-venv)"
	"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
		die "$python is $("$python" -V): the packages need 3.11 to 3.13; set PYTHON to one of these"
	"$python" -c 'import venv, ensurepip' 2>/dev/null ||
		die "$python cannot make virtual environments (Debian: apt-get install python3-venv)"
	rm -rf "$venv"
	reason=$("$python" -m venv "$venv" 2>&1) || die "$python cannot make $venv: $(last "$reason")"
}

packages() {
	stamp=$venv/requirements.txt # written when all are installed
	cmp -s "$requirements" "$stamp" && return
	size=$(sed -n 's/^# pip downloads \(.*\)\.$/\1/p' "$requirements")
	echo "setup: installing TensorFlow${GPU:+ with CUDA} and the Python packages into $venv: $size to download; this takes a few minutes" >&2
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
		--requirement "$requirements" 2>build/pip.log ||
		die "pip cannot install $requirements: $(last "$(grep ^ERROR build/pip.log)") (is the network up? see build/pip.log)"
	cp "$requirements" "$stamp"
}

# libtensorflow links to the wheel's libraries. The C++ library contains the C API too. The linker
# looks for it under the C library's name, the loader under the name that is written in it. It looks
# for CUDA's libraries in ../nvidia from where the link is.
libtensorflow() {
	site=$(echo "$venv"/lib/python3.*/site-packages)
	wheel=$site/tensorflow
	[ -f "$wheel/libtensorflow_cc.so.2" ] || die "$wheel has no libtensorflow_cc.so.2: remove $venv and try again"
	mkdir -p "$lib/lib"
	link "$root/$wheel/include" "$lib/include"
	for name in libtensorflow.so libtensorflow_cc.so.2; do
		link "$root/../$wheel/libtensorflow_cc.so.2" "$lib/lib/$name"
	done
	for name in libtensorflow_framework.so libtensorflow_framework.so.2; do
		link "$root/../$wheel/libtensorflow_framework.so.2" "$lib/lib/$name"
	done
	[ -z "${GPU:-}" ] || link "$root/$site/nvidia" "$lib/nvidia"
}

link() { # target, link
	[ "$(readlink "$2" || true)" = "$1" ] || ln -sfn "$1" "$2"
}

installed_libtensorflow() {
	for file in include/tensorflow/c/c_api.h lib/libtensorflow.so lib/libtensorflow_framework.so; do
		[ -e "$LIBTENSORFLOW/$file" ] || die "LIBTENSORFLOW=$LIBTENSORFLOW has no $file"
	done
}

last() { # the last line of a text, without the tool's prefix
	echo "$1" | tail -n 1 | sed 's/^[a-z]*: //; s/^ERROR: //'
}

prerequisites
mkdir -p build
exec 9>build/setup.lock
flock 9 # in case two makes run at once
virtual_environment
packages
if [ -n "${LIBTENSORFLOW:-}" ]; then
	installed_libtensorflow
else
	libtensorflow
fi
