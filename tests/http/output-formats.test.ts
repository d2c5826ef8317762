import { expect, test } from "bun:test"

import { outputFormat, placeIn } from "../../src/http/output-formats.ts"

test("a client gets the output as events if it names them or accepts them, also among other types", () => {
  const formatOf = (...asked: Parameters<typeof outputFormat>): string => outputFormat(...asked).name
  expect(formatOf(undefined, "text/html, text/event-stream;q=0.9")).toBe("sse")
  expect(formatOf("sse", "text/plain")).toBe("sse")
  expect(formatOf("text", "text/event-stream")).toBe("text")
  for (const accept of [null, "*/*", "text/plain"]) expect(formatOf(undefined, accept)).toBe("text")
})

test("a client that comes back continues at the place that its event ID names, with or without the begin of the attempt", () => {
  expect(placeIn("2-70-1700")).toEqual({ attempt: 2, after: 70, begunMs: 1700 })
  expect(placeIn("2-70")).toEqual({ attempt: 2, after: 70, begunMs: undefined })
  for (const foreign of [null, "", "70", "2-70-", "2-x"]) expect(placeIn(foreign)).toBeUndefined()
})
