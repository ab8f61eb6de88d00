#!/bin/sh
# torch.sh ENVIRONMENT: lets PyPI's torch for x86-64 run without CUDA. Its libraries are linked with
# CUDA's, which take 2.5 GB and are never called on a processor. This makes empty ones in their
# place: every function they should have returns 100, "no device". Needs a C compiler.
set -eu
cd "$1"/lib/python3*/site-packages/torch/lib
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for library in lib*.so*; do
	readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(lib\(cu\|nv\|nccl\).*\)\]/\1/p' >>"$work/needed"
	nm -D --undefined-only "$library" | sed -n 's/.* U \(_*\(cu\|nv\|nccl\).*\)/\1/p' >>"$work/symbols"
done
sort -u "$work/needed" | while read -r name; do
	[ ! -e "$name" ] || continue
	case $name in # symbols are name@version, and the version is the file's name but for two
	libnvshmem*) version=NVSHMEM symbols=@NVSHMEM ;;
	libcudart*) version=$name symbols="\\(@$name\\)\\{0,1\\}" ;;
	*) version=$name symbols=@$name ;;
	esac
	echo "$version { global: *; };" >"$work/map"
	# The result of the function that registers kernels is a pointer that is used.
	sed -n "s/^\\([^@]*\\)$symbols\$/\\1/p" "$work/symbols" | sort -u | sed \
		-e 's/^__cudaRegisterFatBinary$/static void *none; void **&(void) { return \&none; }/' \
		-e t -e 's/.*/int &(void) { return 100; }/' >"$work/stub.c"
	${CC:-gcc} -shared -fPIC -w -fno-builtin -Wl,-soname,"$name" -Wl,--version-script,"$work/map" \
		-o "$name" "$work/stub.c"
done
