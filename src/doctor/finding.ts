/** Every fault that the doctor knows, with the lines that fix it. */
const FAULTS = {
  unreachable: ["does the server run, and may this machine reach it? systemctl status track-studio"],
  certificate_bad: ["give the proxy a certificate for this name, with its whole chain"],
  certificate_ends: ["renew the certificate, and find out why it was not renewed automatically"],
  scheme_wrong: ["give the address with the other scheme: https:// in place of http://, or the reverse"],
  redirected: [
    "give that address to commands and workers: they follow no redirect, which would leak the token",
  ],
  led_away: [
    "nginx: remove rewrite, return and auth_request for /api/: no command can use a login page, and the server has tokens of its own",
  ],
  not_ours: [
    "nginx: proxy_pass http://127.0.0.1:8080;   # where the server listens",
    "does the server run? systemctl status track-studio",
  ],
  kept_out: ["nginx: remove auth_basic, auth_request, allow and deny: the server has tokens of its own"],
  path_kept: [
    "nginx: proxy_pass http://127.0.0.1:8080/;   # the slash at its end removes the path of the location",
    "or leave out the path of the URL, if the server is not below one",
  ],
  host_refused: ["start the server with --allowed-host and this name"],
  host_changed: ["nginx: proxy_set_header Host $http_host;", "Apache: ProxyPreserveHost On"],
  scheme_lost: [
    "nginx: proxy_set_header X-Forwarded-Proto $scheme;",
    "nginx behind another proxy: proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;",
  ],
  host_open: [
    "nginx: proxy_set_header Host $http_host;   # the name that the client asked for",
    "Apache: ProxyPreserveHost On",
  ],
  origin_open: ["remove anything that sets or removes the header Origin on its way to the server"],
  not_let_in: [
    "track-studio token create --role viewer, and pass it with TRACK_STUDIO_TOKEN or --token-file",
  ],
  token_lost: ["nginx: remove proxy_set_header Authorization, and auth_basic, which uses that header"],
  proxy_untrusted: [
    "start the server with --trusted-proxy and the address of the proxy, such as 127.0.0.1",
    "nginx: proxy_set_header X-Forwarded-For $remote_addr;",
  ],
  client_hidden: [
    "start the server with --trusted-proxy and the address of the proxy, such as 127.0.0.1",
    "nginx: proxy_set_header X-Forwarded-For $remote_addr;",
    "HAProxy: option forwardfor",
  ],
  address_forgeable: ["nginx: proxy_set_header X-Forwarded-For $remote_addr;"],
  limited: [
    "nginx: remove limit_req and limit_conn, or raise them: the server has its own limits for each client",
  ],
  answers_replaced: [
    "nginx: proxy_intercept_errors off;   # commands and workers read what the server says",
    "nginx: remove limit_except, deny and other locations for paths below /api/v1/, which keep requests away",
  ],
  taken_out: [
    "nginx: remove http_503 from proxy_next_upstream   # Apache: remove failonstatus",
    "Caddy: remove unhealthy_status   # the server refuses single requests with 503, and answers all others",
  ],
  query_lost: [
    "nginx: proxy_pass http://127.0.0.1:8080;   # without $uri, which drops the query",
    "nginx: proxy_cache off;   # a proxy_cache_key without $args gives the answer to one query for another",
  ],
  address_limited: [
    "nginx: large_client_header_buffers 4 16k;   # a stream may name 256 items in its address",
    "Apache: LimitRequestLine 8190",
  ],
  headers_lost: [
    "nginx: remove proxy_set_header for these headers, and proxy_pass_request_headers off",
    "HAProxy: remove http-request del-header   # Apache: remove RequestHeader unset",
  ],
  page_broken: [
    "nginx: remove each location for files such as .js, .css and .svg: the server answers for them, too",
    "nginx: proxy_buffer_size 8k;   # if the answer is 502: the headers of the page must fit into it",
  ],
  policy_changed: ["nginx: remove add_header Content-Security-Policy: the page has a policy of its own"],
  cors_doubled: ["nginx: remove add_header Access-Control-Allow-Origin: the server sends its own"],
  clock_off: ["set both clocks by NTP: timedatectl set-ntp true"],
  cached: ["nginx: proxy_cache off;   # and remove proxy_ignore_headers Cache-Control"],
  buffered: [
    "nginx: proxy_buffering off;   # and remove proxy_ignore_headers X-Accel-Buffering",
    "Apache: ProxyPass ... flushpackets=on   # Caddy: flush_interval -1",
  ],
  compressed: [
    "nginx: gzip off;   # or remove text/event-stream from gzip_types",
    "Apache: SetEnv no-gzip 1",
  ],
  rewritten: ["remove anything that rewrites bodies on their way, such as sub_filter in nginx"],
  headers_stripped: ["nginx: remove proxy_hide_header, add_header and expires for what is missing"],
  not_resumed: [
    "nginx: remove proxy_set_header Last-Event-ID and proxy_pass_request_headers off, so that it passes unchanged",
  ],
  keepalive_lost: ["remove anything that rewrites bodies on their way, such as sub_filter in nginx"],
  cut: [
    "nginx: proxy_read_timeout 1h;   # more than the keepalive of the server, 15 s by default",
    "HAProxy: timeout server 1h, timeout tunnel 1h   # Apache: ProxyTimeout 3600",
  ],
  body_lost: [
    "Apache: remove ping=... from ProxyPass: the server does not send the 100 Continue that it waits for",
    "nginx: remove proxy_pass_request_body off, proxy_set_body and proxy_method",
  ],
  body_buffered: [
    "nginx: proxy_request_buffering off; proxy_http_version 1.1;",
    "HAProxy: remove option http-buffer-request",
    "Apache: it cannot do this; reports of run and work pass, as each is a request of its own",
  ],
  body_cut: [
    "nginx: client_body_timeout 1h;   # a frame may take long, and the renderer is silent meanwhile",
    "HAProxy: timeout client 1h, timeout server 1h",
    "Apache: Timeout 3600, RequestReadTimeout header=20-40,MinRate=500 body=0",
  ],
  body_limited: ["nginx: client_max_body_size 0;", "Caddy: remove request_body { max_size ... }"],
  answer_cut: [
    "nginx: proxy_read_timeout 1h;   # GET /queue/7?wait=finished may wait for an hour",
    "HAProxy: timeout server 1h   # Apache: ProxyTimeout 3600",
  ],
  not_upgraded: [
    "nginx: proxy_http_version 1.1;",
    'nginx: proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    "Apache: ProxyPass / http://127.0.0.1:8080/ upgrade=websocket",
  ],
  disk_unusable: [
    "run this as the user of the server, or choose a file that the server may write, with --database",
  ],
  disk_full: ["make room, or keep less: --retain-updates, --retain-items, --max-database-mb"],
  disk_foreign: ["put the database on a disk of this machine, with --database"],
  disk_passing: ["put the database on a disk that outlives a restart, with --database"],
  descriptors_few: ["raise LimitNOFILE in the unit, or ulimit -n; each stream takes one"],
  program_broken: ["install it again, for this kind of machine: uname -m names it"],
  unit_down: ["systemctl enable --now UNIT; journalctl -u UNIT says why it stopped"],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** The name of a fault. */
export type Fault = keyof typeof FAULTS

/** One check, and its result. */
export interface Finding {
  /** What was checked, in a word or two. */
  readonly about: string
  /**
   * `good`: as it should be. `note`: worth knowing, and perhaps intended. `fault`: does not work as it
   * should.
   * `unknown`: could not be checked.
   */
  readonly verdict: "good" | "note" | "fault" | "unknown"
  /** Which fault it is; undefined for any verdict other than `fault`. */
  readonly fault: Fault | undefined
  /** What was seen, in words. */
  readonly says: string
  /** The lines that fix it; empty if nothing is to be done. */
  readonly remedy: readonly string[]
}

const without = (about: string, verdict: Exclude<Finding["verdict"], "fault">, says: string): Finding => ({
  about,
  verdict,
  fault: undefined,
  says,
  remedy: [],
})

/** A finding without a fault. */
export const good = (about: string, says: string): Finding => without(about, "good", says)

/** A finding that is worth knowing but not a fault. */
export const note = (about: string, says: string): Finding => without(about, "note", says)

/** A finding about something that could not be checked. */
export const unknown = (about: string, says: string): Finding => without(about, "unknown", says)

/** A finding with a fault. */
export const faulty = (about: string, fault: Fault, says: string): Finding => ({
  about,
  verdict: "fault",
  fault,
  says,
  remedy: FAULTS[fault],
})
