/* ssepub.c - HTTP publisher / write load: POSTs or PUTs small bodies over keep-alive connections. One thread, epoll.
 *
 * build: gcc -O2 -Wall -o ssepub ssepub.c
 * usage: ssepub -p PORT -P PATH -b BODY [options]
 *   -H HOST  IPv4 address (127.0.0.1)     -X METHOD  (POST)      -T TYPE  content type (application/json)
 *   -c C     connections, each with one request under way (1)
 *   -r RATE  requests per second in all; 0 = flat out, closed loop (0). A late request goes out at once (catches up).
 *   -d SEC   stop sending after SEC seconds (5)                  -n MAX   stop after MAX requests (0 = no limit)
 *   -h 'K: V' extra header, may be repeated
 *   -k K     numbers that %I takes in turn (1)   -o OFFSET  added to them (0)
 * In BODY and PATH: %T = send time, epoch microseconds, 16 digits; %S = sequence number, 10 digits;
 *   %I = OFFSET + 1 + seq mod K.
 * Prints one line of JSON: sent, ok (2xx), errors, elapsed_s, per_s, response time percentiles in us.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (1 << 20)
struct conn { int fd, busy, len; uint64_t t; char *buf; };
static const char *host = "127.0.0.1", *method = "POST", *path = "/", *type = "application/json", *tmpl = "{}";
static int port, NC = 1, K = 1, offset;
static double rate, dur = 5;
static uint64_t maxn, seq, ok, bad, neterr;
static char extra[4096];
static struct conn *C;
static int ep, last_status;

static uint64_t now_us(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec * 1000000ull + t.tv_nsec / 1000; }
#define SUB 256
static uint64_t hist[64 * SUB], hmax, hn;
static int hidx(uint64_t v) { if (v < SUB) return (int)v; int e = 63 - __builtin_clzll(v) - 8; return (e + 1) * SUB + (int)((v >> e) & (SUB - 1)); }
static uint64_t hval(int i) { if (i < SUB) return i; int e = i / SUB - 1; return ((uint64_t)(SUB + i % SUB)) << e; }
static uint64_t pct(double p) { uint64_t w = (uint64_t)(p * hn), n = 0; for (int i = 0; i < 64 * SUB; i++) { n += hist[i]; if (n > w) return hval(i); } return hmax; }

static int dial(struct conn *c) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
  inet_pton(AF_INET, host, &a.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (struct sockaddr *)&a, sizeof a)) { close(c->fd); c->fd = -1; return -1; }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)(c - C) };
  epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
  c->busy = 0; c->len = 0;
  return 0;
}

/* expand %T %S %I */
static int expand(char *o, const char *t, uint64_t now) {
  char *s = o;
  for (; *t; t++) {
    if (*t != '%') { *o++ = *t; continue; }
    switch (*++t) {
    case 'T': o += sprintf(o, "%016lu", now); break;
    case 'S': o += sprintf(o, "%010lu", seq); break;
    case 'I': o += sprintf(o, "%lu", offset + 1 + seq % K); break;
    case 0: t--; *o++ = '%'; break;
    default: *o++ = '%'; *o++ = *t;
    }
  }
  *o = 0; return (int)(o - s);
}

