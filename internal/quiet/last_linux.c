#define _GNU_SOURCE // memmem, pipe2

// If the program crashes, in C or in Go, print one line with the reason and exit
// with code 1. Go would print a dump of goroutines, which is not for users, and
// exit with 2.

#include "last.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A handler allocates nothing: it may run because malloc failed.
static char line[1024];
static size_t end;
enum { most = 300 }; // of a reason

static void add(const char *text, size_t n) {
	for (size_t i = 0; i < n && end < sizeof line - 1; i++)
		line[end++] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
}

static void say(const char *text) { add(text, strlen(text)); }

static int terminal = STDERR_FILENO;

int quiet_stderr(void) { return terminal; }

static void print(void) {
	line[end++] = '\n';
	if (write(terminal, line, end) < 0) _exit(1);
	end = 0;
}

// once lets one thread have the last word. The others wait for the end.
static void once(void) {
	static int begun;
	while (__atomic_exchange_n(&begun, 1, __ATOMIC_SEQ_CST)) pause();
}

static void finish(const char *text) {
	say(text);
	print();
	_exit(1);
}

void quiet_die(const char *text) {
	once();
	finish(text);
}

// Go's runtime writes its dump to the file descriptor 2. While that is a pipe, which
// keeps the beginning, nobody sees the dump, and the reason can be taken from it.
// What C code writes there before it aborts is kept too.
static int kept = -1;

static void keep(void) {
	int ends[2], copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (copy < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK)) return;
	kept = ends[0], terminal = copy;
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

void quiet_release(void) {
	if (kept < 0) return;
	dup2(terminal, STDERR_FILENO);
	kept = -1;
}

static char dump[1 << 16];

static void read_dump(void) {
	size_t length = 0;
	for (ssize_t n = 1; kept >= 0 && n > 0; length += n > 0 ? (size_t)n : 0) n = read(kept, dump + length, sizeof dump - 1 - length);
	quiet_heard(dump, length);
}

// after returns what follows a beginning of a text, or NULL if it begins otherwise.
static const char *after(const char *beginning, const char *text) {
	size_t n = strlen(beginning);
	return strncmp(text, beginning, n) ? NULL : text + n;
}

// go_reason finds the reason in a dump of Go's runtime: in the first line "panic: …",
// "fatal error: …", or "SIGTRAP: …" before a line of registers.
static const char *go_reason(void) {
	for (const char *text = dump, *reason; text; text = (text = strchr(text, '\n')) ? text + 1 : NULL) {
		if ((reason = after("panic: ", text)) || (reason = after("fatal error: ", text)))
			return (text = after("runtime error: ", reason)) || (text = after("runtime: ", reason)) ? text : reason;
		if (after("SIG", text) && (reason = strchr(text, '\n')) && after("PC=", reason + 1)) return text;
	}
	return NULL;
}

static const char *fault(int signal) {
	switch (signal) {
	case SIGSEGV: return "a segmentation fault";
	case SIGBUS: return "a bus error";
	case SIGFPE: return "an arithmetic fault";
	case SIGILL: return "an instruction that this processor does not have";
	case SIGTRAP: return "a trap";
	case SIGSYS: return "a system call that is not allowed here";
	}
	return "";
}

static const char *hint = ""; // the line after the reason

static void explain(int signal) {
	const char *reason = go_reason();
	size_t n;
	if (reason) {
		say("tftl: the program crashed: ");
		n = strcspn(reason, "\n");
		add(reason, n < most ? n : most);
	} else if (*fault(signal)) {
		say("tftl: TensorFlow ended the program: ");
		say(fault(signal));
	} else if (kept < 0) {
		say("tftl: the program crashed; the reason is printed above");
		if ((n = quiet_reason(&reason))) say(", or TensorFlow's: "), add(reason, n < most ? n : most);
	} else {
		say("tftl: TensorFlow ended the program: ");
		(n = quiet_reason(&reason)) ? add(reason, n < most ? n : most) : say("it gave no reason");
	}
	static const char *scarce[] = {"alloc", "out of memory", "pthread_create", "no reason"};
	for (size_t i = 0; i < sizeof scarce / sizeof *scarce; i++)
		if (memmem(line, end, scarce[i], strlen(scarce[i]))) {
			say(" (is memory short, or limited with ulimit?)");
			break;
		}
}

static int faulted;

// dump_first has Go's runtime dump goroutines, which it does not do for a fault in C
// code that somebody else answers. It gets SIGABRT when this function returns.
static void dump_first(int signal, siginfo_t *info, void *context) {
	(void)info, (void)context;
	faulted = signal;
	raise(SIGABRT);
}

static void last_words(int signal, siginfo_t *info, void *context) {
	(void)context;
	if (signal == SIGQUIT && info->si_pid != getpid()) { // Go's runtime sends it to itself when it crashes
		struct sigaction usual = {.sa_handler = SIG_DFL};
		sigaction(SIGQUIT, &usual, NULL);
		raise(SIGQUIT);
		return;
	}
	once();
	read_dump();
	if ((info->si_code == SI_USER && info->si_pid != getpid()) || strstr(dump, " sigcode=0\n") || strstr(dump, " sigcode=0 "))
		finish("tftl: another process ended the program with a signal");
	explain(faulted ? faulted : signal);
	print();
	if (*hint) finish(hint);
	_exit(1);
}

// If the first few signals are raised in C code, Go's runtime forwards them to the
// handler installed before its own. The others it keeps, so install those again.
static const int ends[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGQUIT, SIGILL, SIGTRAP, SIGSYS};
enum { all = sizeof ends / sizeof *ends, forwarded = 3, of_dumps = 2 };

static void answer(int first, int n, void (*with)(int, siginfo_t *, void *)) {
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	action.sa_sigaction = with;
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < all; i++) sigaddset(&action.sa_mask, ends[i]); // a fault in the handler ends the process at once
	for (int i = first; i < first + n; i++) sigaction(ends[i], &action, NULL);
}

// dump_wanted says whether GOTRACEBACK asks for Go's dump, after which Go's runtime
// raises one of two signals. With GOTRACEBACK=crash that should leave a core dump.
static int dump_wanted(void) {
	const char *level = getenv("GOTRACEBACK");
	return level && *level;
}

static int core_wanted(void) { return dump_wanted() && !strcmp(getenv("GOTRACEBACK"), "crash"); }

void quiet_guard(void) {
	if (!dump_wanted()) {
		answer(0, all, last_words);
	} else if (!core_wanted()) {
		answer(0, forwarded, dump_first);
		answer(forwarded, of_dumps, last_words);
	}
}

int quiet_guard_again(const char *text) {
	hint = text;
	signal(SIGPIPE, SIG_DFL); // nobody reads the output: end as other tools do
	signal(SIGXFSZ, SIG_IGN); // ulimit -f: writing is an error
	if (!dump_wanted()) {
		answer(forwarded, all - forwarded, last_words);
		keep();
	}
	int copy = fcntl(terminal, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); // which Go may close
	return copy < 0 ? terminal : copy;
}
