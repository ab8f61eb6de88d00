//go:build linux && (amd64 || arm64)

#define _GNU_SOURCE // RTLD_DEFAULT

#include "open.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

// A slot is where a stub jumps to: back to itself until the function is found.
struct slot {
	void *address;
	const char *name;
};

// fail ends the program, because no function of the library can return an error of
// this kind.
static void fail(int errors, const char *why) {
	char text[1024];
	int n = snprintf(text, sizeof text, "tftl: cannot load TensorFlow: %s\nhint: tftl doctor says where it is looked for\n", why);
	if (n > (int)sizeof text - 1) n = sizeof text - 1;
	if (write(errors, text, (size_t)n) < 0) _exit(1);
	_exit(1);
}

// libtensorflow_find fills a slot. Threads that do so at once write the same. What
// LD_PRELOAD defines comes first, as with any library.
__attribute__((visibility("hidden")))
void libtensorflow_find(struct slot *slot) {
	const struct libtensorflow *loaded = libtensorflow_open();
	if (!loaded->handle) fail(loaded->errors, loaded->why);
	void *address = dlsym(RTLD_DEFAULT, slot->name);
	if (!address) fail(loaded->errors, dlerror());
	__atomic_store_n(&slot->address, address, __ATOMIC_RELEASE);
}
