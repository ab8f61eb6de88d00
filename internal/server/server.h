#pragma once
#include <stdint.h>

// tftl_narrow makes the server that binds this port listen on one address only.
void tftl_narrow(const unsigned char address[16], uint16_t port);
