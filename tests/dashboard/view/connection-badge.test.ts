import { describe, expect, test } from "bun:test"

import { CONNECTING, type Connection } from "../../../src/dashboard/model/hub-messages.ts"
import { badgeWords, SpokenTroubles } from "../../../src/dashboard/view/connection-badge.ts"

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
})
