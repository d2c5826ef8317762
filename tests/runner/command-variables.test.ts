import { expect, test } from "bun:test"

import { blank } from "../../src/item/blank-item.ts"
import { variablesOf } from "../../src/runner/command-variables.ts"

test("an item that is too long for a variable is left out of the environment, and its ids are not", () => {
  const item = { id: 7, ...blank(3, "2026-01-02T03:04:05.678Z") }
  const held = { id: 7, token: "t" }
  const long = { ...item, metadata: { text: Array<string>(10).fill("x".repeat(10_000)) } }
  expect(variablesOf(item, held, "http://a").TRACK_STUDIO_ITEM).toBe(JSON.stringify(item))
  // The system counts bytes, and not characters.
  const wide = { ...item, metadata: { text: Array<string>(10).fill("é".repeat(7000)) } }
  expect(variablesOf(wide, held, "http://a").TRACK_STUDIO_ITEM).toBeUndefined()
  expect(variablesOf(long, held, "http://a")).toEqual({
    TRACK_STUDIO_SERVER: "http://a",
    TRACK_STUDIO_ITEM: undefined,
    TRACK_STUDIO_ITEM_ID: "7",
    TRACK_STUDIO_SONG_ID: "3",
    TRACK_STUDIO_LEASE: "t",
  })
  expect(variablesOf(undefined, undefined, "http://a")).toMatchObject({ TRACK_STUDIO_SERVER: "http://a" })
})
