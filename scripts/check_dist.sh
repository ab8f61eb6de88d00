#!/bin/sh
# check_dist.sh ARCHIVE DEB MODEL PHOTOGRAPHS: uses a release on a machine that has nothing else.
#
# That is a minimal Debian without Python, compiler and Go, an ordinary user, and no network. First
# the archive is unpacked there, then the Debian package is installed. MODEL is a folder or a packed
# network. A release for arm64 runs under qemu, with the libraries of such a Debian.
#
# Only root can do that, where namespaces can be made. With ALLOW_LESS=1 it is no error if not: then
# the archive alone is used on this machine, and a line says so. debootstrap makes the Debian the
# first time. It is kept in the user's cache folder, and so are debootstrap and qemu where they are
# not installed.
set -eu

archive=$1 deb=$2 model=$3 photographs=$4
suite=bookworm
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tftl/debian
case $archive in *-arm64.*) architecture=arm64 ;; *) architecture=amd64 ;; esac

die() {
	echo "check_dist: $architecture: $*" >&2
	exit 1
}

say() {
	echo "check_dist: $architecture: $*" >&2
}

# tool PROGRAM PACKAGE: prints the program's path; the package is unpacked if it is not installed.
tool() {
	command -v "$1" && return
	[ -d "$cache/$2" ] || {
		mkdir -p "$cache/$2.part"
		(cd "$cache/$2.part" && apt-get download -qq "$2" && dpkg-deb -x ./*.deb .) >&2 || die "apt-get cannot download $2"
		mv "$cache/$2.part" "$cache/$2"
	}
	find "$cache/$2" -name "$1" -type f
}

# debian DIR: unpacks a minimal Debian into a new folder.
debian() {
	tar=$cache/$suite-$architecture.tar
	[ -e "$tar" ] || {
		say "making a minimal Debian"
		mkdir -p "$cache"
		program=$(tool debootstrap debootstrap)
		case $program in "$cache"*) export DEBOOTSTRAP_DIR="$cache/debootstrap/usr/share/debootstrap" ;; esac
		case $architecture in amd64) foreign= ;; *) foreign=--foreign ;; esac # only unpacked
		for attempt in 1 2 3; do # mirrors have bad moments
			rm -rf "$work/made"
			"$program" --variant=minbase --arch="$architecture" $foreign --include=libstdc++6 "$suite" "$work/made" >"$work/log" 2>&1 && break
			[ $attempt != 3 ] || die "debootstrap: $(tail -n 1 "$work/log")"
		done
		tar -C "$work/made" -cf "$tar.part" .
		mv "$tar.part" "$tar"
		rm -rf "$work/made"
	}
	mkdir "$1"
	tar -C "$1" -xf "$tar"
}

# check_package FILE: checks a Debian package, in such a Debian where lintian is not installed.
check_package() {
	if command -v lintian >/dev/null; then
		lintian --fail-on error --allow-root "$1"
		return
	fi
	root=$work/tools
	debian "$root"
	mkdir -p "$root/home/user"
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	say "installing lintian there"
	chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c '
		apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends lintian
	' >"$work/log" 2>&1 || die "apt-get: $(tail -n 1 "$work/log")"
	cp "$1" "$root/tmp/tftl.deb"
	inside 0:0 "lintian --fail-on error --allow-root /tmp/tftl.deb"
}

# inside USER COMMAND: runs a shell in $root, in the home of the ordinary user.
inside() {
	# shellcheck disable=SC2016 # the shell within expands them
	unshare --net --mount --pid --fork sh -c '
		mount -t proc proc "$1/proc"
		exec chroot --userspec="$2" "$1" /usr/bin/env -i HOME=/home/user PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -euc "cd; $3"
	' sh "$root" "$1" "$2"
}

as_user() {
	inside 1000:1000 "$1"
}

here() { # the same on this machine, for arm64 under qemu with the libraries in $root
	(cd "$root/home/user" && env -i HOME="$root/home/user" PATH=/usr/bin:/bin sh -euc "$1")
}

# use RUN TFTL: does what people do, RUN being one of the functions above.
use() {
	"$1" "$2 version && $2 doctor"
	"$1" "$2 fit --data photographs --model model --seed 1 --epochs 5 --output runs/first --quiet"
	"$1" "$2 evaluate --model runs/first --min accuracy=0.6 --quiet"
	"$1" "$2 predict --model runs/first photographs" >"$work/predictions"
	[ "$(wc -l <"$work/predictions")" -gt 1 ] || die "predict printed $(cat "$work/predictions")"
	"$1" "printf 'output: runs/batch\ndata: photographs\nmodel: model\nepochs: 2\nmatrix:\n  lr: [1e-3, 3e-3]\n' >runs.yaml"
	"$1" "$2 run runs.yaml --quiet"
	"$1" "if $2 doctor --device gpu >gpu.txt; then exit 1; fi; grep '^failed' gpu.txt"
}

# home: makes the ordinary user's folder, with the data.
home() {
	mkdir -p "$root/home/user"
	cp -RL "$photographs" "$root/home/user/photographs"
	case $model in
	*.tar.*) mkdir "$root/home/user/model" && tar -C "$root/home/user/model" --strip-components=1 -xf "$model" ;;
	*) cp -RL "$model" "$root/home/user/model" ;;
	esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root

if [ "$(id -u)" != 0 ] || ! unshare --net --mount --pid --fork true; then
	[ -n "${ALLOW_LESS:-}" ] || die "no right to make a Debian of its own; ALLOW_LESS=1 uses only the archive, on this machine"
	say "no right to make a Debian of its own: the archive is used on this machine, the Debian package is not"
	home
	tar -C "$root/home/user" -xf "$archive"
	[ $architecture = arm64 ] || use here ./tftl-*/bin/tftl
	exit
fi

if [ $architecture = arm64 ]; then
	qemu=$(tool qemu-aarch64-static qemu-user-static)
	debian "$root"
	home
	tar -C "$root/home/user" -xf "$archive"
	use here "$qemu -L ../.. ./tftl-*/bin/tftl"
	dpkg-deb -x "$deb" "$root"
	"$qemu" -L "$root" "$root/usr/lib/tftl/bin/tftl" version >/dev/null
	say "the archive and the Debian package work"
	exit
fi

debian "$root"
home
inside 0:0 "! command -v python3 && ! command -v gcc && ! command -v go"
chown -R 1000:1000 "$root/home/user"
# Debian's tar reads .tar.zst only where zstd is installed.
mkdir "$root/opt/release" && tar -C "$root/opt/release" -xf "$archive"
use as_user "$(cd "$root" && echo /opt/release/tftl-*/bin/tftl)"
as_user "mkdir -p bin && ln -s /opt/release/tftl-*/bin/tftl bin/t && cp -R /opt/release/tftl-* moved && bin/t version >/dev/null && moved/bin/tftl version >/dev/null"
rm -rf "$root/opt/release" "$root"/home/user/runs "$root"/home/user/moved "$root"/home/user/.cache
cp "$deb" "$root/tmp/tftl.deb"
inside 0:0 "dpkg -i /tmp/tftl.deb >/dev/null"
use as_user tftl
inside 0:0 "dpkg --remove tftl >/dev/null && ! test -e /usr/lib/tftl"

check_package "$deb"
say "the archive and the Debian package work"
