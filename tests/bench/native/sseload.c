/* sseload.c - load client for Server-Sent Events servers. One thread, epoll, Linux only.
 *
 * build: gcc -O2 -Wall -o sseload sseload.c
 * usage: sseload -p PORT -P PATH [options]
 *   -H HOST      IPv4 address of the server            (127.0.0.1)
 *   -n N         connections to open                   (100)
 *   -w W         connections being opened at once      (256; 0 = all at once: a true storm)
 *   -h 'K: V'    extra request header, may be repeated (Accept: text/event-stream is always sent)
 *   -d SEC       stop SEC seconds after every connection is up, whatever happens  (10)
 *   -i MS        after the first SIGTERM read on until no event came for MS ms; a second one stops at once  (300)
 *   -m MARK      the epoch-microsecond time stamp follows this text in a data line (ts=)
 *   -s K         the first K connections are stalled: tiny receive buffer, never read after the headers
 *   -t SEC       give up connecting after SEC seconds  (30)
 *   -L           a connection is up once it read `event: live`; data blocks before it count as "before"
 *   -c MODE      check IDs: 1 = ascending, and without a hole from `live` on; 2 = ascending  (0)
 *   -W SEC       keep latencies of the first SEC seconds after the first event out of the percentiles  (0)
 * In PATH %I is the number of the connection, from 1.
 *
 * Prints two lines of JSON on stdout:
 *   {"phase":"connected",...}  when all connections are up: storm time, time to first byte, time to live
 *   {"phase":"done",...}       at the end: events, min/max per connection, deliveries/s, latency percentiles in us
 * An event is a blank-line terminated block with at least one data line and no event type; comments, named blocks and
 * blocks without data are counted apart. Content may be chunked or identity encoded; chunk borders may fall anywhere.
 * Sockets are closed by RST (no TIME_WAIT). deliveries/s = events / (time of last event - time of first event).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FREE, CONNECTING, HEADERS, STREAM, DEAD };
enum { CH_SIZE, CH_EXT, CH_DATA, CH_END };         /* chunked decoder */
enum { PLAIN, LIVE, NAMED };                       /* type of the block being read */

struct conn {
  int fd;
  uint8_t state, chunked, ch, stalled, live, has_data, type;
  uint32_t events, before, data_len, part_len, part_room;
  uint64_t left;             /* bytes left in this chunk */
  uint64_t ts, id, last_id;  /* of the block being read; the ID before it */
  uint64_t t_conn, t_first, t_live;
  int hlen;
  char *hdr, *part;          /* response head, freed once parsed; line cut by the end of a read */
};

static struct conn *C;
static int ep, N = 100, port, window = 256, stalled, quiet_ms = 300, need_live, check_ids;
static double dur = 10, conn_to = 30, warmup;
static const char *host = "127.0.0.1", *path = "/", *mark = "ts=";
static char extra[4096];
static int marklen, opened, up, failed, lost, pending;
static uint64_t events, greetings, comments, bytes, t_first_ev, t_last_ev, other_blocks, named_blocks, holes, disorder, unmarked;
static uint32_t data_min = UINT32_MAX;
static volatile sig_atomic_t stop;
static void on_sig(int s) { (void)s; stop++; }

static uint64_t now_us(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec * 1000000ull + t.tv_nsec / 1000; }

/* latency histogram: 256 linear steps per power of two, below 0.4 % error */
#define SUB 256
static uint64_t hist[64 * SUB], ts_events, lat_max, lat_sum;
static int hidx(uint64_t v) { if (v < SUB) return (int)v; int e = 63 - __builtin_clzll(v) - 8; return (e + 1) * SUB + (int)((v >> e) & (SUB - 1)); }
static uint64_t hval(int i) { if (i < SUB) return i; int e = i / SUB - 1; return ((uint64_t)(SUB + i % SUB)) << e; }
static uint64_t pct(double p) {
  uint64_t want = (uint64_t)(p * ts_events), n = 0;
  for (int i = 0; i < 64 * SUB; i++) { n += hist[i]; if (n > want) return hval(i); }
  return lat_max;
}

static void drop(struct conn *c, int is_fail) {
  if (c->state == CONNECTING || c->state == HEADERS || (need_live && !c->live && !c->stalled)) { pending--; is_fail = 1; }
  if (is_fail) failed++; else lost++;
  close(c->fd); c->fd = -1; c->state = DEAD; free(c->hdr); free(c->part); c->hdr = c->part = NULL;
}

