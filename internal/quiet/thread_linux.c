#define _GNU_SOURCE // RTLD_NEXT

// Every thread of the program starts here, because a program's own function comes
// before that of the C library. Those of TensorFlow get a stack for signals, so that
// last.c can tell that a thread's own stack overflowed; Go's have one. If no more
// threads can be started, one line says so: TensorFlow and Go would abort.

#include "last.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

typedef void *function(void *);
typedef int creator(pthread_t *, const pthread_attr_t *, function *, void *);

struct work {
	function *run;
	void *with;
};

static void *with_signal_stack(void *given) {
	struct work work = *(struct work *)given;
	free(given);
	char room[1 << 16];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room}, none = {.ss_flags = SS_DISABLE};
	sigaltstack(&stack, NULL);
	void *result = work.run(work.with);
	sigaltstack(&none, NULL);
	return result;
}

// roomy says whether a thread's stack has room for another one.
static int roomy(const pthread_attr_t *attributes) {
	size_t size;
	return !attributes || (!pthread_attr_getstacksize(attributes, &size) && size >= (size_t)1 << 20);
}

// The linker defines where the program's code begins and ends. Go's threads start
// there.
extern char __executable_start, etext;

static int is_ours(function *run) { return (uintptr_t)run >= (uintptr_t)&__executable_start && (uintptr_t)run < (uintptr_t)&etext; }

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, function *run, void *with) {
	creator *create = (creator *)dlsym(RTLD_NEXT, "pthread_create");
	struct work *work = is_ours(run) || !roomy(attributes) ? NULL : malloc(sizeof *work);
	if (work) *work = (struct work){run, with}, run = with_signal_stack, with = work;
	int failed = create(thread, attributes, run, with);
	for (useconds_t ms = 1; failed == EAGAIN && ms <= 20; ms++) { // as long as Go tries
		usleep(ms * 1000);
		failed = create(thread, attributes, run, with);
	}
	if (failed == EAGAIN) quiet_die("tftl: cannot start another thread (are processes or memory limited, with ulimit or in a container?)");
	if (failed) free(work);
	return failed;
}
