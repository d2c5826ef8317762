import { also, apart, type Case, instead } from "./case.ts"

/** All cases. */
export const CASES: readonly Case[] = [
  { name: "as it is shipped", faults: [] },
  {
    name: "streams are buffered",
    // Over HTTP/1.1 nginx passes on what it "buffers"; over HTTP/1.0, its default, it does not.
    change: (config) =>
      config
        .replace("keepalive 32;", "")
        .replace("proxy_buffering off;", "proxy_ignore_headers X-Accel-Buffering;")
        .replace("proxy_http_version 1.1;", ""),
    faults: ["body_buffered", "buffered"],
  },
  {
    name: "streams are compressed",
    change: instead("gzip off;", "gzip on; gzip_proxied any; gzip_types text/event-stream;"),
    faults: ["compressed"],
  },
  {
    name: "streams are rewritten",
    change: also("sub_filter_types *; sub_filter_once off; sub_filter live alive;"),
    faults: ["rewritten"],
  },
  {
    name: "streams are rewritten, and a header is taken out",
    change: also(
      "sub_filter_types *; sub_filter_once off; sub_filter live alive; proxy_hide_header Cache-Control;",
    ),
    faults: ["headers_stripped", "headers_stripped", "rewritten"],
  },
  {
    name: "a header is replaced by another one",
    change: also("expires 1h;"),
    faults: ["headers_stripped", "headers_stripped"],
  },
  {
    name: "comments are taken out",
    change: also(`sub_filter_types *; sub_filter_once off; sub_filter ": keepalive\\n\\n" "";`),
    faults: ["keepalive_lost"],
    idleMs: 21_000,
  },
  {
    name: "no keepalive was due yet",
    server: "quiet",
    faults: [],
    unknown: ["idle streams"],
  },
  {
    name: "headers are taken out",
    change: also("proxy_hide_header Cache-Control;"),
    faults: ["headers_stripped", "headers_stripped"],
  },
  {
    name: "what workers and the command add send is taken out",
    change: also(`proxy_set_header Lease ""; proxy_set_header Idempotency-Key "";`),
    faults: ["headers_lost"],
  },
  {
    name: "types are taken out",
    change: also(`proxy_set_header Content-Type "";`),
    faults: ["headers_lost"],
  },
  {
    name: "what kind of answer is wanted is taken out",
    change: also(`proxy_set_header Accept "";`),
    faults: ["headers_lost"],
  },
  {
    name: "another program answers for the files of the page",
    change: instead("location / {", "location ~ \\.js$ { return 404; }\n    location / {"),
    faults: ["page_broken"],
  },
  {
    name: "the headers of the page are too long for the proxy",
    change: also("proxy_buffer_size 512;"),
    faults: ["page_broken"],
  },
  {
    name: "the page gets a second policy",
    change: also(`add_header Content-Security-Policy "default-src 'none'";`),
    faults: ["policy_changed"],
  },
  {
    name: "the page is another one",
    change: instead("location / {", "location = / { return 200 hello; }\n    location / {"),
    faults: [],
    unknown: ["page"],
  },
  {
    name: "long addresses are refused",
    change: instead("server {", "server { large_client_header_buffers 1 1k;"),
    faults: ["address_limited"],
  },
  {
    name: "a login page is shown instead",
    change: also("return 302 https://login.example/start?to=$request_uri;"),
    faults: ["led_away"],
  },
  {
    name: "the last event ID is taken out",
    change: also(`proxy_set_header Last-Event-ID "";`),
    faults: ["not_resumed"],
  },
  {
    name: "idle streams are cut",
    change: instead("proxy_read_timeout 1h;", "proxy_read_timeout 8s;"),
    faults: ["answer_cut", "cut"],
    server: "quiet",
  },
  {
    name: "answers may not be held",
    change: instead("proxy_read_timeout 1h;", "proxy_read_timeout 8s;"),
    faults: ["answer_cut"],
  },
  {
    name: "no item is there to wait for",
    server: "empty",
    faults: [],
    unknown: ["held answers"],
  },
  {
    name: "bodies are buffered",
    change: instead("proxy_request_buffering off;", ""),
    faults: ["body_buffered"],
  },
  {
    name: "bodies are taken out",
    change: also(`proxy_pass_request_body off; proxy_set_header Content-Length "";`),
    faults: ["body_buffered", "body_lost"],
  },
  {
    name: "bodies may not pause",
    change: instead("client_body_timeout 1h;", "client_body_timeout 2s;"),
    faults: ["body_cut"],
  },
  {
    name: "bodies may not pause, and idle streams are cut",
    change: (config) =>
      config
        .replace("client_body_timeout 1h;", "client_body_timeout 2s;")
        .replace("proxy_read_timeout 1h;", "proxy_read_timeout 8s;"),
    faults: ["answer_cut", "body_cut", "cut"],
    server: "quiet",
  },
  { name: "bodies are limited", change: instead("client_max_body_size 0;", ""), faults: ["body_limited"] },
  {
    name: "bodies are buffered and limited, as nginx does by default",
    change: (config) =>
      config.replace("proxy_request_buffering off;", "").replace("client_max_body_size 0;", ""),
    faults: ["body_buffered", "body_limited"],
  },
  {
    name: "WebSockets are not upgraded",
    change: instead("proxy_set_header Upgrade $http_upgrade;", ""),
    faults: ["not_upgraded"],
  },
  {
    name: "only the path of WebSockets is not upgraded",
    change: apart("= /api/v1/progress/ws", "proxy_set_header X-Forwarded-For $remote_addr;"),
    faults: ["not_upgraded"],
  },
  {
    name: "the host is that of the upstream",
    change: instead("proxy_set_header Host $http_host;", ""),
    faults: ["host_changed", "host_changed", "host_open"],
  },
  {
    name: "the host has lost its port",
    change: instead("proxy_set_header Host $http_host;", "proxy_set_header Host $host;"),
    faults: ["host_changed", "host_changed"],
  },
  {
    name: "the host is fixed",
    change: instead("proxy_set_header Host $http_host;", "proxy_set_header Host 127.0.0.1:{PORT};"),
    faults: ["host_open"],
  },
  {
    name: "the host is one that the server does not know",
    change: instead("proxy_set_header Host $http_host;", "proxy_set_header Host studio.example;"),
    faults: ["host_changed"],
  },
  {
    name: "all clients have one address",
    change: instead("X-Forwarded-For $remote_addr;", "X-Forwarded-For 10.0.0.1;"),
    faults: [],
    unknown: ["addresses"],
  },
  {
    name: "the streams of single items are buffered",
    change: apart(
      "~ ^/api/v1/progress/stream/",
      "proxy_set_header X-Forwarded-For $remote_addr; proxy_ignore_headers X-Accel-Buffering;",
    ),
    faults: ["buffered"],
  },
  {
    name: "another program answers for the renderers that report by themselves",
    change: instead("location / {", "location ~ /ingest/ { return 404; }\n    location / {"),
    faults: ["answers_replaced"],
  },
  {
    name: "browsers keep lists",
    change: apart("= /api/v1/queue", "proxy_set_header X-Forwarded-For $remote_addr; expires 1h;"),
    faults: ["headers_stripped"],
  },
  { name: "the origin is taken out", change: also(`proxy_set_header Origin "";`), faults: ["origin_open"] },
  {
    name: "what a client says of its address is passed on",
    change: instead("proxy_set_header X-Forwarded-For $remote_addr;", ""),
    faults: ["address_forgeable"],
  },
  {
    name: "the proxy adds to what a client says of its address",
    change: instead("$remote_addr;", "$proxy_add_x_forwarded_for;"),
    faults: [],
  },
  {
    name: "clients are hidden, as nginx does by default",
    change: instead("proxy_set_header X-Forwarded-For $remote_addr;", ""),
    faults: ["proxy_untrusted"],
    server: "trusting nobody",
  },
  {
    name: "answers are cached",
    change: apart(
      "= /api/v1/progress/stats",
      "proxy_ignore_headers Cache-Control Vary; proxy_cache kept; proxy_cache_valid 200 1m;",
    ),
    faults: ["cached"],
  },
  {
    name: "lists of a server without tokens are cached",
    change: apart(
      "= /api/v1/queue",
      "proxy_set_header X-Forwarded-For $remote_addr; proxy_ignore_headers Cache-Control Vary; proxy_cache kept; proxy_cache_valid 200 1m;",
    ),
    faults: ["cached"],
  },
  {
    name: "lists are cached without their queries",
    change: apart(
      "= /api/v1/queue",
      "proxy_set_header X-Forwarded-For $remote_addr; proxy_cache_key $http_host$uri; proxy_ignore_headers Cache-Control Vary; proxy_cache kept; proxy_cache_valid 200 1m;",
    ),
    faults: ["query_lost"],
  },
  {
    name: "one answer is kept for all addresses",
    change: (config) =>
      config.replace("proxy_buffering off;", "").replace(
        "proxy_http_version 1.1;",
        `proxy_http_version 1.1; proxy_cache kept; proxy_cache_valid 200 1m; proxy_cache_key $server_port;
          proxy_ignore_headers Cache-Control Vary;`,
      ),
    faults: ["answers_replaced", "cached", "host_open"],
  },
  {
    name: "all answers are cached",
    change: (config) =>
      config.replace("proxy_buffering off;", "").replace(
        "proxy_http_version 1.1;",
        `proxy_http_version 1.1; proxy_cache kept; proxy_cache_valid any 1m;
          proxy_ignore_headers Cache-Control Vary;`,
      ),
    faults: ["cached"],
  },
  {
    name: "queries are lost",
    change: (config) => config.replace(/proxy_pass (http:\/\/track_studio_\d+);/, "proxy_pass $1$uri;"),
    faults: ["query_lost"],
    unknown: ["request headers", "held answers"],
  },
  {
    name: "the header for other pages comes twice",
    change: also("add_header Access-Control-Allow-Origin *;"),
    faults: ["cors_doubled"],
    server: "for all pages",
  },
  {
    name: "a client may ask seldom",
    change: (config) =>
      `limit_req_zone $binary_remote_addr zone=seldom:1m rate=1r/m;\n${also("limit_req zone=seldom burst=1 nodelay;")(config)}`,
    faults: ["limited", "limited", "limited", "limited"],
  },
  {
    name: "renderers that report by themselves may ask seldom",
    change: (config) =>
      `limit_req_zone $binary_remote_addr zone=renderers:1m rate=1r/m;\n${apart(
        "~ /ingest/",
        "proxy_http_version 1.1; proxy_request_buffering off; limit_req zone=renderers;",
      )(config)}`,
    faults: ["limited"],
  },
  {
    name: "the address has moved",
    change: also("return 301 https://studio.example$request_uri;"),
    faults: ["redirected"],
  },
  {
    name: "nothing stands behind it",
    change: (config) => config.replace(/server 127\.0\.0\.1:\d+;/, "server 127.0.0.1:1;"),
    faults: ["not_ours"],
  },
  { name: "the proxy wants a login of its own", change: also("deny all;"), faults: ["kept_out"] },
  {
    name: "the proxy asks another program about each request",
    change: (config) =>
      also("auth_request /asked;")(config).replace(
        "location / {",
        "location = /asked { internal; return 401; }\n    location / {",
      ),
    faults: ["kept_out"],
  },
  {
    name: "the server is below a path",
    change: (config) =>
      config
        .replace("location / {", "location /studio/ {")
        .replace(/proxy_pass (http:\/\/track_studio_\d+);/, "proxy_pass $1/;"),
    path: "/studio/",
    faults: [],
  },
  {
    name: "the path is not taken away",
    change: instead("location / {", "location /studio/ {"),
    path: "/studio/",
    faults: ["path_kept"],
  },
  { name: "the clock is off", now: () => Date.now() - 20_000, faults: ["clock_off"] },
  {
    name: "there is no token for it, and nobody trusts it",
    server: "protected",
    faults: ["not_let_in", "proxy_untrusted"],
  },
]
