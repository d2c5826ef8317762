import { expect, setDefaultTimeout, setSystemTime, spyOn, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

import type { Report } from "../../src/item/item.ts"
import { Attempt, type AttemptOptions } from "../../src/runner/attempt.ts"
import { type FilesEnd, FileWatch } from "../../src/runner/expected-files.ts"
import { KillGuard } from "../../src/runner/kill-guard.ts"
import type { Verdict } from "../../src/runner/verdict.ts"
import { temporaryFolder } from "../server.ts"
import { ADDING, attempt, Unheard } from "./attempts.ts"
import { ITEM, LEASE } from "./reporting.ts"

const CLAIMED = { item: ITEM, lease: LEASE }

// These tests start commands, and the machine may be busy.
setDefaultTimeout(180_000)

test("a worker that stops shortens the time for which a verdict is reported, and never makes it longer", async () => {
  for (const [given, stopped, expected] of [
    [60_000, 300, 300],
    [300, 60_000, 300],
  ] as const) {
    const reporter = new Unheard()
    const one = attempt(reporter, given, "true")
    one.reportWithin(stopped)
    while (reporter.asked.length === 0) await Bun.sleep(10)
    expect(reporter.asked).toEqual([{ verdict: { end: "complete", result: {} }, withinMs: expected }])
    // If it is called again after the end, it breaks off what is under way.
    one.reportWithin(1)
    expect((await one.ended).delivery).toBe("pending")
  }
})

test.each<[string, (one: Attempt) => void]>([
  ["stop", (one) => one.stop({ by: "release" })],
  ["signal", (one) => one.signal("SIGTERM")],
])("once the command has ended a %s ends the wait for the server, and the verdict stays", async (_, end) => {
  const reporter = new Unheard()
  const one = attempt(reporter, 60_000, "true")
  while (reporter.asked.length === 0) await Bun.sleep(10)
  end(one)
  await new Promise(setImmediate)
  expect(reporter.isBrokenOff).toBeTrue()
  expect(await one.ended).toMatchObject({
    delivery: "pending",
    verdict: { end: "complete" },
    stop: undefined,
  })
})

test("the verdict of a command that is stopped comes once all that it started has ended", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "ended")
  const ready = Promise.withResolvers<void>()
  class Hearing extends Unheard {
    override print(): void {
      ready.resolve()
    }
  }
  const reporter = new Hearing()
  reporter.takeOver = async (_claimed, isWanted) => isWanted()
  // The child says that it is ready, so that it ignores the signal by then.
  const child = `(trap '' TERM; echo ready; exec >/dev/null 2>&1; sleep 0.4; echo > ${file}) &`
  const one = attempt(reporter, 60_000, `trap 'exit 0' TERM; ${child} wait`)
  await ready.promise
  one.stop({ by: "cancel", reason: "cancelled" })
  // What is stopped does not go on by another claim.
  expect(await one.takeOver(CLAIMED)).toBe(false)
  while (reporter.asked.length === 0) await Bun.sleep(10)
  expect(existsSync(file)).toBe(true)
  one.reportWithin(1)
  expect((await one.ended).verdict).toMatchObject({ end: "fail", failure: { retryable: false } })
})

test("a verdict is reported although the files cannot be checked and it cannot be kept", async () => {
  class Broken extends FileWatch {
    override end(): Promise<FilesEnd> {
      throw new Error("no such device")
    }
  }
  const reporter = new Unheard()
  const files = new Broken({ paths: [], isGuessed: true, seconds: undefined, isVerified: true })
  const onVerdict = (): never => {
    throw new Error("no space")
  }
  const one = attempt(reporter, 60_000, "true", { files, onVerdict })
  while (reporter.asked.length === 0) await Bun.sleep(10)
  expect(reporter.asked).toEqual([{ verdict: { end: "complete", result: {} }, withinMs: 60_000 }])
  one.signal("SIGTERM")
  expect((await one.ended).verdict).toEqual({ end: "complete", result: {} })
})

test("a lent item gets the files that its command wrote", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "song.png")
  class Lent extends Unheard {
    override readonly isLent = true
    readonly reports: Report[] = []
    override push(report?: Report): void {
      if (report) this.reports.push(report)
    }
  }
  const reporter = new Lent()
  const files = new FileWatch({ paths: [file], isGuessed: false, seconds: undefined, isVerified: false })
  const one = attempt(reporter, 60_000, `echo picture > ${file}`, { files })
  while (reporter.asked.length === 0) await Bun.sleep(10)
  one.reportWithin(1)
  await one.ended
  expect(reporter.reports.at(-1)).toMatchObject({ thumbnail_path: file })
})

