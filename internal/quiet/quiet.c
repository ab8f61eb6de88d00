#define _GNU_SOURCE // fopencookie

#include "last.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char level[] = "TF_CPP_MIN_LOG_LEVEL=3";
// TensorFlow turns oneDNN on by itself only if it finds AVX512-VNNI, AVX512-BF16
// or AMX. oneDNN is faster on AVX2 too.
static const char onednn[] = "TF_ENABLE_ONEDNN_OPTS=1";
int quiet_kept = -1;

// verbose looks for --verbose itself: this runs before main, so before any Go code
// can parse the command line.
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

// with_variables restarts the program with the variables that are not set yet. libc
// sets up the environment after this point, so setenv would have no effect.
static void with_variables(char **argv, char **envp, int quiet) {
	size_t n = 0, added = 0;
	while (envp[n]) n++;
	char **longer = malloc((n + 3) * sizeof *longer);
	if (!longer) return;
	if (!set(envp, onednn)) longer[added++] = (char *)onednn;
	if (quiet && !set(envp, level)) longer[added++] = (char *)level;
	memcpy(longer + added, envp, (n + 1) * sizeof *longer);
	if (added > 0) execve("/proc/self/exe", argv, longer); // if it fails, the program runs without them
	free(longer);
}

// refuse_output makes writing to a closed standard output an error. Go would open
// it as /dev/null, and results would be lost in silence. A read-only file
// descriptor gives the error.
static void refuse_output(void) {
	if (fcntl(STDOUT_FILENO, F_GETFD) >= 0) return;
	int null = open("/dev/null", O_RDONLY);
	if (null >= 0 && null != STDOUT_FILENO) dup2(null, STDOUT_FILENO);
	if (null > STDERR_FILENO) close(null);
}

// refuse_little_memory exits if the address space is too small. Go's runtime would
// crash with a long dump when it cannot reserve memory. With less than this it
// could not start, or TensorFlow could not load a network.
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

// The loader runs hush before the constructors of the libraries that the
// executable needs. Those print some of TensorFlow's lines, whatever the level.
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

// hear takes what C code prints to stderr later. For example, libjpeg complains
// about an image without naming it. If C code ends the process, last.c uses this.
static ssize_t hear(void *none, const char *text, size_t n) {
	(void)none;
	quiet_heard(text, n);
	return (ssize_t)n;
}

// speak runs after those constructors and before Go. It restores file descriptor 2
// for Go, but not stdio's stderr, which the libraries use.
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
