import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { WaitingReports } from "../../src/runner/waiting-reports.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import {
  faultsOf,
  ffmpegProgram,
  finished,
  historyOf,
  itemOf,
  latestOf,
  processesWith,
  Program,
  studio,
  until,
  video,
} from "./programs.ts"

setDefaultTimeout(180_000)

const ffmpeg = ffmpegProgram()
const shell = (server: TestServer, args: readonly string[], script: string): Program =>
  studio(server, ["run", ...args, "--", "bash", "-c", script])

/** Starts the same server again, on its port and with its database. */
const again = (server: TestServer): Promise<TestServer> =>
  start({ args: ["--port", new URL(server.url).port], database: server.database })

/** A server that is gone, but will come back. */
async function gone(server: TestServer): Promise<void> {
  expect(await server.end()).toBe(0)
}

describe("while the server is away", () => {
  // Both renders take seven seconds, and they take them at the same time.
  test.skipIf(ffmpeg === null).concurrent.each(["SIGTERM", "SIGKILL"] as const)(
    "after %s, a render goes on, and is completed with its history right",
    async (signal) => {
      await using server = await start()
      using folder = temporaryFolder()
      const id = await server.add({ song_id: 1 })
      const args = ["--item", String(id), "--total", "7", "--lease", "2"]
      const command = ["ffmpeg", ...video(7, join(folder.path, "song.mp4"), true)]
      await using render = studio(server, ["run", ...args, "--", ...command])
      await until(server, id, ({ progress }) => progress > 10)
      await server.end(signal)
      // This is longer than the lease and shorter than the render.
      await Bun.sleep(3000)
      await using back = await again(server)
      expect(await render.ends()).toBe(0)
      const history = await historyOf(back, id)
      expect(faultsOf(history)).toEqual([])
      expect(history.filter(({ status }) => status === "completed")).toHaveLength(1)
      expect(history.at(-1)).toMatchObject({ status: "completed", progress: 100, attempt: 1 })
      const said = (await render.stderr).toString()
      expect(said).toContain("rendering continues, and progress is reported once the server is back")
      expect(said).toContain("the server is back")
    },
  )

  test("a command starts all the same, and its song is added later", async () => {
    await using server = await start()
    await gone(server)
    using folder = temporaryFolder()
    const go = join(folder.path, "go")
    const script = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; echo 60%; sleep 0.5`
    await using render = shell(server, ["--song", "2", "--title", "Late"], script)
    await render.prints("10%")
    await using back = await again(server)
    await Bun.write(go, "")
    expect(await render.ends()).toBe(0)
    const { queue }: { queue: { id: number }[] } = await (await back.api("GET", "/queue")).json()
    expect(queue).toMatchObject([{ song_id: 2, title: "Late", status: "completed", attempt: 1 }])
    const history = await historyOf(back, queue[0]?.id ?? 0)
    expect(faultsOf(history)).toEqual([])
    expect(history.at(-2)).toMatchObject({ status: "processing", progress: 60 })
  })

  test("a command that ended is reported when the server is back", async () => {
    await using server = await start()
    const id = await server.add({ song_id: 3 })
    using folder = temporaryFolder()
    const go = join(folder.path, "go")
    const script = `echo 1 of 3 images; while [ ! -e ${go} ]; do sleep 0.02; done; echo 2 of 3 images; echo 3 of 3 images`
    await using render = shell(server, ["--item", String(id)], script)
    await until(server, id, ({ unit }) => unit?.done === 0)
    await gone(server)
    await Bun.write(go, "")
    await render.prints("3 of 3 images")
    await using back = await again(server)
    expect(await render.ends()).toBe(0)
    const history = await historyOf(back, id)
    expect(faultsOf(history)).toEqual([])
    expect(history.at(-2)).toMatchObject({ progress: 66, unit: { done: 2, total: 3 } })
    expect(history.at(-1)).toMatchObject({ status: "completed" })
  })

  test("the result of a command is not reported for longer than asked, and run exits with the command's code", async () => {
    await using server = await start()
    await gone(server)
    await using render = shell(server, ["--song", "4", "--report-within", "1"], "exit 5")
    expect(await render.ends()).toBe(5)
    const said = (await render.stderr).toString()
    expect(said).toContain("could not report the result: no server answers")
    expect(said).toEndWith(
      `its queue item failed, but this could not be reported; once the server is back, run: track-studio run --song 4 --server ${server.url} -- false\n`,
    )
  })

  test.each([
    ["completed", "0", "echo done", 1],
    ["failed", "5", "echo it\\'s out of disk >&2; echo done", 5],
  ])(
    "a command that %s is reported later by the command that run then names",
    async (status, code, say, exit) => {
      await using server = await start()
      using folder = temporaryFolder()
      const go = join(folder.path, "go")
      const id = await server.add({ song_id: 6, max_attempts: 1 })
      const args = ["--item", String(id), "--report-within", "1"]
      const script = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; ${say}; exit ${code}`
      await using render = shell(server, args, script)
      await until(server, id, ({ progress }) => progress === 10)
      await gone(server)
      await Bun.write(go, "")
      expect(await render.ends()).toBe(exit)
      const said = (await render.stderr).toString()
      expect(said).toContain(
        `queue item ${id} ${status}, but this could not be reported; once the server is back, run: `,
      )
      const [, command = ""] = /once the server is back, run: (track-studio set .*)\n$/s.exec(said) ?? []
      await using back = await again(server)
      const later = command.replace("track-studio", PROGRAM.join(" "))
      await using set = new Program(["sh", "-c", later], back.url)
      expect(await set.ends()).toBe(0)
      expect(await itemOf(back, id)).toMatchObject({ status, attempt: 1 })
      if (status === "failed") {
        expect((await itemOf(back, id)).error_message).toBe("the command ended with code 5")
      }
    },
  )

  test("a server that accepts and never answers is not waited for longer than asked either", async () => {
    using mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
    const startedMs = performance.now()
    const args = ["run", "--song", "9", "--report-within", "0", "--", "sh", "-c", "echo done; exit 5"]
    await using render = studio(`http://127.0.0.1:${mute.port}`, args)
    expect(await render.ends()).toBe(5)
    // Three seconds before the start, and one last try.
    expect(performance.now() - startedMs).toBeLessThan(20_000)
    expect((await render.stdout).toString()).toBe("done\n")
    expect((await render.stderr).toString()).toEndWith(
      `track-studio run --song 9 --server http://127.0.0.1:${mute.port} -- false\n`,
    )
  })

  test("Ctrl-C before the server has answered names the command that finds an item which it may have added", async () => {
    const reached = Promise.withResolvers<void>()
    using mute = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: () => reached.resolve() },
    })
    const server = `http://127.0.0.1:${mute.port}`
    await using render = studio(server, ["run", "--song", "9", "--", "sleep", "60"])
    await reached.promise
    render.kill("SIGINT")
    await render.ends()
    expect((await render.stderr).toString()).toEndWith(`: track-studio list --song 9 --server ${server}\n`)
  })

  test("a signal after the end of the command ends the attempts to report it", async () => {
    await using server = await start()
    await gone(server)
    await using render = shell(server, ["--song", "5"], "echo done >&2; exit 5")
    await render.prints("done")
    // The signal is for the command until its end is noticed.
    while (processesWith("echo done >&2; exit 5").length > 1) await Bun.sleep(1)
    const ended = render.ends().then(() => true)
    do render.kill("SIGINT")
    while (!(await Promise.race([ended, Bun.sleep(100)])))
    expect(await render.ends()).toBe(5)
  })
})

