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