static void open_one(void) {
  struct conn *c = &C[opened];
  int i = opened++;
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
  inet_pton(AF_INET, host, &a.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) { failed++; c->state = DEAD; return; }
  struct linger l = { 1, 0 };
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  if (i < stalled) { int v = 4096; c->stalled = 1; setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof v); }
  c->state = CONNECTING; c->t_conn = now_us(); pending++;
  if (connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EINPROGRESS) { drop(c, 1); return; }
  struct epoll_event e = { .events = EPOLLOUT | EPOLLIN, .data.u32 = i };
  epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static int send_request(struct conn *c) {
  static char req[8192], target[2048];
  const char *var = strstr(path, "%I");
  if (var) snprintf(target, sizeof target, "%.*s%d%s", (int)(var - path), path, (int)(c - C) + 1, var + 2);
  int n = snprintf(req, sizeof req, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n%s\r\n", var ? target : path, host, port, extra);
  return send(c->fd, req, n, MSG_NOSIGNAL) == n;
}

static void check(struct conn *c) {
  if (check_ids) {
    if (c->id <= c->last_id) disorder++;
    else if (check_ids == 1 && c->live && c->id != c->last_id + 1) holes++;
  }
  c->last_id = c->id;
}

static void event(struct conn *c, uint64_t now) {
  c->events++; events++;
  if (!t_first_ev) t_first_ev = now;
  t_last_ev = now;
  if (c->data_len < data_min) data_min = c->data_len;
  if (c->ts < 1000000000000000ull) { unmarked++; return; }
  if (now - t_first_ev < warmup * 1e6) return;
  uint64_t d = now > c->ts ? now - c->ts : 0;
  hist[hidx(d)]++; ts_events++; lat_sum += d; if (d > lat_max) lat_max = d;
}

/* a blank line: the block is whole */
static void dispatch(struct conn *c, uint64_t now) {
  if (!c->has_data) other_blocks++;
  else if (c->type == NAMED) named_blocks++;
  else if (c->type == LIVE) {
    if (!c->live) { c->live = 1; c->t_live = now; if (need_live) { up++; pending--; } }
    c->last_id = c->id;
  } else {
    check(c);
    if (need_live && !c->live) c->before++;
    else event(c, now);
  }
  c->has_data = c->type = 0; c->data_len = 0; c->ts = c->id = 0;
}

static uint64_t number(const char *p, const char *end) { uint64_t v = 0; while (p < end && *p >= '0' && *p <= '9') v = v * 10 + (*p++ - '0'); return v; }

static void line(struct conn *c, const char *p, int n, uint64_t now) {
  static int hint;                            /* where the mark stood in the last data line */
  if (n && p[n - 1] == '\r') n--;
  if (!n) { dispatch(c, now); return; }
  if (*p == ':') { comments++; return; }
  if (n >= 5 && !memcmp(p, "data:", 5)) {
    c->has_data = 1; c->data_len += n - 5 - (n > 5 && p[5] == ' ');
    if (hint + marklen > n || memcmp(p + hint, mark, marklen)) {
      const char *m = memmem(p, n, mark, marklen);
      if (!m) return;
      hint = (int)(m - p);
    }
    c->ts = number(p + hint + marklen, p + n);
  } else if (n > 4 && !memcmp(p, "id: ", 4)) c->id = number(p + 4, p + n);
  else if (n > 6 && !memcmp(p, "event:", 6)) c->type = memmem(p, n, "live", 4) ? LIVE : memmem(p, n, "message", 7) ? PLAIN : NAMED;
}

/* Feed decoded body bytes to the line parser. */
static void sse(struct conn *c, const char *p, size_t n, uint64_t now) {
  const char *end = p + n;
  while (p < end) {
    const char *q = memchr(p, '\n', end - p);
    uint32_t k = (uint32_t)((q ? q : end) - p);
    if (!q || c->part_len) {
      if (c->part_len + k > c->part_room) { c->part_room = c->part_len + k + 512; c->part = realloc(c->part, c->part_room); }
      memcpy(c->part + c->part_len, p, k); c->part_len += k;
      if (!q) return;
      int len = c->part_len; c->part_len = 0;
      line(c, c->part, len, now);
    } else line(c, p, k, now);
    p = q + 1;
  }
}

/* Undo the chunked encoding. Returns 0 at the last chunk. */
static int body(struct conn *c, const char *p, size_t n, uint64_t now) {
  if (!c->chunked) { sse(c, p, n, now); return 1; }
  const char *end = p + n;
  while (p < end) {
    switch (c->ch) {
    case CH_SIZE: {
      char b = *p++;
      if (b >= '0' && b <= '9') c->left = c->left * 16 + (b - '0');
      else if (b >= 'a' && b <= 'f') c->left = c->left * 16 + (b - 'a' + 10);
      else if (b >= 'A' && b <= 'F') c->left = c->left * 16 + (b - 'A' + 10);
      else if (b == '\n') { if (!c->left) return 0; c->ch = CH_DATA; }
      else if (b != '\r') c->ch = CH_EXT;
      break;
    }
    case CH_EXT: if (*p++ == '\n') { if (!c->left) return 0; c->ch = CH_DATA; } break;
    case CH_DATA: {
      size_t k = (size_t)(end - p) < c->left ? (size_t)(end - p) : c->left;
      sse(c, p, k, now); p += k; c->left -= k;
      if (!c->left) c->ch = CH_END;
      break;
    }
    case CH_END: if (*p++ == '\n') { c->ch = CH_SIZE; c->left = 0; } break;
    }
  }
  return 1;
}

/* Collect the response head. Returns how many of the n bytes belong to it, or -1 while it is not whole. */
static int head(struct conn *c, const char *buf, int n) {
  if (!c->hdr) c->hdr = malloc(16384);
  int room = 16383 - c->hlen, k = n < room ? n : room, old = c->hlen;
  memcpy(c->hdr + c->hlen, buf, k); c->hlen += k; c->hdr[c->hlen] = 0;
  char *e = strstr(c->hdr, "\r\n\r\n");
  if (!e) { if (c->hlen >= 16383) drop(c, 1); return -1; }
  int used = (int)(e + 4 - c->hdr) - old;
  *e = 0;
  if (strncmp(c->hdr, "HTTP/1.", 7) || atoi(c->hdr + 9) != 200) { if (!failed) fprintf(stderr, "bad head: %.300s\n", c->hdr); drop(c, 1); return -1; }
  c->chunked = strcasestr(c->hdr, "transfer-encoding: chunked") != NULL;
  free(c->hdr); c->hdr = NULL;
  c->state = STREAM;
  if (!need_live || c->stalled) { up++; pending--; }
  if (c->stalled) { struct epoll_event ev = { 0 }; epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, &ev); return -1; }
  return used;
}

