import { expect, test } from "bun:test"

import { outputFormat } from "../../src/http/output-formats.ts"

test("a client gets the output as events if it names them or accepts them, also among other types", () => {
  const formatOf = (...asked: Parameters<typeof outputFormat>): string => outputFormat(...asked).name
  expect(formatOf(undefined, "text/html, text/event-stream;q=0.9")).toBe("sse")
  expect(formatOf("sse", "text/plain")).toBe("sse")
  expect(formatOf("text", "text/event-stream")).toBe("text")
  for (const accept of [null, "*/*", "text/plain"]) expect(formatOf(undefined, accept)).toBe("text")
})
