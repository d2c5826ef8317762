import { expect, spyOn, test } from "bun:test"
import { Writable } from "node:stream"

import type { Report } from "../../src/item/item.ts"
import { openDescriptors } from "../../src/machine/machine.ts"
import { CommandOutputs } from "../../src/runner/command-outputs.ts"
import { CommandProcess } from "../../src/runner/command-process.ts"
import { KillGuard } from "../../src/runner/kill-guard.ts"
import { Tap } from "../../src/runner/pipes.ts"
import { planned } from "../../src/runner/progress-arguments.ts"

test("a character that a command prints in two pieces is read as one, and a last line without its end is read", async () => {
  const told: (string | undefined)[] = []
  const render = CommandProcess.start({
    plan: planned(["sh", "-c", "printf '[1/4] Z\\303'; sleep 0.1; printf '\\244hlen'"]),
    guarded: new KillGuard().watch(),
    onReport: ({ message }) => void told.push(message),
    onPrinted: () => undefined,
  })
  await render.ended
  expect(told.at(-1)).toBe("[1/4] Zählen")
}, 180_000)

test("a command that is stopped has ten seconds to end, unless another time is named", async () => {
  const render = CommandProcess.start({
    plan: planned(["true"]),
    guarded: new KillGuard().watch(),
    onReport: () => undefined,
    onPrinted: () => undefined,
  })
  using stopped = spyOn(render.session, "stop")
  await render.stop()
  await render.stop(50)
  expect(stopped.mock.calls).toEqual([[10_000], [50]])
}, 180_000)

test("what a command prints is passed on, without the progress for which it has a pipe of ours", async () => {
  const printed: string[] = []
  const told: unknown[] = []
  const script = "printf 'out_time_us=1000000\\nprogress=continue\\n' >&3; echo said >&2"
  const render = CommandProcess.start({
    plan: { ...planned(["sh", "-c", script], { renderer: "ffmpeg" }), outputs: [3] },
    guarded: new KillGuard().watch(),
    onReport: ({ media }) => void told.push(media?.out_time),
    onPrinted: (bytes) => void printed.push(new TextDecoder().decode(bytes)),
  })
  await render.ended
  expect([printed.join(""), told]).toEqual(["said\n", [1]])
}, 180_000)

test("a command that cannot be started leaves no file of ours open", () => {
  const start = (): CommandProcess =>
    CommandProcess.start({
      plan: planned(["/no/such/program"]),
      guarded: { mark: "none", started: () => undefined, [Symbol.dispose]: () => undefined },
      onReport: () => undefined,
      onPrinted: () => undefined,
    })
  expect(start).toThrow("/no/such/program")
  const before = openDescriptors()
  for (let time = 0; time < 5; time += 1) expect(start).toThrow("/no/such/program")
  // What earlier tests left open may be closed meanwhile.
  expect(openDescriptors()).toBeLessThanOrEqual(before)
})

test("output that goes out slowly is passed on whole, however long nothing new comes", async () => {
  const written: string[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      // This is longer than the silence after which a drain gives up.
      setTimeout(() => {
        written.push(chunk.toString())
        done()
      }, 60)
    },
  })
  // A process that was left behind keeps it open.
  const output = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const text of ["one ", "two ", "three"]) controller.enqueue(new TextEncoder().encode(text))
    },
  })
  await new Tap(output, { sink, onBytes: () => undefined }).readToEnd(20)
  expect(written.join("")).toBe("one two three")
})

test("an output that cannot be read is over, and does not keep the end of its command from being reported", async () => {
  const output = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error("it cannot be read"))
    },
  })
  await new Tap(output, { onBytes: () => undefined }).readToEnd(10_000)
})

test("output that nobody takes any more ends the reading, or is read on; a sink that only fails never ends it", async () => {
  const read = async (code: string, outlivesSink: boolean): Promise<string> => {
    const fault = Object.assign(new Error("closed"), { code })
    const closed = new Writable({ write: (_chunk, _encoding, done) => done(fault) })
    closed.on("error", () => undefined)
    const output = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const text of ["one ", "two"]) controller.enqueue(new TextEncoder().encode(text))
        controller.close()
      },
    })
    let text = ""
    const onBytes = (bytes: Uint8Array): void => void (text += new TextDecoder().decode(bytes))
    await new Tap(output, { sink: closed, outlivesSink, onBytes }).readToEnd(20)
    return text
  }
  expect(await Promise.all([read("EPIPE", false), read("EPIPE", true)])).toEqual(["one ", "one two"])
  // A full disk, and a terminal that has gone.
  expect(await Promise.all([read("ENOSPC", false), read("EIO", false)])).toEqual(["one two", "one two"])
})

test("once the command is to end, its output is read on although nobody takes it, and a slow reader still gets it", async () => {
  const taken: string[] = []
  const reader = Promise.withResolvers<void>()
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      taken.push(chunk.toString())
      void reader.promise.then(() => done())
    },
  })
  const megabyte = "x".repeat(1_100_000)
  const output = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const text of ["one ", "two ", megabyte, "three"])
        controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })
  const read: string[] = []
  const tap = new Tap(output, { sink, onBytes: (bytes) => void read.push(new TextDecoder().decode(bytes)) })
  await Bun.sleep(0)
  expect(read).toEqual(["one "])
  tap.hurry()
  await tap.readToEnd(20)
  expect(read).toEqual(["one ", "two ", megabyte, "three"])
  reader.resolve()
  await new Promise((resolve) => sink.write("end", resolve))
  // What exceeds a megabyte does not wait for the reader.
  expect(taken).toEqual(["one ", "two ", megabyte, "end"])
})

test("an output of any length is passed on as a whole if its reader takes it", async () => {
  const output = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let piece = 0; piece < 4; piece += 1) controller.enqueue(new Uint8Array(700_000))
      controller.close()
    },
  })
  let taken = 0
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      taken += chunk.length
      setImmediate(done)
    },
  })
  await new Tap(output, { sink, onBytes: () => undefined }).readToEnd(10_000)
  expect(taken).toBe(2_800_000)
})

test("a process that a command left behind and that prints for ever is not read for ever", async () => {
  let chunks = 0
  const output = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await Bun.sleep(1)
      chunks += 1
      controller.enqueue(new Uint8Array(1))
    },
  })
  await new Tap(output, { onBytes: () => undefined }).readToEnd(20, () => chunks > 9)
  expect(chunks).toBeGreaterThan(9)
})

test("what a command left behind is read on while its progress moves, and then for a while only", async () => {
  const script =
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo image $i/12; sleep 0.1; done; for n in $(seq 400); do echo image 12/12: $n; sleep 0.05; done"
  const outputs = new CommandOutputs(planned(["sh"]), false)
  const child = Bun.spawn(["sh", "-c", `(${script}) & echo $!`], {
    stdio: ["ignore", ...outputs.targets],
    detached: true,
  })
  const told: Report[] = []
  outputs.listen(
    child,
    (report) => void told.push(report),
    () => undefined,
  )
  await child.exited
  // It is never silent for a second and has always new words, so only its progress can end this.
  await outputs.readToEnd(1000, 700)
  process.kill(-child.pid)
  expect(told.at(-1)?.unit).toMatchObject({ done: 11, total: 12 })
  expect(told.at(-1)?.message).not.toBe("image 12/12: 400")
}, 180_000)