test("a signal that comes after a cancel does not make the cancelled item fail for another reason", async () => {
  const ready = Promise.withResolvers<void>()
  class Hearing extends Unheard {
    override print(): void {
      ready.resolve()
    }
  }
  const reporter = new Hearing()
  const one = attempt(reporter, 60_000, "trap '' TERM HUP; echo ready; while :; do sleep 0.05; done", {
    graceMs: 300,
  })
  await ready.promise
  one.stop({ by: "cancel", reason: "queue item 7 was cancelled" })
  one.signal("SIGHUP")
  while (reporter.asked.length === 0) await Bun.sleep(10)
  expect(reporter.asked[0]?.verdict).toEqual({
    end: "fail",
    failure: { error_message: "stopped: queue item 7 was cancelled", retryable: false },
  })
  one.reportWithin(1)
  expect((await one.ended).stop).toMatchObject({ by: "cancel" })
})

test("a command whose item another worker has gets a second to end, not ten", async () => {
  const ready = Promise.withResolvers<void>()
  class Hearing extends Unheard {
    override print(): void {
      ready.resolve()
    }
  }
  const reporter = new Hearing()
  const one = attempt(reporter, 60_000, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
  await ready.promise
  const startedMs = performance.now()
  one.stop({ by: "cancel", reason: "taken", isTaken: true })
  while (reporter.asked.length === 0) await Bun.sleep(10)
  one.reportWithin(1)
  expect(await one.ended).toMatchObject({ signal: "SIGKILL" })
  expect(performance.now() - startedMs).toBeLessThan(8000)
})

test("a command whose item is cancelled gets all the time that it may take to end", async () => {
  const ready = Promise.withResolvers<void>()
  class Hearing extends Unheard {
    override print(): void {
      ready.resolve()
    }
  }
  const reporter = new Hearing()
  const script = "trap 'sleep 1.5; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
  const one = attempt(reporter, 60_000, script)
  await ready.promise
  one.stop({ by: "cancel", reason: "queue item 7 was cancelled", isTaken: false })
  while (reporter.asked.length === 0) await Bun.sleep(10)
  one.reportWithin(1)
  expect(await one.ended).toMatchObject({ code: 3, signal: null })
})

test.each(["ours", "taken", "lent"])(
  "a command that was suspended for long goes on once the item is known to be ours, unless it is lent: %s",
  async (whose) => {
    const printed = Promise.withResolvers<number>()
    class Asked extends Unheard {
      override readonly isLent = whose === "lent"
      asks = 0
      confirmations = 0
      ask(): void {
        this.asks += 1
      }
      override print(bytes?: Uint8Array): void {
        printed.resolve(Number(Buffer.from(bytes ?? []).toString()))
      }
    }
    using folder = temporaryFolder()
    const file = join(folder.path, "resumed")
    const reporter = new Asked()
    const one = attempt(reporter, 60_000, `echo $$; ${ADDING} ${file}; done`)
    const pid = await printed.promise
    const state = (): string =>
      /^State:\s(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? ""
    one.suspend(true)
    while (state() !== "T") await Bun.sleep(1)
    const size = Bun.file(file).size
    setSystemTime(Date.now() + 60_000)
    // Who presses Ctrl-Z twice has still been away since the first time.
    one.suspend(true)
    one.suspend(false)
    setSystemTime()
    await Bun.sleep(50)
    if (whose === "lent") expect(reporter.asks).toBe(0)
    else expect([reporter.asks, state()]).toEqual([1, "T"])
    if (whose !== "taken") {
      reporter.confirmations += 1
      while (Bun.file(file).size === size) await Bun.sleep(1)
      // For how long it was away before does not count when it is suspended again.
      const { asks } = reporter
      setSystemTime(Date.now() + 60_000)
      one.suspend(true)
      one.suspend(false)
      setSystemTime()
      expect(reporter.asks).toBe(asks)
    }
    one.stop({ by: "cancel", reason: whose, isTaken: true })
    while (reporter.asked.length === 0) await Bun.sleep(10)
    one.reportWithin(1)
    await one.ended
    if (whose === "taken") expect(Bun.file(file).size).toBe(size)
  },
)

/** A reporter that remembers what it got, and whose server accepts everything. */
class Heard extends Unheard {
  readonly reports: Report[] = []
  override push(report?: Report): void {
    if (report) this.reports.push(report)
  }
  override async finish(verdict: Verdict | undefined, withinMs: number): Promise<never> {
    this.asked.push({ verdict, withinMs })
    return "delivered" as never
  }
}

const STEP = { index: 2, total: 4, name: "Video" }

test.each<[string, Partial<AttemptOptions>, Verdict | undefined]>([
  ["true", {}, { end: "complete", result: {} }],
  [
    "exit 3",
    {},
    { end: "fail", failure: { error_message: "the command ended with code 3", retryable: true } },
  ],
  [
    "exit 65",
    {},
    { end: "fail", failure: { error_message: "the command ended with code 65", retryable: false } },
  ],
  ["exit 127", { releaseCodes: [126, 127] }, { end: "release" }],
  [
    "echo why >&2; exit 1",
    { span: { step: STEP, from: 25, to: 50 } },
    {
      end: "fail",
      failure: { error_message: "step 2 of 4 (Video): the command ended with code 1\nwhy", retryable: true },
    },
  ],
  ["true", { span: { step: STEP, from: 25, to: 50 }, keepsLease: true }, undefined],
  [
    "exit 1",
    { keepsLease: true },
    { end: "fail", failure: { error_message: "the command ended with code 1", retryable: true } },
  ],
  ["exit 127", { releaseCodes: [126, 127], keepsLease: true }, { end: "release" }],
  [
    "echo 'Output file is empty, nothing was encoded' >&2",
    {},
    {
      end: "fail",
      failure: { error_message: "Output file is empty, nothing was encoded", retryable: true },
    },
  ],
])("what the server is told of %j", async (script, more, verdict) => {
  const reporter = new Heard()
  const { delivery } = await attempt(reporter, 1000, script, more).ended
  expect(reporter.asked).toEqual([{ verdict, withinMs: 1000 }])
  expect(delivery).toBe("delivered" as never)
})

test("the part of a command begins where the one before it ended, and is full at its end", async () => {
  const reporter = new Heard()
  const script = "for i in 10 50; do echo rendering $i%; sleep 0.1; done"
  await attempt(reporter, 1000, script, { span: { step: STEP, from: 25, to: 50 }, keepsLease: true }).ended
  const [first, last] = [reporter.reports.at(0), reporter.reports.at(-1)]
  expect([first, last]).toMatchObject([
    { progress: 25, step: STEP },
    { progress: 50, step: STEP },
  ])
})

test("a signal that a program may use for anything does not explain why it ended, and others do", async () => {
  for (const [signal, said] of [
    ["SIGUSR2", "the command ended with code 3"],
    ["SIGUSR1", "the command ended with code 3"],
    ["SIGTERM", "the command ended with code 3 after SIGTERM"],
  ] as const) {
    const ready = Promise.withResolvers<void>()
    class Hearing extends Heard {
      override print(): void {
        ready.resolve()
      }
    }
    const reporter = new Hearing()
    const one = attempt(
      reporter,
      1000,
      "trap 'exit 3' TERM USR1 USR2; echo ready; while :; do sleep 0.02; done",
    )
    await ready.promise
    one.signal(signal)
    const { stop, verdict } = await one.ended
    const { error_message = "" } = verdict.end === "fail" ? verdict.failure : {}
    // The last lines of the command follow.
    expect([stop?.by, error_message.split("\n")[0]]).toEqual([
      signal === "SIGTERM" ? "signal" : undefined,
      said,
    ])
  }
})

test("the files of a command that was stopped, or that failed, are not looked at", async () => {
  const ready = Promise.withResolvers<void>()
  class Hearing extends Heard {
    override print(): void {
      ready.resolve()
    }
  }
  let looks = 0
  class Counting extends FileWatch {
    override end(): Promise<FilesEnd> {
      looks += 1
      return Promise.reject(new Error("not to be looked at"))
    }
  }
  const files = new Counting({ paths: [], isGuessed: true, seconds: undefined, isVerified: true })
  const script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done"
  const one = attempt(new Hearing(), 1000, script, { files })
  await ready.promise
  one.stop({ by: "release" })
  expect((await one.ended).verdict).toEqual({ end: "release" })
  expect((await attempt(new Hearing(), 1000, "exit 3", { files }).ended).code).toBe(3)
  expect(looks).toBe(0)
})

test("the guard of a command is ended once the command has ended, and not before", async () => {
  const guarded = new KillGuard().watch()
  const dispose = spyOn(guarded, Symbol.dispose)
  const reporter = new Heard()
  const one = attempt(reporter, 1000, "sleep 0.1", { guarded })
  expect(dispose).not.toHaveBeenCalled()
  await one.ended
  expect(dispose).toHaveBeenCalledTimes(1)
})
