// cuda.h: opens libraries, and asks NVIDIA's driver.
#pragma once

#include <stddef.h>

enum { cuda_most = 64 }; // more GPUs than this are left out

struct cuda_library {
	char path[4096];
	char why[900]; // empty if it was loaded
};

struct cuda_device {
	char name[256];
	size_t memory;
	int major, minor;
};

struct cuda_driver {
	int version, count;
	struct cuda_device devices[cuda_most];
	const char *call; // that failed, or NULL
	int code;
	char why[900]; // why it failed; empty if nothing did
};

// These free the path, and never fail in another way than they say.
void cuda_load(char *path, struct cuda_library *found);
void cuda_ask(char *path, struct cuda_driver *driver);
