import { describe, expect, test } from "bun:test"

import fc from "fast-check"

import { type Doors, notTaken, type Sender } from "../../src/http/host-and-origin.ts"

const LAN = "http://studio-pc.lan:3000"
const PUBLIC = "https://evil.example"
const NAMED = "https://studio.example"

const doors = (changes: Partial<Doors> = {}): Doors => ({
  origins: [],
  isLocal: true,
  isOwnName: (name) => name === "box.example.net",
  ...changes,
})
const post = (changes: Partial<Sender> = {}): Sender => ({
  method: "POST",
  isUpgrade: false,
  host: "127.0.0.1:8080",
  origin: null,
  fetchSite: null,
  forwardedProto: null,
  ...changes,
})

describe("by the rule of origins", () => {
  const own = "http://127.0.0.1:8080"
  const none = "nothing listed"
  const lines: readonly (readonly [string, Partial<Sender>, Partial<Doors>, boolean])[] = [
    [`no origin, ${none}`, {}, {}, true],
    ["no origin, and a page of another site", { fetchSite: "cross-site" }, {}, false],
    ["no origin, and a page of another port", { fetchSite: "same-site" }, {}, false],
    ["no origin, and a relation that is spelled differently", { fetchSite: "Cross-Site" }, {}, false],
    ["no origin, and two relations", { fetchSite: "same-origin, cross-site" }, {}, false],
    ["no origin, and our own page", { fetchSite: "same-origin" }, {}, true],
    ["no origin, and an address that somebody typed", { fetchSite: "none" }, {}, true],
    ["our own origin", { origin: own }, { isLocal: false }, true],
    ["our own origin, and a port that is the default", { origin: "http://box", host: "box:80" }, {}, true],
    ["another port of ours", { origin: "http://127.0.0.1:3000" }, { isLocal: false }, false],
    ["our host without its port", { origin: "http://127.0.0.1" }, { isLocal: false }, false],
    ["a port that only begins like ours", { origin: "http://127.0.0.1:808" }, { isLocal: false }, false],
    ["a port that ours only begins like", { origin: `${own}0` }, { isLocal: false }, false],
    [
      "a host that only begins like ours",
      { origin: "http://box.evil", host: "box" },
      { isLocal: false },
      false,
    ],
    ["a host that ours only begins like", { origin: "http://bo", host: "box" }, { isLocal: false }, false],
    [
      "a host that only ends like ours",
      { origin: "http://evil.box", host: "box" },
      { isLocal: false },
      false,
    ],
    ["a page that only begins like a listed one", { origin: `${NAMED}.evil` }, { origins: [NAMED] }, false],
    ["a page that a listed one only begins like", { origin: "https://studio" }, { origins: [NAMED] }, false],
    ["another loopback port, for a local server", { origin: "http://127.0.0.1:3000" }, {}, true],
    ["localhost by name, for a local server", { origin: "http://localhost:3000" }, {}, true],
    ["a name below localhost, for a local server", { origin: "http://app.localhost:3000" }, {}, true],
    ["IPv6's loopback, for a local server", { origin: "http://[::1]:3000" }, {}, true],
    ["a name that only ends so", { origin: "http://notlocalhost:3000" }, {}, false],
    ["a name that only begins so", { origin: "http://127.0.0.1.evil.example" }, {}, false],
    ["a page of the LAN", { origin: LAN }, {}, false],
    ["a public page", { origin: PUBLIC }, {}, false],
    ["a listed page", { origin: NAMED }, { origins: [NAMED], isLocal: false }, true],
    ["any page, where * is listed", { origin: PUBLIC }, { origins: ["*"], isLocal: false }, false],
    ["no page, where * is listed", { origin: "null" }, { origins: ["*", "null"], isLocal: false }, false],
    ["a page without an origin, as in a sandbox", { origin: "null" }, {}, false],
    ["an empty origin", { origin: "" }, {}, false],
    ["two origins", { origin: `${own}, ${PUBLIC}` }, {}, false],
    ["an origin with a path", { origin: `${own}/` }, {}, false],
    ["our host by another scheme", { origin: "https://box", host: "box" }, { isLocal: false }, false],
    [
      "our host by another scheme, through a proxy that says so",
      { origin: "https://box", host: "box", forwardedProto: "https" },
      { isLocal: false },
      true,
    ],
    [
      "our host by another scheme, when the browser says that the page is ours",
      { origin: "https://box", host: "box", fetchSite: "same-origin" },
      { isLocal: false },
      true,
    ],
    ["an origin, where no host is given", { origin: "http://box", host: null }, { isLocal: false }, false],
  ]
  test.each(lines)("%s: a change", (_what, caller, changes, isTaken) => {
    const verdicts = ["POST", "PUT", "DELETE", "PATCH"].map((method) =>
      notTaken(post({ ...caller, method }), doors(changes)),
    )
    const socket = notTaken(post({ ...caller, method: "GET", isUpgrade: true }), doors(changes))
    for (const verdict of [...verdicts, socket]) {
      expect(verdict?.code).toBe(isTaken ? undefined : "forbidden")
      if (verdict) expect(verdict.error).toContain("--cors-origin")
    }
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      expect(notTaken(post({ ...caller, method }), doors(changes))).toBeUndefined()
    }
  })
})

