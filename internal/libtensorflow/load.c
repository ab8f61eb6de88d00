//go:build amd64 || arm64

#define _GNU_SOURCE // RTLD_DEFAULT

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A slot is where a stub jumps to: back to itself until the function is found.
struct slot {
	void *address;
	const char *name;
};

// before_libtensorflow, if a program defines it, runs just before the library loads.
// It returns the file descriptor for errors.
int before_libtensorflow(void) __attribute__((weak));

static int errors = STDERR_FILENO;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// fail ends the program, because no function of the library can return an error of
// this kind.
static void fail(const char *why) {
	char text[1024];
	int n = snprintf(text, sizeof text, "tftl: cannot load TensorFlow: %s\n", why);
	if (n > (int)sizeof text - 1) n = sizeof text - 1;
	if (write(errors, text, (size_t)n) < 0) _exit(1);
	_exit(1);
}

static void load(void) {
	if (before_libtensorflow) errors = before_libtensorflow();
	setenv("TF_ENABLE_ONEDNN_OPTS", "1", 0);
	// In the program's rpath or the system's folders: as it is installed for development, as the
	// runtime alone, and as it is in TensorFlow's wheel.
	const char *names[] = {"libtensorflow.so", "libtensorflow.so.2", "libtensorflow_cc.so.2"};
	char why[900] = "";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (dlopen(names[i], RTLD_NOW | RTLD_GLOBAL)) return;
		const char *reason = dlerror(); // "NAME: cannot open …" if no folder has it
		if (!*why || strncmp(reason, names[i], strlen(names[i]))) snprintf(why, sizeof why, "%s", reason);
	}
	fail(why);
}

// libtensorflow_find fills a slot. Threads that do so at once write the same. What
// LD_PRELOAD defines comes first, as with any library.
__attribute__((visibility("hidden")))
void libtensorflow_find(struct slot *slot) {
	pthread_once(&once, load);
	void *address = dlsym(RTLD_DEFAULT, slot->name);
	if (!address) fail(dlerror());
	__atomic_store_n(&slot->address, address, __ATOMIC_RELEASE);
}
