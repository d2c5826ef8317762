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
  ...["Retry-After", "WWW-Authenticate", "Access-Control-Expose-Headers"].map((name) => ({
    name: `${name} is taken out`,
    change: also(`proxy_hide_header ${name};`),
    faults: ["headers_stripped" as const],
  })),
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
    faults: ["answers_replaced"],
  },
  {
    name: "only reading is let through",
    change: also("limit_except GET { deny all; }"),
    faults: ["answers_replaced", "answers_replaced"],
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
