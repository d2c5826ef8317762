/*
 * A disk and a clock that misbehave, for a program that is started with LD_PRELOAD.
 *
 * SHIM_FILES    which files: those whose path contains this text
 * SHIM_CONTROL  a file with one word that says what happens now: ok, full, readonly, broken (a write fails),
 *               unsynced (a sync fails), slow (a sync takes 200 ms), stuck (it takes 3 s), or clock SECONDS (the wall clock is off by that)
 * SHIM_RECORD   optional: where each write, truncation and sync of these files, and each answer that is sent, is
 *               recorded with its bytes: a kind (1 byte), the end of the path (15), offset (8), length (8), the bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int record_fd = -1;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("SHIM_RECORD");
  if (file) record_fd = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

/* Answers whether the descriptor is one of the files, and its path. */
static int is_ours(int fd, char *path, size_t size) {
  const char *files = getenv("SHIM_FILES");
  char link[40];
  if (!files) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strstr(path, files) != NULL;
}

static void say_now(char *word, size_t size) {
  const char *control = getenv("SHIM_CONTROL");
  word[0] = 0;
  if (!control) return;
  int fd = REAL(open)(control, O_RDONLY);
  if (fd < 0) return;
  ssize_t length = REAL(read)(fd, word, size - 1);
  REAL(close)(fd);
  word[length > 0 ? length : 0] = 0;
}

static void record(char kind, const char *path, int64_t offset, const void *bytes, int64_t length) {
  if (record_fd < 0) return;
  char head[32] = {0};
  size_t all = strlen(path);
  head[0] = kind;
  memcpy(head + 1, path + (all > 15 ? all - 15 : 0), all > 15 ? 15 : all);
  memcpy(head + 16, &offset, 8);
  memcpy(head + 24, &length, 8);
  struct iovec both[2] = {{head, sizeof head}, {(void *)bytes, bytes ? (size_t)length : 0}};
  REAL(writev)(record_fd, both, 2);
}

/* The error with which a write of our files fails now; 0 for none. */
static int write_error(void) {
  char word[64];
  say_now(word, sizeof word);
  if (!strncmp(word, "full", 4)) return ENOSPC;
  if (!strncmp(word, "readonly", 8)) return EROFS;
  if (!strncmp(word, "broken", 6)) return EIO;
  return 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  char path[4096];
  if (is_ours(fd, path, sizeof path)) {
    if ((errno = write_error())) return -1;
    record('W', path, offset, bytes, (int64_t)length);
  }
  return REAL(pwrite64)(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
  char path[4096];
  if (is_ours(fd, path, sizeof path)) {
    if ((errno = write_error())) return -1;
    record('W', path, REAL(lseek)(fd, 0, SEEK_CUR), bytes, (int64_t)length);
  }
  return REAL(write)(fd, bytes, length);
}

int ftruncate64(int fd, off64_t length) {
  char path[4096];
  if (is_ours(fd, path, sizeof path)) {
    if ((errno = write_error())) return -1;
    record('T', path, length, NULL, 0);
  }
  return REAL(ftruncate64)(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, int (*sync)(int)) {
  char path[4096], word[64];
  if (!is_ours(fd, path, sizeof path)) return sync(fd);
  say_now(word, sizeof word);
  if (!strncmp(word, "slow", 4)) usleep(200000);
  if (!strncmp(word, "stuck", 5)) sleep(3);
  if (!strncmp(word, "unsynced", 8) || !strncmp(word, "broken", 6)) {
    errno = EIO;
    return -1;
  }
  int answer = sync(fd);
  if (answer == 0) record('S', path, 0, NULL, 0);
  return answer;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  record('A', "", 0, bytes, (int64_t)length);
  return REAL(send)(fd, bytes, length, flags);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static __thread int64_t looked_ms, seconds;
  int answer = REAL(clock_gettime)(clock, time);
  if (answer != 0 || clock != CLOCK_REALTIME || !getenv("SHIM_CONTROL")) return answer;
  int64_t now_ms = (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
  if (now_ms - looked_ms > 20) {
    char word[64];
    looked_ms = now_ms;
    say_now(word, sizeof word);
    seconds = strncmp(word, "clock ", 6) ? 0 : atoll(word + 6);
  }
  time->tv_sec += seconds;
  return answer;
}
