#define _GNU_SOURCE // dlinfo

#include "open.h"

#include <dlfcn.h>
#ifdef __linux__
#include <link.h>
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// before_libtensorflow, if a program defines it, runs just before the library loads.
// It returns the file descriptor for errors.
int before_libtensorflow(void) __attribute__((weak));

static struct libtensorflow loaded = {.errors = STDERR_FILENO};
static pthread_once_t once = PTHREAD_ONCE_INIT;

// name_file notes the path by which a library was loaded, where the system says it.
static void name_file(char *path, size_t size, void *handle) {
#ifdef __linux__
	struct link_map *map;
	if (handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map)) snprintf(path, size, "%s", map->l_name);
#endif
}

static void load(void) {
	if (before_libtensorflow) loaded.errors = before_libtensorflow();
	setenv("TF_ENABLE_ONEDNN_OPTS", "1", 0);
	// In the program's rpath or the system's folders: as it is installed for development, as the
	// runtime alone, and as it is in TensorFlow's wheel.
	const char *names[] = {"libtensorflow.so", "libtensorflow.so.2", "libtensorflow_cc.so.2"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		loaded.handle = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
		if (loaded.handle) {
			name_file(loaded.library, sizeof loaded.library, loaded.handle);
			name_file(loaded.framework, sizeof loaded.framework, dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NOLOAD));
			return;
		}
		const char *reason = dlerror(); // "NAME: cannot open …" if no folder has it
		if (!*loaded.why || strncmp(reason, names[i], strlen(names[i]))) snprintf(loaded.why, sizeof loaded.why, "%s", reason);
	}
}

const struct libtensorflow *libtensorflow_open(void) {
	pthread_once(&once, load);
	return &loaded;
}
