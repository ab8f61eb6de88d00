#include <stddef.h>

// quiet.c
void quiet_off(void);

// last.c
void quiet_guard(void);                  // before Go's runtime starts
int quiet_guard_again(const char *hint); // once it runs, in main; returns standard error
int quiet_stderr(void);                  // the file descriptor for messages
void quiet_release(void);                // let all that is printed be seen
void quiet_die(const char *text);        // print a line and exit with 1

// reason.c
void quiet_heard(const char *text, size_t n);
size_t quiet_reason(const char **reason);
