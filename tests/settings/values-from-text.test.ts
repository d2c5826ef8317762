import { describe, expect, test } from "bun:test"

import { itemInHand, stateFolder } from "../../src/settings/environment.ts"
import { setting, token } from "../../src/settings/read-settings.ts"
import type { SettingName } from "../../src/settings/settings.ts"

/** The value of a setting that is given by its flag. */
const read = (name: SettingName, ...texts: readonly string[]): unknown => setting(name, { [name]: texts }, {})

describe("a network", () => {
  test.each(["10.0.0.7", "10.0.0.0/8", "10.0.0.7/32", "0.0.0.0/0", "::1", "fd00::/8", "::/128"])(
    "may be %s",
    (network) => {
      expect(read("trusted-proxy", network)).toEqual([network])
    },
  )

  test.each(["10.0.0.0/33", "::/129", "10.0.0.0/8/9", "10.0.0.0/x", "10.0.0.0/-1", "box", "10.0.0"])(
    "may not be %s",
    (network) => {
      expect(() => read("trusted-proxy", network)).toThrow(`not "${network}"`)
    },
  )
})

describe("the URL of a webhook", () => {
  test("counts once, however often it is named", () => {
    const [one, two] = ["https://a.example/hook", "http://b.example:8080/hook?x=1"]
    expect(read("webhook", one, two, one, "")).toEqual([one, two])
  })

  test.each([
    "https://user@a.example/hook",
    "https://:secret@a.example/hook",
    "ftp://a.example/hook",
    "a.example",
  ])("may not be %s", (url) => {
    expect(() => read("webhook", url)).toThrow("--webhook must be a URL such as")
  })
})

describe("a time", () => {
  test.each([
    ["0", 0],
    ["1s", 1000],
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["12h", 43_200_000],
    ["7d", 604_800_000],
    ["999999d", 86_399_913_600_000],
  ])("of %s is %d ms", (text, ms) => {
    expect(read("retain-items", text)).toBe(ms)
  })

  test.each(["1000000d", "7", "0s", "07d", "7 d", "-7d", "1.5h", "7w", "d"])("may not be %j", (text) => {
    expect(() => read("retain-items", text)).toThrow(
      "must be a time such as 7d, 12h, 30m or 90s, at most 999999d",
    )
  })

  test("that is shorter than the shortest one that has an effect is refused", () => {
    expect([read("retain-updates", "0"), read("retain-updates", "24h")]).toEqual([0, 86_400_000])
    for (const short of ["1h", "23h", "86399s"])
      expect(() => read("retain-updates", short)).toThrow(`must be at least 1d, or 0, not "${short}"`)
  })
})

describe("what a browser sends", () => {
  test("is an origin without a path, or any", () => {
    const origins = ["https://studio.example:3000", "http://box", "*"]
    expect([read("cors-origin", ...origins), setting("cors-origin", {}, {})]).toEqual([origins, []])
    for (const wrong of ["https://studio.example/", "studio.example", "null", "HTTPS://a.example", ""])
      expect(() => read("cors-origin", "*", wrong)).toThrow(`, without a path, not "${wrong}"`)
  })

  test("is a host name without scheme, port and path, in small letters", () => {
    expect(read("allowed-host", "Studio.Example", "box")).toEqual(["studio.example", "box"])
    expect(setting("allowed-host", {}, {})).toEqual([])
    for (const wrong of ["http://box", "box:8080", "box/", "a b", ""])
      expect(() => read("allowed-host", "box", wrong)).toThrow(
        `, without scheme, port and path, not "${wrong}"`,
      )
  })
})

test("a switch is on by its flag, and by a variable that says so in any letters", () => {
  const byVariable = (value: string): unknown => setting("open", {}, { TRACK_STUDIO_OPEN: value })
  expect(setting("open", { open: true }, { TRACK_STUDIO_OPEN: "0" })).toBe(true)
  expect(["1", "true", "TRUE"].map(byVariable)).toEqual([true, true, true])
  expect(["", "0", "False"].map(byVariable)).toEqual([false, false, false])
  expect(() => byVariable("yes")).toThrow('TRACK_STUDIO_OPEN must be 1, true, 0 or false, not "yes"')
})

