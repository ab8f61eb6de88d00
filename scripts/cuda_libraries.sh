#!/bin/sh
# cuda_libraries.sh [PROGRAM]: on a machine without a GPU, prints each of CUDA's libraries that
# TensorFlow opens for one, and where it is found. Fails if one is not. PROGRAM is bin/tftl or
# another with TensorFlow's CUDA build.
#
# A stand-in for NVIDIA's driver says that there is a GPU. It can be described, but does nothing, so
# the program fails when all libraries are open.
set -eu
program=$(realpath "${1:-$(dirname "$0")/../bin/tftl}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

debug() { # the log of the loader, with the libraries of a folder before others
	rm -f log.*
	LD_LIBRARY_PATH=$1 LD_DEBUG=libs LD_DEBUG_OUTPUT=log "$program" version --device gpu >out 2>&1 || true
	cat log.*
}

cat >driver.c <<'END'
#include <stddef.h>
#include <string.h>
int cuDriverGetVersion(int *v) { *v = 99000; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *d, int n) { *d = n; return n ? 101 : 0; }
int cuDeviceGetName(char *s, int n, int d) { strncpy(s, "stand-in", n); return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : a == 76 ? 0 : 1024; return 0; }
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = (size_t)8 << 30; return 0; }
int cuMemGetInfo_v2(size_t *f, size_t *t) { *f = *t = (size_t)8 << 30; return 0; }
int cuDeviceGetPCIBusId(char *s, int n, int d) { strncpy(s, "0000:00:00.0", n); return 0; }
int cuGetErrorName(int e, const char **s) { *s = "stand-in"; return 0; }
int cuGetErrorString(int e, const char **s) { *s = "stand-in"; return 0; }
int cuDevicePrimaryCtxRetain(void **c, int d) { static int x; *c = &x; return 0; }
int cuCtxGetCurrent(void **c) { static int x; *c = &x; return 0; }
int cuGetProcAddress(const char *s, void **p, int v, long f) { *p = NULL; return 500; }
int cuGetProcAddress_v2(const char *s, void **p, int v, long f, int *q) { *p = NULL; return 500; }
END
# All other functions of the driver that TensorFlow knows do nothing.
library=$(debug '' | sed -n 's/.*calling init: \(.*libtensorflow[._a-z]*so.*\)/\1/p' | grep -v framework | head -n 1)
for name in cuInit $(strings -n 5 "$library" | grep -E '^cu(Init|Driver|Device|Ctx|Mem|Stream|Event|Module|Func|Launch|Pointer|Get|Graph|Link|Occupancy|Kernel|Library|Array|Ipc|Multicast)[A-Za-z0-9]*(_v[23])?$' | sort -u); do
	grep -q " $name(" driver.c || echo "int $name(void) { return 0; }" >>driver.c
done
mkdir driver
gcc -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o driver/libcuda.so.1 driver.c
echo 'int nvmlInit(void) { return 0; } int nvmlInit_v2(void) { return 0; }' >nvml.c
gcc -w -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o driver/libnvidia-ml.so.1 nvml.c

# cuDNN tries longer names first: libcudnn_graph.so.9.28.
debug "$work/driver" | awk '
	{ path = $NF }
	/find library=/ { path = $0; sub(/.*find library=/, "", path); sub(/ .*/, "", path) }
	/find library=|calling init:/ {
		name = path; sub(/.*\//, "", name); match(name, /\.so\.[0-9]+/); name = substr(name, 1, RSTART + RLENGTH - 1)
		if (name ~ /^lib(cu|nv|nccl)/ && !(name in found)) found[name] = "NOT FOUND"
		if (name in found && path ~ /\//) found[name] = path
	}
	END { for (name in found) print name, found[name] }' | sort >libraries
cat libraries
! grep 'NOT FOUND' libraries >/dev/null || exit 1
grep -q libcudnn libraries || {
	echo "TensorFlow did not open CUDA's libraries:" >&2
	cat out >&2
	exit 1
}
