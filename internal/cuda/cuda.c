#define _GNU_SOURCE // dlinfo

#include "cuda.h"

#include <dlfcn.h>
#ifdef __linux__
#include <link.h>
#endif
#include <stdio.h>
#include <stdlib.h>

void cuda_load(char *path, struct cuda_library *found) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library) {
		snprintf(found->why, sizeof found->why, "%s", dlerror());
	} else {
#ifdef __linux__
		struct link_map *map;
		if (!dlinfo(library, RTLD_DI_LINKMAP, &map)) snprintf(found->path, sizeof found->path, "%s", map->l_name);
#endif
		dlclose(library); // TensorFlow would find it, wherever it is, as long as it is open
	}
	free(path);
}

// Attributes of a device, by their numbers in the driver's interface.
enum { capability_major = 75, capability_minor = 76 };

// find returns a function of the driver, or notes that there is none.
static void *find(struct cuda_driver *driver, void *library, const char *name) {
	void *function = dlsym(library, name);
	if (!function) snprintf(driver->why, sizeof driver->why, "the driver's library has no %s", name);
	return function;
}

// failed notes that a call failed, if it did.
static int failed(struct cuda_driver *driver, void *library, const char *call, int code) {
	if (!code) return 0;
	const char *why = "unknown";
	int (*explain)(int, const char **) = dlsym(library, "cuGetErrorString");
	if (!explain || explain(code, &why) || !why) why = "unknown";
	driver->call = call;
	driver->code = code;
	snprintf(driver->why, sizeof driver->why, "%s", why);
	return 1;
}

static void ask(struct cuda_driver *driver, void *library) {
	int (*version)(int *) = find(driver, library, "cuDriverGetVersion");
	int (*init)(unsigned) = find(driver, library, "cuInit");
	int (*count)(int *) = find(driver, library, "cuDeviceGetCount");
	int (*get)(int *, int) = find(driver, library, "cuDeviceGet");
	int (*name)(char *, int, int) = find(driver, library, "cuDeviceGetName");
	int (*memory)(size_t *, int) = find(driver, library, "cuDeviceTotalMem_v2");
	int (*attribute)(int *, int, int) = find(driver, library, "cuDeviceGetAttribute");
	if (*driver->why) return;
	if (failed(driver, library, "cuDriverGetVersion", version(&driver->version))) return;
	if (failed(driver, library, "cuInit", init(0))) return;
	if (failed(driver, library, "cuDeviceGetCount", count(&driver->count))) return;
	if (driver->count > cuda_most) driver->count = cuda_most;
	for (int i = 0; i < driver->count; i++) {
		struct cuda_device *d = &driver->devices[i];
		int device = 0;
		if (failed(driver, library, "cuDeviceGet", get(&device, i))) return;
		if (failed(driver, library, "cuDeviceGetName", name(d->name, sizeof d->name - 1, device))) return;
		if (failed(driver, library, "cuDeviceTotalMem", memory(&d->memory, device))) return;
		if (failed(driver, library, "cuDeviceGetAttribute", attribute(&d->major, capability_major, device))) return;
		if (failed(driver, library, "cuDeviceGetAttribute", attribute(&d->minor, capability_minor, device))) return;
	}
}

void cuda_ask(char *path, struct cuda_driver *driver) {
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL); // for good: a driver cannot be unloaded
	if (library) ask(driver, library);
	else snprintf(driver->why, sizeof driver->why, "%s", dlerror());
	free(path);
}
