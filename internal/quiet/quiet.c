#define _GNU_SOURCE // fopencookie

#include "last.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char level[] = "TF_CPP_MIN_LOG_LEVEL=3";
// TensorFlow turns oneDNN on by itself only where it finds AVX512-VNNI,
// AVX512-BF16 or AMX; on AVX2 it is faster, too.
static const char onednn[] = "TF_ENABLE_ONEDNN_OPTS=1";
int quiet_kept = -1;

static int verbose(char **argv, char **envp) {
	for (int i = 1; argv[i] && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--verbose")) return 1;
	static const char name[] = "TFTL_VERBOSE=";
	for (size_t i = 0, n = sizeof name - 1; envp[i]; i++)
		if (!strncmp(envp[i], name, n) && envp[i][n] && strchr("1tT", envp[i][n])) return 1;
	return 0;
}

static int set(char **envp, const char *variable) {
	size_t name = strcspn(variable, "=") + 1;
	for (; *envp; envp++)
		if (!strncmp(*envp, variable, name)) return 1;
	return 0;
}

// Starts the program again with the variables that are not set yet: libc makes
// the environment anew after this, so setting one now has no effect.
static void with_variables(char **argv, char **envp, int quiet) {
	size_t n = 0, added = 0;
	while (envp[n]) n++;
	char **longer = malloc((n + 3) * sizeof *longer);
	if (!longer) return;
	if (!set(envp, onednn)) longer[added++] = (char *)onednn;
	if (quiet && !set(envp, level)) longer[added++] = (char *)level;
	memcpy(longer + added, envp, (n + 1) * sizeof *longer);
	if (added > 0) execve("/proc/self/exe", argv, longer); // where it fails, the program goes on without them
	free(longer);
}

// Go opens a standard output that was closed as /dev/null, where an answer would
// be lost without an error. One that is open for reading alone gives the error.
static void refuse_output(void) {
	if (fcntl(STDOUT_FILENO, F_GETFD) >= 0) return;
	int null = open("/dev/null", O_RDONLY);
	if (null >= 0 && null != STDOUT_FILENO) dup2(null, STDOUT_FILENO);
	if (null > STDERR_FILENO) close(null);
}

// Go's runtime ends with a dump of its insides where it cannot reserve memory.
// With less room than this it could not when it starts, and TensorFlow would
// open no network.
static void refuse_little_memory(void) {
	size_t room = (size_t)3 << 29;
	void *reserved = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved != MAP_FAILED) {
		munmap(reserved, room);
		return;
	}
	static const char text[] = "tftl: out of memory: the address space is too small for the program (ulimit -v limits it)\n";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(1);
	_exit(1);
}

// Run by the loader before the constructors of the libraries that the
// executable needs: some of TensorFlow's lines are written there, and obey no
// level.
static void hush(int argc, char **argv, char **envp) {
	(void)argc;
	refuse_output();
	refuse_little_memory();
	int quiet = !verbose(argv, envp);
	with_variables(argv, envp, quiet);
	quiet_guard();
	if (!quiet) return;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0) return;
	quiet_kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (quiet_kept >= 0) dup2(null, STDERR_FILENO);
	close(null);
}

__attribute__((section(".preinit_array"), used))
static void (*const run_hush)(int, char **, char **) = hush;

// Takes what C code prints to stderr from then on: libjpeg, for one, complains
// of an image without naming it. If the process ends by it, last.c says why.
static ssize_t hear(void *none, const char *text, size_t n) {
	(void)none;
	quiet_heard(text, n);
	return (ssize_t)n;
}

// Run after them, before Go: file descriptor 2 is itself again, for Go, and
// stdio's stderr is not, for the libraries.
__attribute__((constructor))
static void speak(void) {
	quiet_unguard();
	if (quiet_kept < 0) return;
	dup2(quiet_kept, STDERR_FILENO);
	close(quiet_kept);
	quiet_kept = -1;
	const char *wanted = getenv("TF_CPP_MIN_LOG_LEVEL");
	if (wanted && strcmp(wanted, strchr(level, '=') + 1)) return;
	FILE *muted = fopencookie(NULL, "w", (cookie_io_functions_t){.write = hear});
	if (!muted) return;
	setvbuf(muted, NULL, _IONBF, 0);
	stderr = muted;
}
