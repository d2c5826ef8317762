import { expect, spyOn, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { nonBlockingOutput } from "../../src/non-blocking-output.ts"
import { NO_EVIDENCE } from "../../src/renderers/line-reader.ts"
import type { AttemptEnd } from "../../src/runner/attempt.ts"
import { RunOneItem } from "../../src/runner/run-one-item.ts"

function runOf(
  command: readonly string[],
  isLent: boolean,
  { client = new Client("http://127.0.0.1:1"), isOwn = false } = {},
): RunOneItem {
  return new RunOneItem({
    ...{ client, server: "http://127.0.0.1:1", worker: "box" },
    ...{ leaseS: 60, reportWithinMs: 0, span: undefined, stateFolder: undefined },
    plan: {
      ...{ command, renderer: "lines", outputs: [], total: undefined, isTotalGuessed: false },
      ...{ bars: undefined, mustShowFrames: false, file: undefined },
    },
    source: {
      ...{ name: "--item 7", isLent, isOwn, isContinued: () => false, item: () => undefined },
      first: async () => ({ id: 7, token: "t" }),
    },
    files: { paths: [], isGuessed: true, seconds: undefined, isVerified: false },
  })
}

/** The exit code of a run whose command ended in this way. */
function codeOf(end: Partial<AttemptEnd>, isLent = false): Promise<number> {
  return runOf(["true"], isLent).exitCode({
    ...{ code: 0, signal: null, evidence: NO_EVIDENCE, lastLines: "", stop: undefined },
    ...{ verdict: { end: "complete", result: {} }, delivery: "delivered" },
    ...end,
  })
}

test("a command that ended well counts as completed only where the server knows it", async () => {
  expect(await codeOf({})).toBe(0)
  expect(await codeOf({ delivery: "refused" })).toBe(1)
  expect(await codeOf({ delivery: "pending" })).toBe(1)
  for (const delivery of ["delivered", "refused", "pending"] as const)
    expect(await codeOf({ delivery }, true)).toBe(0)
})

test("how to report a result later is said only by the command that holds the lease", async () => {
  using write = spyOn(nonBlockingOutput(2), "write").mockReturnValue(true)
  await codeOf({ delivery: "pending" }, true)
  expect(write).not.toHaveBeenCalled()
  await codeOf({ delivery: "pending" })
  expect(write.mock.calls.join()).toContain("once the server is back, run: ")
})

test("an item that was added for a command is cancelled where a signal keeps the command from starting", async () => {
  for (const isOwn of [true, false]) {
    const client = new Client("http://127.0.0.1:1")
    using fail = spyOn(client, "fail").mockRejectedValue(new Error("enough"))
    using release = spyOn(client, "release").mockRejectedValue(new Error("enough"))
    const run = runOf(["true"], false, { client, isOwn })
    run.signal("SIGTERM")
    expect(await run.render()).toBe(128)
    expect(release).toHaveBeenCalledTimes(isOwn ? 0 : 1)
    expect(fail.mock.calls.map(([, { cancelled }]) => cancelled)).toEqual(isOwn ? [true] : [])
  }
})

test("nothing is left to do for an item that Ctrl-C cancelled before it was added", async () => {
  using write = spyOn(nonBlockingOutput(2), "write").mockReturnValue(true)
  const failure = { error_message: "the command ended with code 255 after SIGINT", cancelled: true } as const
  await codeOf({ code: 255, delivery: "pending", verdict: { end: "fail", failure } })
  expect(write).not.toHaveBeenCalled()
})

test("a command's own code comes first, and one that failed without any is 1", async () => {
  const failed = {
    end: "fail",
    failure: { error_message: "no frame was rendered", retryable: true },
  } as const
  expect(await codeOf({ code: 3, verdict: failed, delivery: "refused" })).toBe(3)
  expect(await codeOf({ verdict: failed })).toBe(1)
})

test("a run dies of the signal that ended its command, but not of the one by which a cancel stopped it", async () => {
  const kill = spyOn(process, "kill").mockReturnValue(true)
  try {
    const ended = { code: 143, signal: "SIGTERM" } as const
    expect(await codeOf({ ...ended, stop: { by: "cancel", reason: "cancelled" } })).toBe(143)
    expect(kill).not.toHaveBeenCalled()
    await codeOf(ended)
    expect(kill).toHaveBeenCalledWith(process.pid, "SIGTERM")
  } finally {
    kill.mockRestore()
  }
})

test("a command that a run starts inside a worker's script is given the item as the script is", async () => {
  const variable = "TRACK_STUDIO_ITEM_ID"
  const before = process.env[variable]
  process.env[variable] = "7"
  try {
    const run = runOf(["sh", "-c", `[ "$${variable}" = 7 ]`], true)
    expect(await run.render()).toMatchObject({ code: 0 })
  } finally {
    if (before === undefined) delete process.env[variable]
    else process.env[variable] = before
  }
})
