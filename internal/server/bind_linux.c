// TensorFlow's gRPC server asks for every address of the machine. The program's own bind
// comes before libc's for libraries that are loaded later, and narrows that to one.
#define _GNU_SOURCE
#include "server.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct in6_addr chosen; // an IPv4 address is mapped to IPv6
static uint16_t port;          // of the server, in network order; 0 before there is one

void tftl_narrow(const unsigned char address[16], uint16_t its_port) {
	memcpy(&chosen, address, 16);
	port = htons(its_port);
}

// any says whether an address stands for every one of the machine.
static _Bool any(const struct in6_addr *a) {
	return IN6_IS_ADDR_UNSPECIFIED(a) || (IN6_IS_ADDR_V4MAPPED(a) && !a->s6_addr32[3]);
}

__attribute__((visibility("default")))
int bind(int fd, const struct sockaddr *address, socklen_t size) {
	struct sockaddr_storage narrowed;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&narrowed;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&narrowed;
	if (port && address && size <= sizeof narrowed) {
		memcpy(&narrowed, address, size);
		if (address->sa_family == AF_INET && v4->sin_port == port && v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
			v4->sin_addr.s_addr = chosen.s6_addr32[3];
			address = (struct sockaddr *)&narrowed;
		} else if (address->sa_family == AF_INET6 && v6->sin6_port == port && any(&v6->sin6_addr)) {
			v6->sin6_addr = chosen;
			address = (struct sockaddr *)&narrowed;
		}
	}
	return (int)syscall(SYS_bind, fd, address, size);
}
