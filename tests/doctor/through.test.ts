import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { examined } from "../../src/doctor/doctor.ts"
import type { Fault, Finding } from "../../src/doctor/finding.ts"
import { clientOf } from "../../src/doctor/requests.ts"
import { Nginx, nginxOrWhy, SHIPPED_CONFIGS, type Site } from "../nginx.ts"
import { Reader } from "../reader.ts"
import { run, start, type TestServer } from "../server.ts"

setDefaultTimeout(60_000)

const instead =
  (line: string, other: string) =>
  (config: string): string =>
    config.replace(line, other)

/** More lines in the location. */
const also = (lines: string): ((config: string) => string) =>
  instead("proxy_http_version 1.1;", `proxy_http_version 1.1; ${lines}`)

/** A misconfiguration: what is changed in the shipped configuration, and the faults that must be found. */
interface Case {
  readonly name: string
  readonly change?: (config: string) => string
  readonly faults: readonly Fault[]
  /** The server behind it; default: one that everybody may use. */
  readonly server?: "protected" | "trusting nobody" | "quiet" | "for all pages" | "empty"
  /** The path of the URL; default: none. */
  readonly path?: string
  /** How long an idle stream is watched, in milliseconds; default 6,000. */
  readonly idleMs?: number
  /** What cannot be judged. Default: nothing, or, if there are faults, anything. */
  readonly unknown?: readonly string[]
  /** The time of this machine's clock; default: the right time. */
  readonly now?: () => number
}

