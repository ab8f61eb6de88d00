#define _GNU_SOURCE // fopencookie

#include "last.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int off;

void quiet_off(void) {
	off = 1;
	quiet_release();
}

// hear takes what C code prints to stderr. For example, libjpeg complains about an
// image without naming it. If C code ends the process, last.c uses this.
static ssize_t hear(void *none, const char *text, size_t n) {
	(void)none;
	quiet_heard(text, n);
	return (ssize_t)n;
}

// refuse_little_memory ends the program if the address space has no room for
// what comes next. Go's runtime and TensorFlow would end it with a long dump, or
// with an error that does not say why.
static void refuse_little_memory(size_t room) {
	void *reserved = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved != MAP_FAILED) {
		munmap(reserved, room);
		return;
	}
	quiet_die("tftl: out of memory: the address space is too small for the program (ulimit -v limits it)");
}

// before_libtensorflow redirects stdio's stderr, which TensorFlow writes to; Go
// writes to the file descriptor. internal/libtensorflow calls it before the
// library's constructors print their first lines, and prints errors to the file
// descriptor that it returns.
int before_libtensorflow(void) {
	static const char name[] = "TF_CPP_MIN_LOG_LEVEL", level[] = "3";
	refuse_little_memory((size_t)5 << 29); // the library and a small network
	if (off) return quiet_stderr();
	setenv(name, level, 0);
	const char *wanted = getenv(name);
	if (wanted && strcmp(wanted, level)) return quiet_stderr();
	FILE *muted = fopencookie(NULL, "w", (cookie_io_functions_t){.write = hear});
	if (muted) {
		setvbuf(muted, NULL, _IONBF, 0);
		stderr = muted;
	}
	return quiet_stderr();
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

// refuse_few_files ends the program if it may open hardly any file. Go's runtime
// would end it with a long dump.
static void refuse_few_files(void) {
	enum { least = 16 };
	int last = fcntl(STDERR_FILENO, F_DUPFD, least - 1);
	if (last >= 0) close(last);
	else if (errno != EBADF) quiet_die("tftl: too many open files: the program may open too few (ulimit -n limits it)");
}

// begin runs before Go's runtime does.
__attribute__((constructor))
static void begin(void) {
	refuse_output();
	refuse_little_memory((size_t)3 << 29);
	refuse_few_files();
	quiet_guard();
}
