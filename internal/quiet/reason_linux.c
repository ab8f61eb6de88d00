#define _GNU_SOURCE // memmem

// The reason why C code ended the program, taken from what it printed before.

#include "last.h"

#include <string.h>

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

// quiet_reason finds the reason that the library printed: C++'s message for an
// uncaught exception, its line "F0000 …] …", or else its last line. It returns the
// length, 0 if there is none.
size_t quiet_reason(const char **reason) {
	size_t n;
	if ((*reason = after("what():  ", &n))) return until(*reason, n, '\n');
	if ((*reason = after("terminate called after throwing an instance of '", &n))) return until(*reason, n, '\'');
	while (length && heard[length - 1] == '\n') length--;
	const char *line_end = heard + length, *start = NULL;
	for (const char *text = heard; text < line_end; text += until(text, (size_t)(line_end - text), '\n') + 1) {
		if (!informs(text, (size_t)(line_end - text))) start = text;
		if (line_end - text > 1 && text[0] == 'F' && text[1] >= '0' && text[1] <= '9') break;
	}
	if (!start) return 0;
	n = until(start, (size_t)(line_end - start), '\n');
	const char *text = memchr(start, ']', n);
	if (start[0] == 'F' && text && text + 2 < start + n) n -= (size_t)(text + 2 - start), start = text + 2;
	*reason = start;
	return n;
}
