import { expect, test } from "bun:test"

import { lastEventIdOf, tidy, wantedOf } from "../../src/http/stream-query.ts"

test.each([
  [undefined, undefined, undefined],
  ["7", undefined, "7"],
  [undefined, "5", "5"],
  ["7", "5", "7"],
  // Some clients send an unknown value as an empty one.
  ["", "5", "5"],
  ["", "", undefined],
  ["", undefined, undefined],
])("of the header %j and the query %j the last event ID is %j", (header, query, expected) => {
  const headers = header === undefined ? {} : { "last-event-id": header }
  const request = new Request("http://localhost/", { headers })
  expect(lastEventIdOf(request, query === undefined ? {} : { last_event_id: query })).toBe(expected)
})

test("keys that clients add to avoid caches are removed, and other names of the last event ID are known", () => {
  const tidied = (query: object): object => {
    tidy({ query })
    return query
  }
  expect(tidied({ t: "1", ts: "2", cb: "3", _: "4", _a: "5", ids: "6" })).toEqual({ ids: "6" })
  expect(tidied({ lastEventId: "7" })).toEqual({ last_event_id: "7" })
  expect(tidied({ "Last-Event-ID": "7", song_id: "1" })).toEqual({ last_event_id: "7", song_id: "1" })
  expect(tidied({ last_event_id: "1", lastEventId: "7" })).toEqual({ last_event_id: "1" })
})

test("streams that ask for the same songs and items share one choice, and others have their own", () => {
  const asked = [[undefined, undefined], ["1"], ["1", "2"], [undefined, "1"], [undefined, "1,2"]] as const
  const choices = asked.map(([song, ids]) => wantedOf(song, ids))
  expect(asked.map(([song, ids]) => wantedOf(song, ids))).toEqual(choices)
  expect(new Set(choices).size).toBe(asked.length)
})