describe("a database", () => {
  test.each([
    ["queue.db", "queue.db"],
    ["/var/lib/a:b.db", "/var/lib/a:b.db"],
    ["POSTGRES://user@host/track", "postgres://user@host/track"],
    ["postgresql://user:%25@host:5433/track", "postgresql://user:%25@host:5433/track"],
  ])("may be named %s, and is %s", (given, name) => {
    expect(read("database", given)).toBe(name)
  })

  test.each([
    "mysql://host/track",
    "postgres://a:secret%@host/track",
    "postgres://a,b/track",
    "postgres://[/track",
  ])("may not be %s, and what was given is not repeated", (given) => {
    expect(() => read("database", given)).toThrow(/^(?!.*(?:secret|mysql)).* must be a SQLite file, or a URL/)
  })
})

describe("a bus", () => {
  test.each(["redis", "rediss", "valkey", "valkeys", "postgres", "postgresql"])("may be a %s", (scheme) => {
    expect(read("bus", `${scheme}://host:6379`)).toBe(`${scheme}://host:6379`)
  })

  test("is none by default, and no URL of another kind", () => {
    expect([read("bus", ""), setting("bus", {}, {})]).toEqual([undefined, undefined])
    for (const wrong of ["http://host", "host:6379", "redis://", "redis://a,b", "redis://:secret%@host"])
      expect(() => read("bus", wrong)).toThrow(/^(?!.*secret).*must be a URL such as redis:/)
  })
})

test("a whole number is accepted within its bounds, the bounds included", () => {
  expect([read("port", "0"), read("port", "65535")]).toEqual([0, 65_535])
  for (const wrong of ["65536", "-1", "80.5", "1e3", "0x50", " 80", ""])
    expect(() => read("port", wrong)).toThrow("--port")
})

test("the folder of a worker's state is that of the user, and a path that is not absolute names none", () => {
  expect(stateFolder({ XDG_STATE_HOME: "/state", HOME: "/home/a" })).toBe("/state/track-studio")
  expect(stateFolder({ XDG_STATE_HOME: "state", HOME: "/home/a" })).toBe("/home/a/.local/state/track-studio")
  expect(stateFolder({ HOME: "/home/a" })).toBe("/home/a/.local/state/track-studio")
  for (const env of [{}, { HOME: "" }, { HOME: "a" }]) expect(stateFolder(env)).toBeUndefined()
})

test("a command works on an item only if it has the lease as well as the number", () => {
  const [id, lease] = [{ TRACK_STUDIO_ITEM_ID: "7" }, { TRACK_STUDIO_LEASE: "secret" }]
  expect(itemInHand({ ...id, ...lease })).toEqual({ id: 7, token: "secret" })
  for (const env of [
    {},
    id,
    lease,
    { ...lease, TRACK_STUDIO_ITEM_ID: "07" },
    { ...id, TRACK_STUDIO_LEASE: "" },
  ])
    expect(itemInHand(env)).toBeUndefined()
})

test("the token of the environment is sent, whatever file is named beside it", () => {
  const env = { TRACK_STUDIO_TOKEN: "tsk_of_the_environment" }
  for (const given of [{}, { "token-file": "/no/such/file" }])
    expect(token(given, { ...env, TRACK_STUDIO_TOKEN_FILE: "/no/such/file" })).toBe(env.TRACK_STUDIO_TOKEN)
  expect(token({}, {})).toBeUndefined()
  expect(() => token({ "token-file": "/no/such/file" }, {})).toThrow("does not exist")
})

test.each(["https://*.studio.example", "https://a.example,b.example", "ftp://studio.example"])(
  "an origin that no browser sends is refused, although it looks like one: %j",
  (origin) => {
    expect(() => read("cors-origin", origin)).toThrow(`not "${origin}"`)
  },
)

test.each(["*.studio.example", "a.example,b.example", "studio..example", ".studio.example"])(
  "a name that no browser sends as a host is refused, although it looks like one: %j",
  (name) => {
    expect(() => read("allowed-host", name)).toThrow(`not "${name}"`)
  },
)