const CASES: readonly Case[] = [
  { name: "as it is shipped", faults: [] },
  {
    name: "streams are buffered",
    // Over HTTP/1.1 nginx passes on what it "buffers"; over HTTP/1.0, its default, it does not.
    change: (config) =>
      config
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
    faults: ["headers_stripped", "rewritten"],
  },
  {
    name: "a header is replaced by another one",
    change: also("expires 1h;"),
    faults: ["headers_stripped"],
  },
  {
    name: "comments are taken out",
    change: also(`sub_filter_types *; sub_filter_once off; sub_filter ": keepalive\\n\\n" "";`),
    faults: ["keepalive_lost"],
    idleMs: 15_500,
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
    faults: ["headers_stripped"],
  },
  {
    name: "the last event ID is taken out",
    change: also(`proxy_set_header Last-Event-ID "";`),
    faults: ["not_resumed"],
  },
  {
    name: "idle streams are cut",
    change: instead("proxy_read_timeout 1h;", "proxy_read_timeout 3s;"),
    faults: ["answer_cut", "cut"],
    server: "quiet",
  },
  {
    name: "answers may not be held",
    change: instead("proxy_read_timeout 1h;", "proxy_read_timeout 3s;"),
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
    name: "bodies may not pause",
    change: instead("client_body_timeout 1h;", "client_body_timeout 2s;"),
    faults: ["body_cut"],
  },
  {
    name: "bodies may not pause, and idle streams are cut",
    change: (config) =>
      config
        .replace("client_body_timeout 1h;", "client_body_timeout 2s;")
        .replace("proxy_read_timeout 1h;", "proxy_read_timeout 4s;"),
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
    faults: ["host_refused"],
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
    change: (config) =>
      config.replace(
        "location / {",
        `location = /api/v1/progress/stats {
          proxy_pass ${/http:\/\/track_studio_\d+/.exec(config)?.[0]}; proxy_set_header Host $http_host;
          proxy_ignore_headers Cache-Control Vary; proxy_cache kept; proxy_cache_valid 200 1m;
        }
        location / {`,
      ),
    faults: ["cached"],
  },
  {
    name: "queries are lost",
    change: (config) => config.replace(/proxy_pass (http:\/\/track_studio_\d+);/, "proxy_pass $1$uri;"),
    faults: ["query_lost"],
    unknown: ["held answers"],
  },
  {
    name: "refusals are replaced by pages of the proxy",
    change: also("proxy_intercept_errors on; error_page 404 =404 /nothing.html;"),
    faults: ["answers_replaced"],
  },
  {
    name: "changes are kept away",
    change: also("limit_except GET POST { deny all; }"),
    faults: ["answers_replaced"],
  },
  {
    name: "only reading is let through",
    change: also("limit_except GET { deny all; }"),
    faults: ["answers_replaced"],
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
    faults: ["limited", "limited", "limited"],
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

test("a client elsewhere that is seen as this machine itself is hidden by a proxy", () => {
  expect(clientOf("127.0.0.1", false)).toMatchObject({ verdict: "fault", fault: "client_hidden" })
  expect(clientOf("::1", false)).toMatchObject({ fault: "client_hidden" })
  expect(clientOf("192.0.2.7", false)).toMatchObject({ verdict: "good" })
  expect(clientOf("127.0.0.1", true)).toMatchObject({ verdict: "good" })
})

test("silent connections are watched for longer than the minute after which proxies end them by default", async () => {
  const { stdout } = await run(["doctor", "--help"])
  expect(Number(/--idle .*?default (\d+)/s.exec(stdout)?.[1])).toBeGreaterThan(60)
})

/** Without it, a server on loopback accepts changes from every page of this machine. */
const STUDIO = "https://studio.example"

// nginx ends a body on which nothing comes for a minute, and a frame may take longer.
test.each(Object.entries(SHIPPED_CONFIGS))("%s lets a renderer be silent for an hour", (_name, config) => {
  for (const limit of ["client_body_timeout", "proxy_read_timeout", "proxy_send_timeout"])
    expect(config).toMatch(new RegExp(`^ *${limit} 1h;$`, "m"))
})

const nginx = nginxOrWhy()
if ("why" in nginx) console.warn(`skipped: ${nginx.why}`)

describe.skipIf("why" in nginx)("through nginx", () => {
  const found = new Map<string, Finding[]>()
  const servers = new Map<Case["server"], TestServer>()
  let proxy: Nginx | undefined

  beforeAll(async () => {
    const base = ["--requests-per-address", "0", "--cors-origin", STUDIO]
    const args = [...base, "--keepalive-ms", "500"]
    const believing = ["--open", "--trusted-proxy", "127.0.0.1"]
    const locked = await start({ args })
    servers.set(undefined, await start({ args: [...args, ...believing] }))
    servers.set("trusting nobody", await start({ args: [...args, "--open"] }))
    servers.set("quiet", await start({ args: [...base, ...believing, "--keepalive-ms", "20000"] }))
    const always = ["--requests-per-address", "0", "--keepalive-ms", "500"]
    servers.set("for all pages", await start({ args: [...always, ...believing] }))
    servers.set("empty", await start({ args: [...args, ...believing] }))
    for (const [name, server] of servers) if (name !== "empty") await server.add()
    servers.set("protected", locked)
    expect((await run(["token", "create", "--role", "viewer", "--database", locked.database])).code).toBe(0)
    const sites = CASES.map(({ change, server }): Site => ({
      upstream: servers.get(server)?.url ?? "",
      ...(change && { change }),
    }))
    proxy = await Nginx.start("path" in nginx ? nginx.path : "", sites)
    const examine = async (
      { name, path = "", idleMs = 6000, now = Date.now }: Case,
      port: number,
    ): Promise<void> => {
      const url = new URL(`http://127.0.0.1:${port}${path}`)
      const findings = examined({ url, token: undefined, patienceMs: 8000, idleMs, now })
      found.set(name, await Array.fromAsync(findings))
    }
    await Promise.all(CASES.map((one, at) => examine(one, proxy?.ports[at] ?? 0)))
  })

  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    for (const server of servers.values()) await server[Symbol.asyncDispose]()
  })

  test.each([...CASES])("if $name, it finds that fault, and no other", ({ name, faults, unknown }) => {
    const findings = found.get(name) ?? []
    expect(findings.length).toBeGreaterThan(0)
    const bad = findings.filter(({ verdict }) => verdict === "fault")
    expect(bad.flatMap(({ fault }) => fault ?? []).toSorted()).toEqual([...faults].toSorted())
    for (const { remedy } of bad) expect(remedy.length).toBeGreaterThan(0)
    // A fault may hide others.
    if (faults.length > 0 && unknown === undefined) return
    const others = findings.filter(({ verdict }) => verdict !== "good" && verdict !== "fault")
    expect(others.map(({ about }) => about)).toEqual([...(unknown ?? [])])
  })

  test("through the shipped configuration viewers see a render's output while it is sent", async () => {
    const id = await servers.get(undefined)?.add()
    const url = `http://127.0.0.1:${proxy?.ports[0]}/api/v1`
    const reader = await Reader.open(`${url}/progress/stream/${id}`)
    const body = new TransformStream<Uint8Array, Uint8Array>()
    const answer = fetch(`${url}/queue/${id}/ingest/ffmpeg?total=10&finish=true`, {
      method: "POST",
      body: body.readable,
    })
    const writer = body.writable.getWriter()
    await writer.write(Buffer.from("out_time_us=5000000\nprogress=continue\n"))
    await reader.until((seen) => seen.some(({ data }) => data["progress"] === 50))
    await writer.write(Buffer.from("out_time_us=10000000\nprogress=end\n"))
    await writer.close()
    expect((await answer).status).toBe(200)
    await reader.until((seen) => seen.some(({ data }) => data["status"] === "completed"))
  })
})
