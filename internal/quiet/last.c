#define _GNU_SOURCE // memrchr, memmem

// If C code ends the process, print one line with the reason instead of Go's dump
// of goroutines, which does not explain it.

#include "last.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What C code printed last. Stdio's lock on stderr serializes writers.
static char heard[2048];
static size_t length;

void quiet_heard(const char *text, size_t n) {
	if (n > sizeof heard / 2) { // its beginning is enough
		n = sizeof heard / 2;
	}
	if (length + n > sizeof heard) {
		size_t half = sizeof heard / 2;
		memmove(heard, heard + length - half, half);
		length = half;
	}
	memcpy(heard + length, text, n);
	length += n;
}

// A handler allocates nothing: it may run because malloc failed.
static char line[1024];
static size_t end;

static void add(const char *text, size_t n) {
	for (size_t i = 0; i < n && end < sizeof line - 1; i++)
		line[end++] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
}

static void say(const char *text) { add(text, strlen(text)); }

// until is the length of a text before a stop, or its whole length.
static size_t until(const char *text, size_t n, char stop) {
	const char *at = memchr(text, stop, n);
	return at ? (size_t)(at - text) : n;
}

// after is what follows the last occurrence of a phrase, or NULL.
static const char *after(const char *phrase, size_t *rest) {
	const char *found = NULL, *from = heard;
	size_t n = strlen(phrase);
	while ((from = memmem(from, (size_t)(heard + length - from), phrase, n))) found = from += n;
	if (found) *rest = (size_t)(heard + length - found);
	return found;
}

// informs says whether a line is no reason: "I0000 …] …", or the warning that comes
// before TensorFlow's first line.
static int informs(const char *text, size_t n) {
	static const char first[] = "WARNING: All log messages";
	return n > 1 && ((text[0] == 'I' && text[1] >= '0' && text[1] <= '9') || (n >= sizeof first && !memcmp(text, first, sizeof first - 1)));
}

// reason adds the reason that the library printed: C++'s message for an uncaught
// exception, its line "F0000 …] …", or else its last line.
static int reason(void) {
	size_t n;
	const char *text = after("what():  ", &n);
	if (text) return add(text, until(text, n, '\n')), 1;
	if ((text = after("terminate called after throwing an instance of '", &n)))
		return add(text, until(text, n, '\'')), 1;
	while (length && heard[length - 1] == '\n') length--;
	const char *line_end = heard + length, *start = NULL;
	for (text = heard; text < line_end; text += until(text, (size_t)(line_end - text), '\n') + 1) {
		if (!informs(text, (size_t)(line_end - text))) start = text;
		if (line_end - text > 1 && text[0] == 'F' && text[1] >= '0' && text[1] <= '9') break;
	}
	if (!start) return 0;
	n = until(start, (size_t)(line_end - start), '\n');
	text = memchr(start, ']', n);
	if (start[0] == 'F' && text && text + 2 < start + n) n -= (size_t)(text + 2 - start), start = text + 2;
	return add(start, n), 1;
}

static const char *fault(int signal) {
	switch (signal) {
	case SIGSEGV: return "a segmentation fault";
	case SIGBUS: return "a bus error";
	case SIGFPE: return "an arithmetic fault";
	case SIGILL: return "an instruction that this processor does not have";
	}
	return "";
}

static void last_words(int signal, siginfo_t *info, void *context) {
	(void)context;
	static int begun;
	while (__atomic_exchange_n(&begun, 1, __ATOMIC_SEQ_CST)) pause(); // another thread is printing
	int sent = info->si_code == SI_USER && info->si_pid != getpid();
	say(sent ? "tftl: another process ended the program with a signal" : "tftl: TensorFlow ended the program: ");
	if (!sent) say(fault(signal));
	if (!sent && signal == SIGABRT && !reason()) say("it gave no reason");
	if (memmem(line, end, "alloc", 5) || memmem(line, end, "pthread_create", 14) || memmem(line, end, "no reason", 9))
		say(" (is memory short, or limited with ulimit?)");
	line[end++] = '\n';
	if (write(STDERR_FILENO, line, end) < 0) _exit(1);
	_exit(1);
}

static const int ends[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL};
enum { all = sizeof ends / sizeof *ends, forwarded = 3 };

static void answer(int signal, void (*with)(int, siginfo_t *, void *)) {
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	action.sa_sigaction = with;
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < all; i++) sigaddset(&action.sa_mask, ends[i]); // a fault in the handler ends the process at once
	sigaction(signal, &action, NULL);
}

static int dump_wanted(void) {
	const char *level = getenv("GOTRACEBACK");
	return level && *level;
}

void quiet_guard(void) {
	for (int i = 0; !dump_wanted() && i < all; i++) answer(ends[i], last_words);
}

// If the first few signals are raised in C code, Go's runtime forwards them to the
// handler installed before its own. The others it keeps, so install those again.
void quiet_guard_again(void) {
	for (int i = forwarded; !dump_wanted() && i < all; i++) answer(ends[i], last_words);
}
