#include <stddef.h>

extern int quiet_kept; // the real stderr while the libraries start, or -1

void quiet_heard(const char *text, size_t n);
void quiet_guard(void);       // before getenv works
void quiet_unguard(void);     // once it works: undo it if GOTRACEBACK is set
void quiet_guard_again(void); // once Go runs, in its main