describe.concurrent("a lease that ran out", () => {
  /** A render whose reports stop until its lease is lost. */
  async function silenced(
    server: TestServer,
    args: readonly string[],
    script: string,
  ): Promise<[Program, number]> {
    const render = shell(server, ["--song", "6", "--lease", "1", ...args], script)
    await render.prints("%")
    const id = await latestOf(server, 6)
    await until(server, id, ({ progress }) => progress > 0)
    render.kill("SIGSTOP")
    await until(server, id, ({ status }) => status === "retrying")
    return [render, id]
  }

  test("is claimed again where nobody else has the item, and the render goes on", async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const go = join(folder.path, "go")
    const script = `echo 29%; echo 30%; while [ ! -e ${go} ]; do sleep 0.02; done; echo 80%`
    const [render, id] = await silenced(server, [], script)
    await using _ = render
    render.kill("SIGCONT")
    await until(server, id, ({ attempt }) => attempt === 2)
    await Bun.write(go, "")
    expect(await render.ends()).toBe(0)
    const history = await historyOf(server, id)
    expect(faultsOf(history)).toEqual([])
    expect(history.at(-2)).toMatchObject({ attempt: 2, progress: 80 })
    expect(await itemOf(server, id)).toMatchObject({ status: "completed", attempt: 2 })
  })

  test("is claimed again as often as its worker was only cut off: none of this counts as a lost worker", async () => {
    await using server = await start({ args: ["--max-rescues", "1"] })
    const [render, id] = await silenced(server, [], "echo 29%; echo 30%; exec sleep 60")
    await using _ = render
    for (const attempt of [2, 3, 4]) {
      render.kill("SIGCONT")
      await until(server, id, (item) => item.attempt === attempt)
      render.kill("SIGSTOP")
      await until(server, id, ({ status }) => status !== "processing")
      expect(await itemOf(server, id)).toMatchObject({ status: "retrying", outcome: null })
    }
    // A worker that does not come back is lost.
    expect((await server.api("POST", "/queue/claim", { worker: "other", lease: 1 })).status).toBe(200)
    expect(await finished(server, id)).toMatchObject({ outcome: "lost" })
    render.kill("SIGCONT")
    expect(await render.ends()).toBe(143)
  })

  test.each([
    ["run", ["run", "--item", "1", "--", "true"]],
    ["work", ["work", "--exec", "true"]],
  ])(
    "to another worker while the result is reported stops no command that has ended: %s",
    async (_, args) => {
      await using server = await start()
      const id = await server.add()
      let isCut = false
      await using way = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        idleTimeout: 0,
        async fetch(request) {
          const { pathname, search } = new URL(request.url)
          const { method, headers } = request
          if (pathname.endsWith("/complete")) isCut ||= (await itemOf(server, id)).attempt === 1
          if (isCut) return new Response("", { status: 502 })
          const body = method === "GET" ? null : await request.text()
          return fetch(`${server.url}${pathname}${search}`, { method, headers, body })
        },
      })
      const [name = "", ...rest] = args
      await using render = new Program([...PROGRAM, name, "--lease", "1", ...rest], way.url.origin)
      await until(server, id, ({ status }) => status === "retrying")
      expect((await server.api("POST", "/queue/claim", { worker: "other", id, lease: 60 })).status).toBe(200)
      isCut = false
      await render.prints('is processing by worker "other" and cannot be claimed\n')
      render.kill("SIGTERM")
      await render.ends()
      expect((await render.stderr).toString()).not.toContain("stopping")
    },
  )

  test("stops the render where another worker has the item", async () => {
    await using server = await start()
    const [render, id] = await silenced(
      server,
      [],
      "trap '' TERM; echo 29%; echo 30%; while :; do sleep 0.05; done",
    )
    await using _ = render
    expect((await server.api("POST", "/queue/claim", { worker: "other" })).status).toBe(200)
    render.kill("SIGCONT")
    const continuedMs = performance.now()
    expect(await render.ends()).toBe(137)
    // A command gets ten seconds to end, but not if another command may write the same file.
    expect(performance.now() - continuedMs).toBeLessThan(8000)
    expect((await render.stderr).toString()).toBe(
      `track-studio: queue item ${id} is processing by worker "other" and cannot be claimed; stopping the command\n`,
    )
    expect(await itemOf(server, id)).toMatchObject({ status: "processing", worker: "other" })
  })

  test("stops a render that was cut off as soon as it hears that another worker has its item", async () => {
    await using server = await start()
    let network = Promise.resolve()
    await using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      async fetch(request) {
        await network
        const { pathname, search } = new URL(request.url)
        const answer = await fetch(`${server.url}${pathname}${search}`, request)
        await network
        return answer
      },
    })
    const script = "echo 29%; echo 30%; while :; do sleep 0.02; done"
    const args = ["run", "--song", "6", "--lease", "2", "--", "bash", "-c", script]
    await using render = studio(`http://127.0.0.1:${proxy.port}`, args)
    await render.prints("%")
    const id = await latestOf(server, 6)
    await until(server, id, ({ progress }) => progress > 0)
    const back = Promise.withResolvers<void>()
    network = back.promise
    await until(server, id, ({ status }) => status === "retrying")
    expect((await server.api("POST", "/queue/claim", { worker: "other" })).status).toBe(200)
    back.resolve()
    expect(await render.ends()).toBe(143)
    expect(await itemOf(server, id)).toMatchObject({ status: "processing", worker: "other" })
  })

  test("stops the render when the item was cancelled meanwhile", async () => {
    await using server = await start()
    const [render, id] = await silenced(server, [], "echo 29%; echo 30%; exec sleep 60")
    await using _ = render
    await server.api("POST", `/queue/${id}/cancel`)
    render.kill("SIGCONT")
    expect(await render.ends()).toBe(143)
    expect(await itemOf(server, id)).toMatchObject({ status: "failed", outcome: "cancelled" })
  })
})