static void readable(struct conn *c) {
  static char buf[256 * 1024];
  for (;;) {
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { drop(c, c->state != STREAM); return; }
    uint64_t now = now_us();
    int used = 0;
    bytes += n;
    if (!c->t_first) c->t_first = now;
    if (c->state == HEADERS && (used = head(c, buf, (int)n)) < 0) return;
    if (n > used && !body(c, buf + used, n - used, now)) { drop(c, 0); return; }
    if ((size_t)n < sizeof buf) return;      /* short read: the socket is drained (level triggered) */
  }
}

static void pump(int ms) {
  struct epoll_event ev[1024];
  int n = epoll_wait(ep, ev, 1024, ms);
  for (int i = 0; i < n; i++) {
    struct conn *c = &C[ev[i].data.u32];
    if (c->state == CONNECTING && (ev[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
      int err = 0; socklen_t l = sizeof err;
      getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
      if (err || !send_request(c)) { drop(c, 1); continue; }
      c->state = HEADERS;
      struct epoll_event e = { .events = EPOLLIN, .data.u32 = ev[i].data.u32 };
      epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    } else if (c->state != DEAD && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable(c);
  }
}

static int cmp_u32(const void *a, const void *b) { uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b; return x < y ? -1 : x > y; }

/* "NAME":{percentiles} of n times in us */
static void times(const char *name, uint32_t *v, int n) {
  qsort(v, n, sizeof *v, cmp_u32);
#define Q(p) (n ? v[(int)((n - 1) * (p))] : 0)
  printf(",\"%s\":{\"n\":%d,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u}", name, n, Q(.5), Q(.9), Q(.99), Q(1.0));
}

static void connect_all(void) {
  uint64_t t0 = now_us(), last_first = t0, last_live = t0;
  while (!stop && up + failed < N && now_us() - t0 < conn_to * 1e6) {
    for (int k = 0; opened < N && pending < window && k < 64; k++) open_one();
    pump(opened < N && pending < window ? 0 : 20);
  }
  uint32_t *first = malloc((N + 1) * sizeof *first), *live = malloc((N + 1) * sizeof *live), mn = UINT32_MAX, mx = 0;
  int nf = 0, nl = 0;
  for (int i = 0; i < N; i++) {
    struct conn *c = &C[i];
    if (c->t_first) { first[nf++] = c->t_first - c->t_conn; if (c->t_first > last_first) last_first = c->t_first; }
    if (c->t_live) { live[nl++] = c->t_live - c->t_conn; if (c->t_live > last_live) last_live = c->t_live; }
    if (c->t_live && c->before < mn) mn = c->before;
    if (c->t_live && c->before > mx) mx = c->before;
    c->events = 0;
  }
  printf("{\"phase\":\"connected\",\"connected\":%d,\"failed\":%d,\"pending\":%d,\"storm_ms\":%.1f,\"live_ms\":%.1f,\"before_min\":%u,\"before_max\":%u,\"disorder\":%lu",
         up, failed, N - up - failed, (last_first - t0) / 1e3, (last_live - t0) / 1e3, nl ? mn : 0, mx, disorder + holes);
  times("first_us", first, nf); times("live_us", live, nl);
  printf("}\n"); fflush(stdout);
  free(first); free(live);
  greetings = events; events = bytes = 0; data_min = UINT32_MAX;    /* greetings are kept out of the totals below */
  memset(hist, 0, sizeof hist); ts_events = lat_max = lat_sum = t_first_ev = t_last_ev = unmarked = 0;
}

static void report(double seconds) {
  uint32_t mn = UINT32_MAX, mx = 0; int live = 0;
  for (int i = 0; i < N; i++) if (C[i].state == STREAM && !C[i].stalled) { live++; if (C[i].events < mn) mn = C[i].events; if (C[i].events > mx) mx = C[i].events; }
  if (!live) mn = 0;
  double span = t_last_ev > t_first_ev ? (t_last_ev - t_first_ev) / 1e6 : 0;
  struct rusage u; getrusage(RUSAGE_SELF, &u);
  double cpu = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
  printf("{\"phase\":\"done\",\"live\":%d,\"lost\":%d,\"events\":%lu,\"greetings\":%lu,\"comments\":%lu,\"other_blocks\":%lu,\"named_blocks\":%lu,\"holes\":%lu,\"disorder\":%lu,\"unmarked\":%lu,"
         "\"min\":%u,\"max\":%u,\"data_min\":%u,\"span_s\":%.3f,\"seconds\":%.3f,\"per_s\":%.0f,\"lat_us\":{\"n\":%lu,\"mean\":%.0f,\"p50\":%lu,\"p90\":%lu,\"p99\":%lu,\"p999\":%lu,\"max\":%lu},\"bytes\":%lu,\"cpu_ms\":%.0f}\n",
         live, lost, events, greetings, comments, other_blocks, named_blocks, holes, disorder, unmarked, mn, mx, events ? data_min : 0, span, seconds, span > 0 ? events / span : 0,
         ts_events, ts_events ? (double)lat_sum / ts_events : 0, pct(.5), pct(.9), pct(.99), pct(.999), lat_max, bytes, cpu);
  fflush(stdout);
}

static void options(int argc, char **argv) {
  int o;
  while ((o = getopt(argc, argv, "H:p:P:n:w:h:d:i:m:s:t:Lc:W:")) != -1) switch (o) {
    case 'H': host = optarg; break; case 'p': port = atoi(optarg); break; case 'P': path = optarg; break;
    case 'n': N = atoi(optarg); break; case 'w': window = atoi(optarg); break;
    case 'h': strncat(extra, optarg, sizeof extra - strlen(extra) - 3); strcat(extra, "\r\n"); break;
    case 'd': dur = atof(optarg); break; case 'i': quiet_ms = atoi(optarg); break; case 'm': mark = optarg; break;
    case 's': stalled = atoi(optarg); break; case 't': conn_to = atof(optarg); break;
    case 'L': need_live = 1; break; case 'c': check_ids = atoi(optarg); break; case 'W': warmup = atof(optarg); break;
    default: port = 0; optind = argc; break;
  }
  if (!port) { fprintf(stderr, "usage: sseload -p PORT -P PATH [-n N] ... (see the head of sseload.c)\n"); exit(2); }
}

int main(int argc, char **argv) {
  options(argc, argv);
  struct rlimit rl = { (rlim_t)N + 64, (rlim_t)N + 64 }, cur;
  getrlimit(RLIMIT_NOFILE, &cur);
  if (cur.rlim_cur < rl.rlim_cur) { if (cur.rlim_max > rl.rlim_max) rl.rlim_max = cur.rlim_max; if (setrlimit(RLIMIT_NOFILE, &rl)) perror("setrlimit"); }
  marklen = strlen(mark);
  signal(SIGTERM, on_sig); signal(SIGINT, on_sig); signal(SIGPIPE, SIG_IGN);
  C = calloc(N, sizeof *C); ep = epoll_create1(0);
  if (window <= 0) window = N;
  connect_all();
  uint64_t t0 = now_us(), asked = 0, now;
  while (stop < 2 && (now = now_us()) - t0 < dur * 1e6) {
    pump(20);
    if (stop && !asked) asked = now;
    if (asked && now - (t_last_ev > asked ? t_last_ev : asked) > (uint64_t)quiet_ms * 1000 && now > asked + (uint64_t)quiet_ms * 1000) break;
  }
  report((now_us() - t0) / 1e6);
  return 0;
}
