import { expect, test } from "bun:test"

import { clientKind } from "../../src/http/client-kind.ts"

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64)", "browser"],
  ["curl/8.5.0", "curl"],
  ["Bun", "bun"],
  ["python-httpx/0.27", "python"],
  ["Go-http-client/1.1", "go"],
  ["a program of the studio", "other"],
  ["curlew/1.0", "other"],
  ["", "unknown"],
])("a client that says %p is %s", (agent, kind) => {
  const headers = agent === "" ? {} : { "user-agent": agent }
  expect(clientKind(new Request("http://localhost", { headers }))).toBe(kind)
})