static void fire(struct conn *c) {
  static char b[65536], r[80000], pth[2048];
  if (c->fd < 0 && dial(c)) { neterr++; return; }
  c->t = now_us();
  int bl = expand(b, tmpl, c->t); expand(pth, path, c->t);
  int n = snprintf(r, sizeof r, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s", method, pth, host, port, type, bl, extra, b);
  seq++; c->busy = 1; c->len = 0;
  if (send(c->fd, r, n, MSG_NOSIGNAL) != n) { neterr++; close(c->fd); c->fd = -1; c->busy = 0; }
}

/* one whole response in the buffer? 1 yes, 0 not yet, 2 yes and the server closes */
static int complete(struct conn *c) {
  c->buf[c->len] = 0;
  char *e = strstr(c->buf, "\r\n\r\n");
  if (!e) return 0;
  last_status = atoi(c->buf + 9);
  int head = (int)(e + 4 - c->buf), close_it = 0;
  char save = *e; *e = 0;
  char *cl = strcasestr(c->buf, "\r\ncontent-length:"), *ch = strcasestr(c->buf, "\r\ntransfer-encoding: chunked");
  if (strcasestr(c->buf, "\r\nconnection: close")) close_it = 1;
  *e = save;
  int done;
  if (last_status == 204 || last_status == 304) done = 1;
  else if (cl) done = c->len >= head + atoi(cl + 17);
  else if (ch) done = c->len >= head + 5 && memcmp(c->buf + c->len - 5, "0\r\n\r\n", 5) == 0;
  else done = 1;
  return done ? 1 + close_it : 0;
}

int main(int argc, char **argv) {
  int o;
  while ((o = getopt(argc, argv, "H:p:P:X:T:b:c:r:d:n:h:k:o:")) != -1) switch (o) {
    case 'H': host = optarg; break; case 'p': port = atoi(optarg); break; case 'P': path = optarg; break;
    case 'X': method = optarg; break; case 'T': type = optarg; break; case 'b': tmpl = optarg; break;
    case 'c': NC = atoi(optarg); break; case 'r': rate = atof(optarg); break; case 'd': dur = atof(optarg); break;
    case 'n': maxn = strtoull(optarg, 0, 10); break; case 'k': K = atoi(optarg); break; case 'o': offset = atoi(optarg); break;
    case 'h': strncat(extra, optarg, sizeof extra - strlen(extra) - 3); strcat(extra, "\r\n"); break;
    default: fprintf(stderr, "see the head of ssepub.c\n"); return 2;
  }
  if (!port) { fprintf(stderr, "usage: ssepub -p PORT -P PATH -b BODY ... (see the head of ssepub.c)\n"); return 2; }
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1000);
  ep = epoll_create1(0); C = calloc(NC, sizeof *C);
  for (int i = 0; i < NC; i++) { C[i].fd = -1; C[i].buf = malloc(ROOM); if (dial(&C[i])) { perror("connect"); return 1; } }
  uint64_t t0 = now_us(), end = t0 + (uint64_t)(dur * 1e6), late_max = 0, tlast = t0;
  int inflight = 0;
  for (;;) {
    uint64_t now = now_us();
    int more = now < end && (!maxn || seq < maxn);
    if (!more && inflight == 0) break;
    if (now > end + 20000000) break;
    long wait_us = 100000;
    if (more) for (int i = 0; i < NC; i++) {
      if (C[i].busy) continue;
      if (maxn && seq >= maxn) break;
      if (rate > 0) {
        uint64_t due = t0 + (uint64_t)(seq * 1e6 / rate);
        now = now_us();
        if (now < due) { if ((long)(due - now) < wait_us) wait_us = (long)(due - now); break; }
        if (now - due > late_max) late_max = now - due;
      }
      fire(&C[i]); if (C[i].busy) inflight++;
    }
    struct epoll_event ev[64];
    struct timespec nap = { wait_us / 1000000, wait_us % 1000000 * 1000 };
    int n = epoll_pwait2(ep, ev, 64, &nap, NULL);
    for (int i = 0; i < n; i++) {
      struct conn *c = &C[ev[i].data.u32];
      ssize_t k = recv(c->fd, c->buf + c->len, ROOM - 1 - c->len, 0);
      if (k < 0 && errno == EAGAIN) continue;
      if (k <= 0) { close(c->fd); c->fd = -1; if (c->busy) { neterr++; inflight--; c->busy = 0; } continue; }
      c->len += k;
      int f = complete(c);
      if (!f) continue;
      uint64_t t = now_us(), d = t - c->t;
      tlast = t;
      hist[hidx(d)]++; hn++; if (d > hmax) hmax = d;
      if (last_status >= 200 && last_status < 300) ok++; else { if (!bad) fprintf(stderr, "first bad: %.300s\n", c->buf); bad++; }
      c->busy = 0; c->len = 0; inflight--;
      if (f == 2) { close(c->fd); c->fd = -1; }
    }
  }
  struct rusage u; getrusage(RUSAGE_SELF, &u);
  double cpu = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
  double el = (tlast - t0) / 1e6;
  printf("{\"sent\":%lu,\"ok\":%lu,\"bad\":%lu,\"neterr\":%lu,\"elapsed_s\":%.3f,\"per_s\":%.1f,\"late_max_us\":%lu,\"rt_us\":{\"p50\":%lu,\"p90\":%lu,\"p99\":%lu,\"max\":%lu},\"cpu_ms\":%.0f}\n",
         seq, ok, bad, neterr, el, el > 0 ? ok / el : 0, late_max, hn ? pct(.5) : 0, hn ? pct(.9) : 0, hn ? pct(.99) : 0, hmax, cpu);
  return 0;
}
