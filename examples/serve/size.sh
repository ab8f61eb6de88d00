#!/bin/sh
# size.sh SERVE LOAD LIBRARY MODEL PHOTOGRAPHS: prints how large a container of the service is, and
# runs the load test in one that has nothing else. That takes namespaces, but no Docker.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
"$(dirname "$0")/root.sh" "$1" "$3" "$root"
size() { # LABEL FILES…: megabytes as they are, and packed as a registry keeps them
	label=$1
	shift
	printf '| %s | %s | %s |\n' "$label" "$(tar -cf - "$@" | wc -c | awk '{printf "%.1f", $1 / 1e6}')" \
		"$(tar -cf - "$@" | gzip | wc -c | awk '{printf "%.1f", $1 / 1e6}')"
}
cd "$root"
printf '| | MB | packed |\n|---|---|---|\n'
size "the service" serve
size "onnxruntime" libonnxruntime.so
size "C and C++ libraries" lib*/
size "the image, without a model" .
cd "$OLDPWD"
cp "$4" "$root/model.onnx"
mkdir "$root/proc" # which containers have
cat >"$work/serve" <<END
#!/bin/sh
exec unshare --user --map-root-user --mount sh -c 'mount --rbind /proc "\$0/proc" && exec chroot "\$0" /serve "\$@"' '$root' "\$@"
END
chmod +x "$work/serve"
"$2" -serve "$work/serve" -model /model.onnx -library /libonnxruntime.so -photographs "$5" -requests 100 >&2
