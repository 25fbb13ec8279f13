// Preloaded: every second message to the kernel by netlink can't be sent, the first one among them, for want of memory.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

ssize_t send(int fd, const void *data, size_t size, int flags) {
  static int count;
  static ssize_t (*real)(int, const void *, size_t, int);
  int domain = 0;
  socklen_t length = sizeof domain;
  if (!real) real = (ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK && count++ % 2 == 0) {
    errno = ENOBUFS;
    return -1;
  }
  return real(fd, data, size, flags);
}
