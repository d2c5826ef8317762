import { describe, expect, test } from "bun:test"

import { CONNECTING, type Connection } from "../../src/dashboard/model/hub-messages.ts"
import { badgeWords } from "../../src/dashboard/view/connection-badge.ts"

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
})
