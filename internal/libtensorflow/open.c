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
// It returns the file descriptor for errors. Only Linux' linker leaves it undefined.
#ifdef __linux__
int before_libtensorflow(void) __attribute__((weak));
#endif

static struct libtensorflow loaded = {.errors = STDERR_FILENO};
static pthread_once_t once = PTHREAD_ONCE_INIT;

// name_file notes the path by which a library was loaded, where the system says it.
static void name_file(char *path, size_t size, void *handle) {
#ifdef __linux__
	struct link_map *map;
	if (handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map)) snprintf(path, size, "%s", map->l_name);
#endif
}

// open_cusolver opens libcusolver for TensorFlow's CUDA build, which needs it for a GPU.
// NVIDIA's wheels have it in a folder of its own, and that of 2.21 looks for it in the
// folders of all other libraries only. A library that is open is found by its name.
static void open_cusolver(void) {
	_Bool (*cuda)(void) = dlsym(loaded.handle, "_ZN10tensorflow19IsGoogleCudaEnabledEv");
	char *end = strrchr(loaded.framework, '/');
	if (!cuda || !cuda() || !end) return;
	static const char *const folders[] = {"/..", "/../.."};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char path[sizeof loaded.framework + 64];
		snprintf(path, sizeof path, "%.*s%s/nvidia/cusolver/lib/libcusolver.so.11", (int)(end - loaded.framework), loaded.framework, folders[i]);
		if (!access(path, R_OK) && dlopen("libcuda.so.1", RTLD_LAZY) && dlopen(path, RTLD_LAZY)) return;
	}
}

// As it is installed for development, as the runtime alone, and as it is in TensorFlow's wheel.
#ifdef __APPLE__
static const char *const names[] = {"@rpath/libtensorflow.dylib", "@rpath/libtensorflow_cc.2.dylib"};
#else
static const char *const names[] = {"libtensorflow.so", "libtensorflow.so.2", "libtensorflow_cc.so.2"};
#endif
enum { NAMES = sizeof names / sizeof *names };

// open_in_order opens the first library in the folders where the loader looks, in its order.
// By name alone, a libtensorflow.so of the system would come before the
// libtensorflow_cc.so.2 that a release or a wheel has beside the program.
static void *open_in_order(void) {
	void *found = NULL;
#ifdef __GLIBC__
	Dl_serinfo size, *folders = NULL;
	void *program = dlopen(NULL, RTLD_LAZY);
	if (program && !dlinfo(program, RTLD_DI_SERINFOSIZE, &size)) folders = malloc(size.dls_size);
	if (folders && !dlinfo(program, RTLD_DI_SERINFOSIZE, folders) && !dlinfo(program, RTLD_DI_SERINFO, folders)) {
		for (size_t i = 0, there = 0; !there && i < NAMES * folders->dls_cnt; i++) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", folders->dls_serpath[i / NAMES].dls_name, names[i % NAMES]);
			there = !access(path, R_OK);
			if (there) found = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
		}
	}
	free(folders);
#endif
	return found;
}

static void load(void) {
#ifdef __linux__
	if (before_libtensorflow) loaded.errors = before_libtensorflow();
#endif
	setenv("TF_ENABLE_ONEDNN_OPTS", "1", 0);
	loaded.handle = open_in_order();
	for (size_t i = 0; i < NAMES; i++) { // with the system's cache of libraries, and for the reason
		if (!loaded.handle) loaded.handle = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
		if (loaded.handle) {
			name_file(loaded.library, sizeof loaded.library, loaded.handle);
			name_file(loaded.framework, sizeof loaded.framework, dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NOLOAD));
			open_cusolver();
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
