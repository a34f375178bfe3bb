#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_PER_SOURCE 16384

bool target_read(struct target *target, const char *url)
{
    static const char scheme[] = "http://";
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return false;
    url += sizeof scheme - 1;
    size_t length = strcspn(url, "/");
    if (length >= sizeof target->host)
        return false;
    memcpy(target->host, url, length);
    target->host[length] = '\0';

    char address[64];
    memcpy(address, target->host, length + 1);
    char *colon = strchr(address, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    long port = strtol(colon + 1, NULL, 10);
    if (port < 1 || port > 65535)
        return false;
    target->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, address, &target->address.sin_addr) == 1;
}

static bool source_bind(const struct target *target, int fd, unsigned source)
{
    bool is_loopback = ntohl(target->address.sin_addr.s_addr) >> 24 == 127;
    if (source == 0 || !is_loopback)
        return true;
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + source),
    };
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

int target_connect(const struct target *target, unsigned number, int sndbuf)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (sndbuf > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf);

    const struct sockaddr *address = (const struct sockaddr *)&target->address;
    if (source_bind(target, fd, number / CONNECTIONS_PER_SOURCE) &&
        (connect(fd, address, sizeof target->address) == 0 || errno == EINPROGRESS))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}
