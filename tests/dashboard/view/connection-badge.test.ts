import { describe, expect, test } from "bun:test"

import { CONNECTING, type Connection } from "../../../src/dashboard/model/hub-messages.ts"
import {
  badgeWords,
  bannerWords,
  connectionFacts,
  SpokenTroubles,
} from "../../../src/dashboard/view/connection-badge.ts"

const nowMs = Date.UTC(2026, 0, 2, 12, 0, 0)
const live: Connection = { ...CONNECTING, state: "live", confirmedMs: nowMs - 1000 }
const said = (changes: Partial<Connection>): string => {
  const { word, detail, next = "" } = badgeWords({ ...live, ...changes }, nowMs)
  return `${word} ${detail} ${next}`.trim()
}

describe("the badge", () => {
  test("says live, and how far behind", () => {
    expect(said({})).toBe("Live up to date")
    expect(said({ lagMs: 40 })).toBe("Live up to date")
    expect(said({ lagMs: 340 })).toBe("Live 0.3 s behind")
    expect(said({ lagMs: 340, behind: 1200 })).toBe("Live 1,200 updates behind")
  })

  test("says how long ago `live` was confirmed, once that is long", () => {
    expect(said({ confirmedMs: nowMs - 9000 })).toBe("Live confirmed 9 s ago")
  })

  test("says from when the state is, if it may be old", () => {
    expect(said({ state: "reconnecting", retryAtMs: nowMs + 4200 })).toMatch(
      /^Reconnecting as of \d\d:\d\d:\d\d next attempt in 0:04$/,
    )
    expect(said({ state: "stale" })).toMatch(/^Stale as of /)
    expect(said({ state: "refused" })).toMatch(/^Refused as of /)
  })

  test("claims nothing before anything was known", () => {
    expect(badgeWords(CONNECTING, nowMs)).toEqual({ word: "Connecting", detail: "" })
    expect(said({ state: "stale", confirmedMs: null })).toBe("Can't connect")
  })

  test("reads out at once what is wrong with the server, and what comes and goes at most once a minute", () => {
    const spoken = new SpokenTroubles()
    const full = [{ title: "disk full" }]
    expect(spoken.at(0, [])).toBe("")
    const heard: string[] = []
    // The page asks the server every five seconds.
    for (let second = 0; second < 300; second += 5) {
      const text = spoken.at(second * 1000, second % 10 === 0 ? full : [])
      if (text !== "") heard.push(text)
    }
    expect(heard.length).toBeLessThanOrEqual(5)
    expect(heard.slice(0, 2)).toEqual(["Problems of the server: disk full", "The server has recovered"])
    expect(spoken.at(400_000, full)).toBe(heard.length % 2 === 0 ? "Problems of the server: disk full" : "")
    expect(spoken.at(500_000, [])).toBe("The server has recovered")
  })

  test("says what is wrong with the server, or that nothing is loaded, before how far behind it is", () => {
    const full = { title: "disk full" } as never
    const words = (troubles: never[], loaded = { isAny: true, unread: "" }, changes = {}): string => {
      const { word, detail } = badgeWords({ ...live, ...changes }, nowMs, troubles, loaded)
      return `${word} ${detail}`.trim()
    }
    expect([words([full]), words([full, full])]).toEqual(["Live disk full", "Live 2 problems"])
    expect(words([full], undefined, { behind: 1 })).toBe("Live 1 update behind")
    expect(words([full], { isAny: true, unread: "Can't load" }, { behind: 1 })).toBe("Live not all loaded")
    expect(words([full], { isAny: false, unread: "" })).toBe("Loading")
    expect(words([full], { isAny: false, unread: "Can't load" })).toBe("Not loaded")
  })

  test("says nothing of an attempt that is made at once, nor of a delay that nobody can notice", () => {
    expect(said({ lagMs: 99, confirmedMs: nowMs - 8000 })).toBe("Live up to date")
    expect(said({ lagMs: 100 })).toBe("Live 0.1 s behind")
    expect(said({ confirmedMs: null })).toBe("Live up to date")
    const losing = { state: "reconnecting", confirmedMs: null } as const
    expect(said({ ...losing, retryAtMs: nowMs + 1500 })).toBe("Reconnecting")
    expect(said({ ...losing, retryAtMs: nowMs + 1501 })).toEndWith("next attempt in 0:01")
    expect(said(losing)).toBe("Reconnecting")
  })
})

describe("the banner", () => {
  const why = (changes: Partial<Connection>, unread = ""): string =>
    bannerWords({ ...live, reason: "No answer", ...changes }, nowMs, unread)

  test("says why what is shown may be old, and since when it is", () => {
    for (const state of ["stale", "refused"] as const) {
      expect(why({ state, confirmedMs: nowMs - 125_000 })).toMatch(
        /^No answer\. Showing the state at \d\d:\d\d:\d\d, 2 min ago\.$/,
      )
      expect(why({ state, confirmedMs: null })).toBe("No answer. Nothing here is live.")
    }
  })

  test("says what is not loaded while the rest is true, and otherwise nothing", () => {
    for (const state of ["live", "reconnecting", "connecting"] as const) expect(why({ state })).toBe("")
    expect(why({ state: "live" }, "Can't load the figures: Full")).toBe("Can't load the figures: Full.")
  })
})

test("the facts of the connection begin with its problem, and name what is not known as such", () => {
  expect(connectionFacts({ ...CONNECTING, reason: "No answer" }, null)).toEqual([
    ["Problem", "No answer"],
    ["Confirmed", "not yet"],
    ["Latest update", "none"],
    ["Latency", "unknown"],
    ["Uptime", "unknown"],
    ["Clock offset", "0 ms"],
  ])
  const known = { ...live, lastEventId: 12_345, lagMs: 12.6, skewMs: -1500.4 }
  const [[, confirmed] = [], ...rest] = connectionFacts(known, { uptime_seconds: 3600 } as never)
  expect(confirmed).toContain("2026")
  expect(rest.map(([, value]) => value)).toEqual(["ID 12,345", "13 ms", "1 h", "1500 ms"])
  expect(connectionFacts(live, null)).toContainEqual(["Latency", "idle"])
  expect(connectionFacts(CONNECTING, null)).toContainEqual(["Latency", "unknown"])
})
