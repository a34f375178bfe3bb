/* What the kernel knows of a TCP connection. Apart from socket.c, as the kernel's header and the C library's can't be
 * together. */
#pragma once

#include <stdint.h>

/* As socket_round_trip_us. */
uint32_t tcp_round_trip_us(int fd);
