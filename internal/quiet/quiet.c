#define _GNU_SOURCE // fopencookie

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char level[] = "TF_CPP_MIN_LOG_LEVEL=3";
static int kept = -1; // the real stderr while the libraries start

static int verbose(char **argv, char **envp) {
	for (int i = 1; argv[i] && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--verbose")) return 1;
	static const char name[] = "TFTL_VERBOSE=";
	for (size_t i = 0, n = sizeof name - 1; envp[i]; i++)
		if (!strncmp(envp[i], name, n) && envp[i][n] && strchr("1tT", envp[i][n])) return 1;
	return 0;
}

// Starts the program again with the level set: libc makes the environment
// anew after this, so setting a variable now has no effect.
static void with_level(char **argv, char **envp) {
	size_t n = 0, name = strcspn(level, "=") + 1;
	for (; envp[n]; n++)
		if (!strncmp(envp[n], level, name)) return;
	char **longer = malloc((n + 2) * sizeof *longer);
	if (!longer) return;
	longer[0] = (char *)level;
	memcpy(longer + 1, envp, (n + 1) * sizeof *longer);
	execve("/proc/self/exe", argv, longer); // where it fails, the lines are shown
	free(longer);
}

// Run by the loader before the constructors of the libraries that the
// executable needs: some of TensorFlow's lines are written there, and obey no
// level.
static void hush(int argc, char **argv, char **envp) {
	(void)argc;
	if (verbose(argv, envp)) return;
	with_level(argv, envp);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0) return;
	kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (kept >= 0) dup2(null, STDERR_FILENO);
	close(null);
}

__attribute__((section(".preinit_array"), used))
static void (*const run_hush)(int, char **, char **) = hush;

// Takes what C code prints to stderr from then on: libjpeg, for one, complains
// of an image without naming it. The line that says why TensorFlow ends the
// process, "F0000 …", is let through.
static ssize_t fatal(void *none, const char *text, size_t n) {
	(void)none;
	int ends = n > 1 && text[0] == 'F' && text[1] >= '0' && text[1] <= '9';
	if (ends && write(STDERR_FILENO, text, n) < 0) return 0;
	return (ssize_t)n;
}

// Run after them, before Go: file descriptor 2 is itself again, for Go, and
// stdio's stderr is not, for the libraries.
__attribute__((constructor))
static void speak(void) {
	if (kept < 0) return;
	dup2(kept, STDERR_FILENO);
	close(kept);
	kept = -1;
	const char *wanted = getenv("TF_CPP_MIN_LOG_LEVEL");
	if (wanted && strcmp(wanted, strchr(level, '=') + 1)) return;
	FILE *muted = fopencookie(NULL, "w", (cookie_io_functions_t){.write = fatal});
	if (!muted) return;
	setvbuf(muted, NULL, _IONBF, 0);
	stderr = muted;
}
