/** What to do with a proxy that changes bodies on their way. */
const REWRITING = [
  "remove anything that rewrites bodies on their way, such as sub_filter in nginx",
  "HAProxy: remove filter   # Caddy: remove replace   # Apache: remove Substitute and SetOutputFilter",
] as const

/** Every fault that the doctor knows, with the lines that fix it. */
export const REMEDIES = {
  unreachable: ["does the server run, and may this machine reach it? systemctl status track-studio"],
  certificate_bad: ["give the proxy a certificate for this name, with its whole chain"],
  certificate_ends: ["renew the certificate, and find out why it was not renewed automatically"],
  scheme_wrong: [
    "give the address with the other scheme: https:// instead of http://, or http:// instead of https://",
  ],
  redirected: [
    "give that address to commands and workers: they follow no redirect, which would leak the token",
  ],
  led_away: [
    "no command can use a login page, and the server has tokens of its own:",
    "nginx: remove rewrite, return and auth_request for /api/",
    "HAProxy: remove http-request redirect for /api/",
    "Caddy: remove redir, rewrite and forward_auth for /api/",
    "Apache: remove Redirect and RewriteRule for /api/",
  ],
  not_ours: [
    "does the server run? systemctl status track-studio",
    "nginx: proxy_pass http://127.0.0.1:8080;   # where the server listens",
    "HAProxy: server studio 127.0.0.1:8080   # Caddy: reverse_proxy 127.0.0.1:8080",
    "Apache: ProxyPass / http://127.0.0.1:8080/",
  ],
  kept_out: [
    "nginx: remove auth_basic, auth_request, allow and deny: the server has tokens of its own",
    "HAProxy: remove http-request auth and deny   # Caddy: remove basic_auth, forward_auth and abort",
    "Apache: remove AuthType and Require",
  ],
  path_kept: [
    "nginx: proxy_pass http://127.0.0.1:8080/;   # the slash at its end removes the path of the location",
    "HAProxy: http-request replace-path /studio/(.*) /\\1   # Caddy: handle_path /studio/* { ... }",
    "Apache: ProxyPass /studio/ http://127.0.0.1:8080/   # a slash at both ends",
    "or leave out the path of the URL, if the server is not below one",
  ],
  host_refused: ["start the server with --allowed-host and this name"],
  host_changed: [
    "nginx: proxy_set_header Host $http_host;",
    "HAProxy: remove http-request set-header Host   # Caddy: remove header_up Host",
    "Apache: ProxyPreserveHost On",
  ],
  scheme_lost: [
    "nginx: proxy_set_header X-Forwarded-Proto $scheme;",
    "nginx behind another proxy: proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;",
    "HAProxy: http-request set-header X-Forwarded-Proto https if { ssl_fc }",
    "Caddy: remove header_up X-Forwarded-Proto   # behind another proxy: trusted_proxies with its address",
    "Apache: RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}",
  ],
  host_open: [
    "nginx: proxy_set_header Host $http_host;   # the name that the client asked for",
    "HAProxy: remove http-request set-header Host   # Caddy: remove header_up Host",
    "Apache: ProxyPreserveHost On",
  ],
  origin_open: ["remove anything that sets or removes the header Origin on its way to the server"],
  not_let_in: [
    "track-studio token create --role viewer, and pass it with TRACK_STUDIO_TOKEN or --token-file",
  ],
  token_lost: [
    "nginx: remove proxy_set_header Authorization, and auth_basic, which uses that header",
    "HAProxy: remove http-request del-header Authorization   # Caddy: remove header_up -Authorization",
    "Apache: remove RequestHeader unset Authorization, and AuthType Basic",
  ],
  proxy_untrusted: [
    "start the server with --trusted-proxy and the address of the proxy, such as 127.0.0.1",
    "nginx: proxy_set_header X-Forwarded-For $remote_addr;",
    "HAProxy: option forwardfor   # Caddy and Apache send the address by themselves",
  ],
  client_hidden: [
    "start the server with --trusted-proxy and the address of the proxy, such as 127.0.0.1",
    "nginx: proxy_set_header X-Forwarded-For $remote_addr;",
    "HAProxy: option forwardfor",
    "Caddy: remove header_up -X-Forwarded-For   # Apache: ProxyAddHeaders On",
  ],
  address_forgeable: [
    "nginx: proxy_set_header X-Forwarded-For $remote_addr;",
    "HAProxy: http-request set-header X-Forwarded-For %[src]",
    "Caddy: remove trusted_proxies and header_up X-Forwarded-For   # Apache: ProxyAddHeaders On",
  ],
  limited: [
    "nginx: remove limit_req and limit_conn, or raise them: the server has its own limits for each client",
    "HAProxy: remove http-request deny deny_status 429, or raise its limit   # Caddy: the same for rate_limit",
    "Apache: the same for mod_qos, mod_evasive and mod_security",
  ],
  answers_replaced: [
    "nginx: proxy_intercept_errors off;   # commands and workers read what the server says",
    "nginx: remove limit_except, deny and other locations for paths below /api/v1/, which keep requests away",
    "HAProxy: remove http-response return, http-error, errorfile and http-request deny",
    "Caddy: remove handle_response, and respond and error for paths below /api/v1/",
    "Apache: ProxyErrorOverride Off   # and remove Limit, LimitExcept and Require",
  ],
  taken_out: [
    "nginx: remove http_503 from proxy_next_upstream   # Apache: remove failonstatus",
    "HAProxy: remove observe layer7",
    "Caddy: remove unhealthy_status   # the server refuses single requests with 503, and answers all others",
  ],
  query_lost: [
    "nginx: proxy_pass http://127.0.0.1:8080;   # without $uri, which drops the query",
    "nginx: proxy_cache off;   # a proxy_cache_key without $args gives the answer to one query for another",
    "HAProxy: remove http-request set-query and set-uri   # Caddy: remove uri query, and ? from rewrite",
    "Apache: remove QSD from RewriteRule",
  ],
  address_limited: [
    "nginx: large_client_header_buffers 4 16k;   # a stream may name 256 items in its address",
    "HAProxy: tune.bufsize 32768   # Caddy: remove max_header_size   # Apache: LimitRequestLine 8190",
  ],
  headers_lost: [
    "nginx: remove proxy_set_header for these headers, and proxy_pass_request_headers off",
    "HAProxy: remove http-request del-header   # Apache: remove RequestHeader unset",
    "Caddy: remove header_up for these headers",
  ],
  page_broken: [
    "nginx: remove each location for files such as .js, .css and .svg: the server answers for them, too",
    "nginx: proxy_buffer_size 8k;   # if the answer is 502: the headers of the page must fit into it",
    "HAProxy: remove each use_backend and http-request return for them   # Caddy: remove file_server",
    "Apache: remove Alias, and ProxyPass with !",
  ],
  policy_changed: [
    "nginx: remove add_header Content-Security-Policy: the page has a policy of its own",
    "HAProxy: remove http-response set-header and add-header for it",
    "Caddy: remove header and header_down for it   # Apache: remove Header for it",
  ],
  cors_doubled: [
    "nginx: remove add_header Access-Control-Allow-Origin: the server sends its own",
    "HAProxy: remove http-response set-header and add-header for it",
    "Caddy: remove header and header_down for it   # Apache: remove Header for it",
  ],
  clock_off: ["set both clocks by NTP: timedatectl set-ntp true"],
  cached: [
    "nginx: proxy_cache off;   # and remove proxy_ignore_headers Cache-Control",
    "HAProxy: remove http-request cache-use   # Caddy: remove cache",
    "Apache: remove CacheEnable, or CacheIgnoreCacheControl and CacheStoreNoStore",
  ],
  buffered: [
    "nginx: proxy_buffering off;   # and remove proxy_ignore_headers X-Accel-Buffering",
    "HAProxy: remove http-response wait-for-body   # Caddy: flush_interval -1, and remove response_buffers",
    "Apache: ProxyPass ... flushpackets=on",
  ],
  compressed: [
    "nginx: gzip off;   # or remove text/event-stream from gzip_types",
    "HAProxy: remove compression algo   # Caddy: remove encode",
    "Apache: SetEnv no-gzip 1",
  ],
  rewritten: REWRITING,
  headers_stripped: [
    "nginx: remove proxy_hide_header, add_header and expires for what is missing",
    "HAProxy: remove http-response del-header and set-header for it",
    "Caddy: remove header and header_down for it   # Apache: remove Header and ExpiresActive",
  ],
  not_resumed: [
    "nginx: remove proxy_set_header Last-Event-ID and proxy_pass_request_headers off, so that it passes unchanged",
    "HAProxy: remove http-request del-header for it   # Caddy: remove header_up for it",
    "Apache: remove RequestHeader for it",
  ],
  keepalive_lost: REWRITING,
  cut: [
    "nginx: proxy_read_timeout 1h;   # more than the keepalive of the server, 15 s by default",
    "HAProxy: timeout server 1h, timeout tunnel 1h   # Apache: ProxyTimeout 3600",
    "Caddy: remove read_timeout and stream_timeout, and timeouts { write ... }",
  ],
  body_lost: [
    "Apache: remove ping=... from ProxyPass: the server does not send the 100 Continue that it waits for",
    "nginx: remove proxy_pass_request_body off, proxy_set_body and proxy_method",
    "HAProxy: remove http-request set-method   # Caddy: remove method and rewrite from reverse_proxy",
  ],
  body_buffered: [
    "nginx: proxy_request_buffering off; proxy_http_version 1.1;",
    "HAProxy: remove option http-buffer-request   # Caddy: remove request_buffers, or buffer_requests",
    "Apache: it cannot do this; reports of run and work pass, as each is a request of its own",
  ],
  body_cut: [
    "nginx: client_body_timeout 1h;   # a frame may take long, and the renderer is silent meanwhile",
    "HAProxy: timeout client 1h, timeout server 1h   # Caddy: remove timeouts { read_body ... }",
    "Apache: Timeout 3600, RequestReadTimeout header=20-40,MinRate=500 body=0",
  ],
  body_limited: [
    "nginx: client_max_body_size 0;",
    "HAProxy: remove http-request deny for req.body_size and content-length",
    "Caddy: remove request_body { max_size ... }   # Apache: LimitRequestBody 0",
  ],
  answer_cut: [
    "nginx: proxy_read_timeout 1h;   # GET /queue/7?wait=finished may wait for an hour",
    "HAProxy: timeout server 1h   # Apache: ProxyTimeout 3600",
    "Caddy: remove response_header_timeout, read_timeout and timeouts { write ... }",
  ],
  not_upgraded: [
    "nginx: proxy_http_version 1.1;",
    'nginx: proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    "HAProxy: remove http-request del-header Upgrade   # Caddy: remove header_up Upgrade and Connection",
    "Apache: ProxyPass / http://127.0.0.1:8080/ upgrade=websocket",
  ],
  disk_unusable: [
    "run this as the user of the server, or choose a file that the server may write, with --database",
  ],
  database_unusable: [
    "put a backup in its place, or name another file with --database",
    "if a newer version made it, install that one again",
  ],
  disk_full: ["make room, or keep less: --retain-updates, --retain-items, --max-database-mb"],
  disk_foreign: ["put the database on a disk of this machine, with --database"],
  disk_passing: ["put the database on a disk that outlives a restart, with --database"],
  descriptors_few: ["raise LimitNOFILE in the unit, or ulimit -n; each stream takes one"],
  program_broken: ["install it again, for this kind of machine: uname -m names it"],
  unit_down: ["systemctl enable --now UNIT; journalctl -u UNIT says why it stopped"],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** The name of a fault. */
export type Fault = keyof typeof REMEDIES

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
  remedy: REMEDIES[fault],
})
