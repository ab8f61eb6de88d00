// open.h: loads the library once, for whoever needs it first.
#pragma once

struct libtensorflow {
	void *handle; // NULL if the library was not loaded
	int errors;   // the file descriptor for errors
	char why[900];
	char library[4096], framework[4096]; // the paths by which they were loaded, as far as they are known
};

// libtensorflow_open returns the loaded library, or why it cannot be loaded.
__attribute__((visibility("hidden")))
const struct libtensorflow *libtensorflow_open(void);