describe("by the rule of hosts", () => {
  const taken = [
    "127.0.0.1",
    "127.0.0.1:8080",
    "192.168.1.20:8080",
    "[::1]:8080",
    "[2001:db8::7]",
    "[fe80::1%25eth0]:8080",
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "studio.localhost:1",
    "box",
    "box:8080",
    "box.example.net",
    "BOX.example.net.:8080",
    "",
    null,
  ]
  test.each(taken)("%p is answered", (host) => {
    for (const method of ["GET", "POST"]) expect(notTaken(post({ host, method }), doors())).toBeUndefined()
  })

  const foreign = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.localhost.example",
    "box.example.net.evil.example",
    "1.2.3.4.5",
    "localhost@evil.example",
    "evil.example:localhost",
    "evil.example#.localhost:80:80",
    "evil.example/.localhost",
    "evil.example#.localhost",
    "evil.example\\.localhost",
    "me@evil.example@.localhost",
    "[evil.example]",
    "[evil]",
    "[::1].evil.example",
    "[::1]evil",
    "999.1.1.1",
    "evil example",
    "evil/box",
  ]
  test.each(foreign)("%p is not", (host) => {
    for (const method of ["GET", "HEAD", "OPTIONS", "POST"]) {
      expect(notTaken(post({ host, method }), doors())).toMatchObject({
        code: "misdirected",
        error: expect.stringContaining("--allowed-host"),
      })
    }
  })

  test("two Host headers are refused, whatever they are", () => {
    for (const host of ["localhost, localhost", "localhost, evil.example"]) {
      expect(notTaken(post({ host }), doors())?.code).toBe("malformed_request")
    }
  })
})

describe("whatever an attacker tries", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
  const domain = fc
    .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), fc.constantFrom("example", "com", "lan", "ai"))
    .map(([labels, end]) => [...labels, end].join("."))
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined })
  const withPort = (host: string, at: number | undefined): string =>
    at === undefined ? host : `${host}:${at}`

  test("a domain of the attacker is not accepted as a host of the server", () => {
    fc.assert(
      fc.property(domain, port, fc.constantFrom("GET", "POST", "OPTIONS"), (name, at, method) => {
        const verdict = notTaken(
          post({ host: withPort(name, at), method }),
          doors({ isOwnName: () => false }),
        )
        expect(verdict?.code).toBe("misdirected")
      }),
    )
  })

  test("a page of the attacker changes nothing, whatever it claims, unless its origin is listed", () => {
    const origins = fc.oneof(
      fc
        .tuple(fc.constantFrom("http", "https"), domain, port)
        .map(([scheme, name, at]) => `${scheme}://${withPort(name, at)}`),
      fc.string(),
    )
    const site = fc.constantFrom(null, "none", "same-origin", "same-site", "cross-site", "odd")
    fc.assert(
      fc.property(
        origins,
        site,
        fc.constantFrom(null, "https", "http"),
        (origin, fetchSite, forwardedProto) => {
          fc.pre(!/^https?:\/\/(127\.|\[::1\]|([^/]+\.)?localhost\b)/.test(origin))
          const caller = post({ origin, fetchSite, forwardedProto })
          expect(notTaken(caller, doors())?.code).toBe("forbidden")
          const url = URL.parse(origin)
          if (url?.origin === origin) expect(notTaken(caller, doors({ origins: [origin] }))).toBeUndefined()
        },
      ),
    )
  })
})
