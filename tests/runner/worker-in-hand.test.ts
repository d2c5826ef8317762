import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { type Client, type Held, ServerError } from "../../src/client/client.ts"
import { blank } from "../../src/item/blank-item.ts"
import { planned } from "../../src/runner/progress-arguments.ts"
import { Worker } from "../../src/runner/worker.ts"
import { temporaryFolder } from "../server.ts"

test.each([
  ["goes on with that work, by the new lease", 2, "begun\n"],
  ["ends that work before the next begins, if another attempt was between", 3, "begun\nended\nbegun\n"],
])(
  "a worker that claims the item on which it works %s",
  async (_what, attempt, logged) => {
    using folder = temporaryFolder()
    const log = join(folder.path, "log")
    const item = { id: 7, ...blank(1, "2026-01-02T03:04:05.678Z"), status: "processing" }
    const lost = Promise.withResolvers<void>()
    const refused = async (code: string): Promise<never> => Promise.reject(new ServerError(409, "", { code }))
    const [completed, released]: [string[], string[]] = [[], []]
    let claims = 0
    const report = ({ token }: Held): Promise<object> => {
      if (token === "second") return Promise.resolve({ directive: "continue", item })
      lost.resolve()
      return refused("lease_lost")
    }
    const client: unknown = {
      claim: async (_request: object, signal: AbortSignal) => {
        claims += 1
        if (claims === 1) return { item: { ...item, attempt: 1 }, lease: { token: "first" } }
        await lost.promise
        if (claims === 2) return { item: { ...item, attempt }, lease: { token: "second" } }
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      },
      take: () => refused("illegal_move"),
      heartbeat: report,
      report,
      print: report,
      complete: async (held: Held) => {
        const answer = await report(held)
        completed.push(held.token)
        worker.signal()
        return answer
      },
      release: async ({ token }: Held) => void released.push(token),
    }
    const onStop = `trap 'sleep 0.2; echo ended >> ${log}; exit 1' TERM`
    const worker = new Worker({
      client: client as Client,
      ...{ server: "http://127.0.0.1:1", worker: "box", version: "0", leaseS: 60, reportWithinMs: 5000 },
      ...{
        plan: planned(["sh", "-c", `${onStop}; echo begun >> ${log}; sleep 0.3 & wait`]),
        tags: [],
        kind: undefined,
        steps: [],
        concurrency: 2,
      },
      stateFolder: undefined,
    })
    await worker.run()
    expect([completed, released, readFileSync(log, "utf8")]).toEqual([["second"], [], logged])
  },
  180_000,
)
