/** What a place may import. */
export interface Rule {
  /** Places of our own that may be imported. */
  readonly own: readonly string[]
  /** Packages and built-in modules that may be imported, those of their folders included. */
  readonly packages?: readonly string[]
}

/**
 * Which place may import what. A place is a file, or a folder with all of its files, which may import each
 * other.
 */
export const RULES: Readonly<Record<string, Rule>> = {
  backoff: { own: [] },
  access: {
    own: [
      "errors",
      "bounded-map",
      "lazy-node",
      "background-work",
      "store/contract/access",
      "text",
      "token-format",
    ],
  },
  "access/redis-rate-limit": { own: ["access", "background-work"], packages: ["bun"] },
  "database-commands": { own: ["errors", "store"] },
  machine: { own: [], packages: ["node:fs"] },
  "machine/libc": { own: [], packages: ["bun:ffi"] },
  "machine/unmounted-disk": { own: [], packages: ["node:fs", "node:path"] },
  upkeep: {
    own: [
      "bus",
      "errors",
      "degraded-reasons",
      "item",
      "background-work",
      "store/contract/instances",
      "store/contract/items",
      "store/contract/life",
      "store/contract/upkeep",
    ],
  },
  errors: { own: [] },
  "bounded-map": { own: [] },
  loopback: { own: [] },
  "is-object": { own: [] },
  "lazy-node": { own: [], packages: ["node:crypto", "node:net", "node:zlib"] },
  "degraded-reasons": { own: [] },
  log: { own: ["errors", "non-blocking-output", "text"] },
  "ending-signals": { own: [], packages: ["node:fs", "node:os"] },
  "non-blocking-output": { own: ["errors"], packages: ["node:fs"] },
  "background-work": { own: [] },
  "failure-cause": { own: [] },
  text: { own: [] },
  "token-format": { own: [] },
  bus: { own: ["background-work"] },
  "bus/postgres": { own: ["bus"], packages: ["bun"] },
  "bus/redis": { own: ["bus"], packages: ["bun"] },
  version: { own: ["package.json"] },
  item: { own: ["errors", "failure-cause", "is-object", "text"], packages: ["@sinclair/typebox"] },
  wire: { own: ["degraded-reasons", "errors", "item"], packages: ["@sinclair/typebox"] },
  renderers: { own: ["failure-cause", "item"] },
  terminal: { own: ["failure-cause", "item", "background-work", "text", "wire"] },
  store: { own: ["errors", "item"] },
  "store/contract": { own: ["item", "store/outages-extend-leases"] },
  "store/sqlite": {
    own: ["errors", "item", "background-work", "bounded-map", "store"],
    packages: ["bun:sqlite", "drizzle-orm", "node:fs", "node:path"],
  },
  "store/postgres": {
    own: ["backoff", "background-work", "errors", "item", "bounded-map", "store"],
    packages: ["bun", "bun:sqlite", "drizzle-orm", "node:fs", "node:path"],
  },
  queue: {
    own: [
      "backoff",
      "bus",
      "errors",
      "is-object",
      "item",
      "bounded-map",
      "renderers",
      "background-work",
      "store/contract/figures",
      "store/contract/history",
      "store/contract/instances",
      "store/contract/items",
      "store/contract/life",
      "store/contract/outputs",
      "store/contract/runs",
    ],
  },
  metrics: { own: ["background-work"] },
  stream: {
    own: ["bus", "errors", "item", "metrics", "store/contract/history", "terminal", "text", "wire"],
  },
  webhooks: {
    own: [
      "backoff",
      "bus",
      "errors",
      "item",
      "lazy-node",
      "background-work",
      "store/contract/deliveries",
      "store/contract/history",
    ],
  },
  http: {
    own: [
      "access",
      "errors",
      "degraded-reasons",
      "failure-cause",
      "is-object",
      "item",
      "loopback",
      "metrics",
      "bounded-map",
      "lazy-node",
      "queue",
      "renderers",
      "background-work",
      "stream",
      "terminal",
      "text",
      "token-format",
      "webhooks",
      "wire",
    ],
    packages: ["elysia", "@elysiajs/cors", "@sinclair/typebox", "node:net"],
  },
  "http/machine-host-names": { own: [], packages: ["node:fs", "node:os"] },
  "http/docs": {
    own: ["access", "errors", "http", "is-object", "item", "text", "wire"],
    packages: ["@sinclair/typebox"],
  },
  settings: { own: ["errors", "log", "lazy-node", "token-format"], packages: ["node:fs", "node:path"] },
  client: { own: ["backoff", "errors", "is-object", "item", "loopback", "wire"] },
  doctor: {
    own: ["errors", "loopback", "text"],
    packages: ["node:crypto", "node:dns/promises", "node:http", "node:https", "node:tls"],
  },
  "doctor/disk": {
    own: ["doctor", "store/sqlite/database-path", "store/sqlite/open", "text"],
    packages: ["node:fs", "node:path"],
  },
  "doctor/machine": {
    own: ["doctor", "errors", "machine", "store/database-address", "text"],
    packages: ["node:child_process"],
  },
  runner: {
    own: [
      "backoff",
      "client",
      "settings",
      "ending-signals",
      "errors",
      "item",
      "machine",
      "non-blocking-output",
      "renderers",
      "background-work",
      "text",
      "wire",
    ],
    packages: ["@sinclair/typebox", "node:fs", "node:path", "node:timers", "node:tty"],
  },
  commands: {
    own: [
      "failure-cause",
      "client",
      "settings",
      "errors",
      "item",
      "non-blocking-output",
      "renderers",
      "runner",
      "terminal",
      "text",
      "wire",
    ],
    packages: ["@sinclair/typebox", "node:fs", "node:os", "node:path", "node:util"],
  },
  "commands/work": { own: ["commands", "settings", "errors", "runner", "version"] },
  "commands/backup": { own: ["commands", "settings", "database-commands", "text"] },
  "commands/check": { own: ["commands", "settings", "errors", "database-commands", "text"] },
  "commands/compact": { own: ["commands", "settings", "database-commands", "text"] },
  "commands/doctor": {
    own: ["commands", "settings", "doctor", "errors", "non-blocking-output", "terminal", "text"],
  },
  "commands/move-database": { own: ["commands", "settings", "errors", "database-commands", "text"] },
  "commands/note-database-wait": { own: ["commands", "store/contract/store", "text"] },
  "commands/restore": { own: ["commands", "settings", "database-commands", "text"] },
  "commands/token": {
    own: [
      "access/secret",
      "commands",
      "settings",
      "errors",
      "database-commands",
      "store/contract/access",
      "text",
    ],
  },
  "commands/serve": { own: ["settings", "serve", "commands"] },
  "dashboard/model": { own: ["item", "wire"] },
  "dashboard/live": { own: ["client", "dashboard/model", "errors", "item", "text", "token-format"] },
  "dashboard/view": {
    own: ["client", "dashboard/live", "dashboard/model", "item", "loopback", "text", "token-format"],
  },
  dashboard: { own: ["text"] },
  main: {
    own: ["commands", "settings/proxy", "errors", "non-blocking-output", "text", "token-format", "version"],
  },
  serve: {
    own: [
      "access",
      "bus",
      "settings",
      "ending-signals",
      "errors",
      "degraded-reasons",
      "http",
      "log",
      "loopback",
      "machine",
      "metrics",
      "queue",
      "background-work",
      "store",
      "stream",
      "text",
      "upkeep",
      "version",
      "webhooks",
    ],
    packages: ["node:fs", "node:os", "node:path"],
  },
}