describe("reports", () => {
  test("are at most a few a second, the first and the last among them", async () => {
    await using server = await start()
    const script = "for i in {1..99}; do echo $i%; sleep 0.015; done"
    const startedMs = performance.now()
    await using render = shell(server, ["--song", "7"], script)
    expect(await render.ends()).toBe(0)
    const seconds = (performance.now() - startedMs) / 1000
    const history = await historyOf(server, await latestOf(server, 7))
    const shares = history.filter(({ message }) => message.endsWith("%")).map(({ progress }) => progress)
    // The first percentage alone shows nothing. On a busy machine the next ones come with the second report.
    expect(shares[0]).toBeGreaterThanOrEqual(2)
    expect(shares[0]).toBeLessThan(50)
    expect(shares.at(-1)).toBe(99)
    expect(shares.length).toBeGreaterThan(4)
    expect(shares.length).toBeLessThan(10 + 5 * seconds)
  })

  test("of steps are all kept, in their order, while the server is away", () => {
    const spool = new WaitingReports()
    spool.push({ current_step: "images", progress: 1 })
    spool.push({ current_step: "images", progress: 2, message: "two" })
    spool.push({ current_step: "video", progress: 50 })
    spool.push({ current_step: "video", progress: 60 })
    const first = spool.take()
    expect(first).toEqual({ current_step: "images", progress: 2, message: "two" })
    if (first) spool.giveBack(first)
    expect(spool.take()).toEqual({ current_step: "images", progress: 2, message: "two" })
    const second = spool.take()
    spool.push({ current_step: "video", progress: 70 })
    if (second) spool.giveBack(second)
    expect(spool.take()).toEqual({ current_step: "video", progress: 70 })
    expect(spool.take()).toBeUndefined()
    for (let index = 0; index < 100; index += 1) spool.push({ step: { index, total: 100, name: "" } })
    expect(spool.take()).toEqual({ step: { index: 68, total: 100, name: "" } })
  })
})

test("a cancel that is requested while the server is being restarted stops the render", async () => {
  await using server = await start()
  await using render = shell(server, ["--song", "8"], "echo 4%; echo 5%; exec sleep 60")
  await render.prints("5%")
  const id = await latestOf(server, 8)
  await until(server, id, ({ progress }) => progress === 5)
  await gone(server)
  await using back = await again(server)
  await back.api("POST", `/queue/${id}/cancel`)
  await render.ends()
  expect(await finished(back, id)).toMatchObject({ outcome: "cancelled" })
})
