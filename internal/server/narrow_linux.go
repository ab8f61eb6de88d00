package server

// #include "server.h"
import "C"

import "net/netip"

const narrows = true

// narrow makes the server that binds a port listen on one address only.
func narrow(listen netip.AddrPort) {
	var address [16]C.uchar
	for i, b := range listen.Addr().As16() {
		address[i] = C.uchar(b)
	}
	C.tftl_narrow(&address[0], C.uint16_t(listen.Port()))
}