/** The places that know no framework, and nothing of Bun or of the process that they run in. */
export const CORE = [
  "backoff",
  "background-work",
  "errors",
  "degraded-reasons",
  "is-object",
  "metrics",
  "loopback",
  "bounded-map",
  "failure-cause",
  "text",
  "token-format",
  "item",
  "wire",
  "bus",
  "queue",
  "stream",
  "webhooks",
  "renderers",
  "terminal",
  "access",
  "upkeep",
]

/** The files among them that know the engine to which they speak. */
export const ENGINES = ["access/redis-rate-limit", "bus/postgres", "bus/redis"]

/**
 * Our own places that the page and the client may need when they run. From all other places they import only
 * types.
 */
export const LIGHT = [
  "backoff",
  "client",
  "dashboard",
  "errors",
  "is-object",
  "item/moves",
  "item/own-messages",
  "item/progress-words",
  "item/state-in-one-word",
  "item/missing-tags",
  "item/search",
  "loopback",
  "text",
  "token-format",
]

/**
 * Places with timers of their own. Their rounds are synchronous, and they run only while a stream or a socket
 * is open.
 */
export const OWN_TIMERS = ["stream/keepalives", "http/gone-websockets", "dashboard"]

/** Places that decide and answer. They use only the clock of the database, which they are given. */
export const GIVEN_A_CLOCK = [
  "access",
  "http",
  "queue",
  "store/postgres",
  "stream",
  "upkeep",
  "webhooks",
  "wire",
]

/** Folders of tests that stand for no folder of the source, and why. */
export const OWN_FOLDERS: Readonly<Record<string, string>> = {
  bench: "measures",
  contracts: "run against every store and every bus",
  fleet: "needs several servers",
  mutations: "mistakes that the tests must notice",
  packaging: "installed packages",
  reliability: "the whole program beside faults of the machine",
}
