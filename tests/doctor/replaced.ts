import { also, apart, type Case, instead } from "./case.ts"

const UNBUFFERED = "proxy_set_header X-Forwarded-For $remote_addr; proxy_request_buffering off;"

/** Answers and bodies that a proxy replaces, keeps away or holds back for some paths, methods or statuses alone. */
export const REPLACED: readonly Case[] = [
  {
    name: "only the refusals of values are replaced by pages of the proxy",
    change: also("proxy_intercept_errors on; error_page 422 /nothing.html;"),
    faults: ["answers_replaced"],
  },
  ...["401", "409", "410", "413"].map((status) => ({
    name: `only refusals with ${status} are replaced by pages of the proxy`,
    change: also(`proxy_intercept_errors on; error_page ${status} /nothing.html;`),
    faults: ["answers_replaced" as const],
  })),
  ...["503", "500 502 503 504"].map((status) => ({
    name: `failures with ${status} are replaced by pages of the proxy`,
    change: also(`proxy_intercept_errors on; error_page ${status} /nothing.html;`),
    faults: ["answers_replaced" as const],
  })),
  ...["application/json", "text/event-stream", "*"].map((types) => ({
    name: `words in ${types} are replaced`,
    change: also(`sub_filter_types ${types}; sub_filter_once off; sub_filter queued waiting;`),
    faults: ["rewritten" as const],
  })),
  {
    name: "words are looked for that no answer has now",
    change: also(
      "sub_filter_types *; sub_filter_once off; sub_filter http://10.0.0.1 https://studio.example;",
    ),
    faults: [],
    unknown: ["content"],
  },
  {
    name: "the end of each frame is held back until it is known what follows",
    change: also(`sub_filter_types text/event-stream; sub_filter_once off; sub_filter "\\n<" "";`),
    faults: ["rewritten"],
    // A keepalive would end the delay.
    server: "quiet",
  },
  { name: "Allow is taken out", change: also("proxy_hide_header Allow;"), faults: ["headers_stripped"] },
  ...["Vary", "Access-Control-Allow-Origin"].map((name) => ({
    name: `${name} is taken out`,
    change: also(`proxy_hide_header ${name};`),
    faults: ["headers_stripped" as const, "headers_stripped" as const],
    server: "for all pages" as const,
  })),
  ...["Methods", "Headers"].map((name) => ({
    name: `Access-Control-Allow-${name} is taken out`,
    change: also(`proxy_hide_header Access-Control-Allow-${name};`),
    faults: ["headers_stripped" as const],
  })),
  {
    name: "what browsers ask for other pages is kept away",
    change: also("if ($request_method = OPTIONS) { return 405; }"),
    faults: ["answers_replaced"],
  },
  {
    name: "claims alone may come seldom",
    change: (config) =>
      `limit_req_zone $binary_remote_addr zone=claims:1m rate=6r/m;\n${apart(
        "= /api/v1/queue/claim",
        `${UNBUFFERED} client_max_body_size 0; limit_req zone=claims burst=1 nodelay;`,
      )(config)}`,
    faults: ["limited"],
  },
  ...["Retry-After", "Access-Control-Expose-Headers"].map((name) => ({
    name: `${name} is taken out`,
    change: also(`proxy_hide_header ${name};`),
    faults: ["headers_stripped" as const, "headers_stripped" as const],
  })),
  {
    name: "WWW-Authenticate is taken out",
    change: also("proxy_hide_header WWW-Authenticate;"),
    faults: ["headers_stripped"],
  },
  ...["claim", "complete", "output"].map((path) => ({
    name: `what workers send to /${path} is kept away`,
    change: instead("location / {", `location ~ /${path}$ { deny all; }\n    location / {`),
    faults: ["answers_replaced" as const],
  })),
  {
    name: "refusals are replaced by pages of the proxy",
    change: also("proxy_intercept_errors on; error_page 404 =404 /nothing.html;"),
    faults: ["answers_replaced", "answers_replaced"],
  },
  {
    name: "changes are kept away",
    change: also("limit_except GET POST { deny all; }"),
    faults: ["answers_replaced", "answers_replaced"],
  },
  {
    name: "only reading is let through",
    change: also("limit_except GET { deny all; }"),
    faults: ["answers_replaced", "answers_replaced", "answers_replaced"],
  },
  {
    name: "what a command prints may not be long",
    change: apart("~ /output$", `${UNBUFFERED} client_max_body_size 1k;`),
    faults: ["body_limited"],
  },
  {
    name: "the output of renderers alone is buffered",
    change: apart("~ /ingest/", "proxy_set_header X-Forwarded-For $remote_addr; client_max_body_size 0;"),
    faults: ["body_buffered"],
    // Its streams must not be taken for those of others whose bodies are buffered.
    server: "empty",
  },
]
