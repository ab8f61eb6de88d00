#include <stdlib.h>
#include <string.h>

// Run by the loader before the constructors of the libraries that the
// executable needs, TensorFlow's among them.
static void quiet(int argc, char **argv, char **envp) {
	(void)envp;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--verbose")) return;
	setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0);
}

__attribute__((section(".preinit_array"), used))
static void (*const run_quiet)(int, char **, char **) = quiet;
