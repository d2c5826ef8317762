import { expect, test } from "bun:test"

import { jsonBody, optionalJsonBody } from "../../src/http/body.ts"

const headers = { "content-type": "application/json" }

test.each([
  ["that must be there", jsonBody, headers],
  ["that may be left out", optionalJsonBody, headers],
  ["whose length was said", optionalJsonBody, { ...headers, "content-length": "1" }],
])("a body %s is parsed once its sender has its turn", async (_what, read, sent) => {
  const order: string[] = []
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      setImmediate(() => {
        order.push("turn")
        resolve()
      })
    })
  const request = new Request("http://127.0.0.1/", { method: "POST", headers: sent, body: "{" })
  const rest = { query: {}, params: undefined, route: "/" }
  const reading = read({ request, ...rest, letIn: () => turn, inTime: (body) => body })
  await reading.catch(() => order.push("parsed"))
  expect(order).toEqual(["turn", "parsed"])
})
