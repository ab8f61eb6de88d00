#include <stddef.h>

void quiet_off(void);
void quiet_heard(const char *text, size_t n);
void quiet_guard(void);       // before Go's runtime starts
void quiet_guard_again(void); // once it runs, in main
