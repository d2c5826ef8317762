import { expect, test } from "bun:test"

import { type Client, ServerError } from "../../src/client/client.ts"
import { planned } from "../../src/runner/plan.ts"
import { Worker } from "../../src/runner/worker.ts"

/** A worker whose every claim is refused with this status, and a promise that resolves at the first. */
function refused(status: number): { readonly worker: Worker; readonly asked: Promise<void> } {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const client: unknown = {
    claim: () => {
      resolve()
      return Promise.reject(new ServerError(status, `refused with ${status}`, { code: "of the test" }))
    },
  }
  const worker = new Worker({
    client: client as Client,
    ...{ server: "http://127.0.0.1:1", worker: "box", version: "0", leaseS: 60, reportWithinMs: 0 },
    ...{ plan: planned(["true"]), tags: [], kind: undefined, steps: [], concurrency: 1 },
    stateFolder: undefined,
  })
  return { worker, asked }
}

test.each([401, 403, 429, 503])(
  "a worker that is answered %d waits until it is let in or stopped",
  async (status) => {
    const { worker, asked } = refused(status)
    let isOver = false
    const running = worker.run().finally(() => (isOver = true))
    await asked
    await new Promise(setImmediate)
    expect(isOver).toBe(false)
    worker.signal()
    await running
  },
)

test.each([400, 404, 409])("a worker that is answered %d ends with the reason", async (status) => {
  await expect(refused(status).worker.run()).rejects.toThrow(`refused with ${status}`)
})
