import { expect, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { NO_EVIDENCE } from "../../src/renderers/line-reader.ts"
import type { CommandEnd } from "../../src/runner/command-process.ts"
import type { FilesEnd } from "../../src/runner/expected-files.ts"
import {
  cancelling,
  deliver,
  isCancelling,
  onStep,
  type Stop,
  type Verdict,
  verdictOn,
  wordOf,
} from "../../src/runner/verdict.ts"

test("an older server, which cannot cancel a failed attempt, gets it as a failure", async () => {
  const bodies: unknown[] = []
  using server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      bodies.push(await request.json())
      const refusal = { error: 'unknown key "cancelled"', code: "invalid", request_id: "1" }
      return Response.json(refusal, { status: 422 })
    },
  })
  const client = new Client(`http://127.0.0.1:${server.port}`)
  const failure = { error_message: "stopped", retryable: false, cancelled: true } as const
  await expect(deliver(client, { id: 7, token: "t" }, { end: "fail", failure })).rejects.toThrow(
    "unknown key",
  )
  expect(bodies).toEqual([failure, { error_message: "stopped", retryable: false }])
})

interface Given extends Partial<CommandEnd> {
  readonly stop?: Stop
  readonly found?: Partial<FilesEnd>
}

const NO_FILES: FilesEnd = { failure: undefined, files: {}, isWhole: false, unchecked: [] }

/** The verdict on a command that ended like this; 77 and 78 are exit codes that give the item back. */
const verdictFor = ({ stop, found, ...end }: Given): Verdict =>
  verdictOn(
    { code: 0, signal: null, evidence: NO_EVIDENCE, lastLines: "", ...end },
    stop,
    [77, 78],
    found && { ...NO_FILES, ...found },
  )

const failed = (error_message: string, retryable = true): Verdict => ({
  end: "fail",
  failure: { error_message, retryable },
})
const bySignal: Stop = { by: "signal", signal: "SIGTERM" }
const half = { ...NO_EVIDENCE, reached: 0.5 }

test.each<[string, Given, Verdict]>([
  ["ends well", {}, { end: "complete", result: {} }],
  ["reaches its total", { evidence: { ...half, reached: 0.98 } }, { end: "complete", result: {} }],
  [
    "writes files and leaves a doubt",
    { found: { files: { video_file_path: "/a.mp4" } }, evidence: { ...NO_EVIDENCE, seen: "3 of 6 frames" } },
    { end: "complete", result: { video_file_path: "/a.mp4", message: "3 of 6 frames" } },
  ],
  ["fails", { code: 1 }, failed("the command ended with code 1")],
  ...[64, 65, 126, 127].map((code): [string, Given, Verdict] => [
    `would fail again with ${code}`,
    { code },
    failed(`the command ended with code ${code}`, false),
  ]),
  ["says why it fails", { code: 1, lastLines: "no room" }, failed("the command ended with code 1\nno room")],
  ["is killed", { code: 137, signal: "SIGKILL" }, failed("the command was ended by SIGKILL")],
  ["ends after a signal", { code: 1, stop: bySignal }, failed("the command ended with code 1 after SIGTERM")],
  ["has an exit code that gives back", { code: 78 }, { end: "release" }],
  ["is stopped to be given back", { code: 1, stop: { by: "release" } }, { end: "release" }],
  [
    "is stopped because of a cancel",
    { code: 1, stop: { by: "cancel", reason: "queue item 7 was cancelled" } },
    failed("stopped: queue item 7 was cancelled", false),
  ],
  ["prints a failure", { evidence: { ...NO_EVIDENCE, failure: "no space left" } }, failed("no space left")],
  ["ends early", { evidence: half }, failed("the command ended with code 0 at 50 % of its total")],
  [
    "ends early with a whole file",
    { evidence: half, found: { isWhole: true } },
    { end: "complete", result: {} },
  ],
  ["writes no file", { found: { failure: "/a.mp4 was not written" } }, failed("/a.mp4 was not written")],
])("a command that %s is judged by that", (_, given, verdict) => {
  expect(verdictFor(given)).toEqual(verdict)
})

test("only a failure can become a cancel, and only a failure says its step", () => {
  const [failure, complete]: [Verdict, Verdict] = [failed("broken"), { end: "complete", result: {} }]
  const cancelled = cancelling(failure)
  expect(cancelled).toEqual({
    end: "fail",
    failure: { error_message: "broken", retryable: false, cancelled: true },
  })
  expect([cancelling(complete), onStep(complete, { index: 1, total: 2, name: "" })]).toEqual([
    complete,
    complete,
  ])
  expect([cancelled, failure, complete].map(isCancelling)).toEqual([true, false, false])
  expect([cancelled, failure, complete, { end: "release" } as const].map(wordOf)).toEqual([
    "cancelled",
    "failed",
    "completed",
    "returned to the queue",
  ])
  expect(onStep(failure, undefined)).toBe(failure)
  expect(onStep(failure, { index: 2, total: 5, name: "Video" })).toEqual(
    failed("step 2 of 5 (Video): broken"),
  )
})
