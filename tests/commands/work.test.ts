import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { LeaseFile, leasesIn } from "../../src/runner/lease-file.ts"
import {
  faultsOf,
  ffmpegProgram,
  finished,
  historyOf,
  itemOf,
  processesWith,
  Program,
  studio,
  until,
  video,
} from "../runner/programs.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { unreadPipe } from "../unread-pipe.ts"

setDefaultTimeout(180_000)

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

const work = (server: TestServer, exec: string, ...args: string[]): Program =>
  studio(server, ["work", "--exec", exec, ...args])
/** Ends the worker as a service manager does. */
async function stopped(worker: Program): Promise<number> {
  worker.kill("SIGTERM")
  return worker.ends()
}

describe("a worker", () => {
  test("drains the queue, as many items at a time as --concurrency says, each once", async () => {
    await using server = await start()
    const ids = await Promise.all(Array.from({ length: 20 }, (_, song) => server.add({ song_id: song + 1 })))
    await using worker = work(
      server,
      "echo 49%; echo 50%; sleep 0.1; echo 100%",
      "--concurrency",
      "2",
      "--worker",
      "box",
    )
    const items = await Promise.all(ids.map((id) => finished(server, id)))
    expect(items.map(({ status, worker: by, attempt }) => [status, by, attempt])).toEqual(
      ids.map(() => ["completed", "box", 1]),
    )
    const histories = await Promise.all(ids.map((id) => historyOf(server, id)))
    expect(histories.flatMap(faultsOf)).toEqual([])
    let [inHand, most] = [0, 0]
    for (const { status } of histories
      .flat()
      .filter(({ message }) => /^Processing (started|completed)/.test(message))
      .toSorted((a, b) => a.id - b.id)) {
      inHand += status === "processing" ? 1 : -1
      most = Math.max(most, inHand)
    }
    expect(most).toBe(2)
    expect(await stopped(worker)).toBe(0)
  })

  test("gives the item to its command, as JSON on standard input and in the environment", async () => {
    await using server = await start()
    const file = join(folder.path, "told")
    const title = 'Quote " and \\ and\nline'
    const id = await server.add({ song_id: 5, title, metadata: { style: "noir" } })
    await using worker = work(
      server,
      `cat > ${file}.in; printenv TRACK_STUDIO_ITEM > ${file}.env; echo "$TRACK_STUDIO_ITEM_ID $TRACK_STUDIO_SONG_ID $TRACK_STUDIO_SERVER"; cat < /dev/stdin`,
    )
    expect(await finished(server, id)).toMatchObject({ status: "completed" })
    for (const text of [readFileSync(`${file}.in`, "utf8"), readFileSync(`${file}.env`, "utf8")]) {
      expect(JSON.parse(text)).toMatchObject({
        id,
        song_id: 5,
        title,
        status: "processing",
        attempt: 1,
        metadata: { style: "noir" },
      })
    }
    expect(await stopped(worker)).toBe(0)
    expect((await worker.stdout).toString()).toStartWith(`${id} 5 ${server.url}\n`)
  })

  test("gives a command an item that is too large for its environment on standard input alone", async () => {
    await using server = await start()
    const id = await server.add({
      song_id: 6,
      metadata: { text: "x".repeat(16_000), more: "x".repeat(16_000) },
    })
    const long = '"'.repeat(16_000)
    for (const key of ["title", "video_file_path", "thumbnail_path"]) await server.put(id, { [key]: long })
    await using worker = work(server, 'wc -c; echo "item: $TRACK_STUDIO_ITEM"')
    expect(await finished(server, id)).toMatchObject({ status: "completed" })
    expect(await stopped(worker)).toBe(0)
    expect((await worker.stdout).toString()).toMatch(/^1\d{5}\nitem: \n$/)
  })

  test("goes on with its renders when the program that reads its log has ended", async () => {
    await using server = await start()
    const ids = [await server.add(), await server.add()]
    const line = [...PROGRAM, "work", "--exec", "echo 50% >&2; sleep 0.3; echo rendered >&2"].map(
      (word) => `'${word}'`,
    )
    await using worker = new Program(["bash", "-c", `exec ${line.join(" ")} 2> >(head -1)`], server.url)
    const items = await Promise.all(ids.map((id) => finished(server, id)))
    expect(items.map(({ status, attempt }) => [status, attempt])).toEqual(ids.map(() => ["completed", 1]))
    expect(await stopped(worker)).toBe(0)
  })

  test("ends at one SIGTERM, once its item is done, while the program that reads its output stands still", async () => {
    await using server = await start()
    const id = await server.add()
    const line = [...PROGRAM, "work", "--exec", "echo 9%; echo 10%; yes | head -c 500000"].map(
      (word) => `'${word}'`,
    )
    using pipe = unreadPipe()
    await using worker = new Program(["bash", "-c", `exec ${line.join(" ")} > ${pipe.path}`], server.url)
    await until(server, id, ({ progress }) => progress === 10)
    expect(await stopped(worker)).toBe(0)
    expect(await itemOf(server, id)).toMatchObject({ status: "completed", attempt: 1 })
  })

  test("ends with an error also while the program that reads its output stands still, and gives its item back", async () => {
    await using server = await start()
    const id = await server.add()
    // More than a pipe holds, and less than two of them: the command itself does not wait.
    const line = [...PROGRAM, "work", "--exec", "yes | head -c 100000; exit 127"].map((word) => `'${word}'`)
    using pipe = unreadPipe()
    await using worker = new Program(["bash", "-c", `exec ${line.join(" ")} > ${pipe.path} 2>&1`], server.url)
    expect(await worker.ends()).toBe(1)
    expect(await itemOf(server, id)).toMatchObject({ status: "queued", retry_count: 0 })
  })

  test("takes what it has the tags for, and nothing else", async () => {
    await using server = await start()
    const [needy, plain] = [
      await server.add({ song_id: 1, tags: ["gpu", "4k"] }),
      await server.add({ song_id: 2, tags: ["gpu"] }),
    ]
    await using worker = work(server, "true", "--tags", "gpu, ffmpeg")
    expect(await finished(server, plain)).toMatchObject({ status: "completed" })
    expect(await itemOf(server, needy)).toMatchObject({ status: "queued", attempt: 0 })
    expect(await stopped(worker)).toBe(0)
  })

  test.each([
    [3, { status: "retrying", retry_count: 1 }],
    [65, { status: "failed", outcome: "failed" }],
  ])("tells of a failure with code %p, and goes on", async (code, shown) => {
    await using server = await start()
    const [bad, good] = [await server.add({ song_id: 1 }), await server.add({ song_id: 2 })]
    await using worker = work(server, `[ $TRACK_STUDIO_SONG_ID = 2 ] || { echo no disk >&2; exit ${code}; }`)
    expect(await finished(server, good)).toMatchObject({ status: "completed" })
    const error_message = `the command ended with code ${code}\nno disk`
    expect(await itemOf(server, bad)).toMatchObject({ ...shown, error_message })
    expect(await stopped(worker)).toBe(0)
  })

  test("whose command is not there gives its item back and ends, rather than failing the whole queue", async () => {
    await using server = await start()
    const id = await server.add()
    await using worker = work(server, "./no-such-script")
    expect(await worker.ends()).toBe(1)
    expect((await worker.stderr).toString()).toEndWith(
      "track-studio: the command of --exec cannot be run here (code 127)\n",
    )
    expect(await itemOf(server, id)).toMatchObject({ status: "queued", retry_count: 0 })
  })

  test("stops the command of an item that is cancelled, and takes the next", async () => {
    await using server = await start()
    const [long, next] = [await server.add({ song_id: 1 }), await server.add({ song_id: 2 })]
    const mark = `88${process.pid}`
    await using worker = work(
      server,
      `[ $TRACK_STUDIO_SONG_ID = 2 ] || { echo 9%; echo 10%; sleep ${mark}; }`,
    )
    await until(server, long, ({ progress }) => progress === 10)
    const startedMs = performance.now()
    await server.api("POST", `/queue/${long}/cancel`)
    expect(await finished(server, long)).toMatchObject({ outcome: "cancelled" })
    expect(performance.now() - startedMs).toBeLessThan(5000)
    expect(processesWith(`sleep ${mark}`, worker)).toEqual([])
    expect(await finished(server, next)).toMatchObject({ status: "completed" })
    expect(await stopped(worker)).toBe(0)
  })

  test("waits for a server that is away, at its start and later", async () => {
    await using server = await start()
    const id = await server.add()
    await server.end()
    await using worker = work(server, "true")
    await worker.prints("waiting for the server")
    const port = new URL(server.url).port
    await using back = await start({ args: ["--port", port], database: server.database })
    expect(await finished(back, id)).toMatchObject({ status: "completed" })
    await back.end()
    await using third = await start({ args: ["--port", port], database: server.database })
    const later = await third.add()
    expect(await finished(third, later)).toMatchObject({ status: "completed", attempt: 1 })
    expect(await stopped(worker)).toBe(0)
  })

  test.each([
    [[], "missing command; give it with --exec, as in: track-studio work --exec ./render.sh"],
    [["--exec", "true", "--concurrency", "0"], "--concurrency must be a whole number from 1 to 256, not 0"],
    [["--exec", "true", "--worker", ""], "--worker must be a name of 1 to 16384 bytes, and not . or .."],
    [["--exec", "true", "now"], 'unexpected argument "now"'],
  ])("that is started with %j is used wrongly", async (args, message) => {
    await using worker = studio("http://127.0.0.1:1", ["work", ...args])
    expect(await worker.ends()).toBe(2)
    expect((await worker.stderr).toString()).toStartWith(
      `track-studio: ${message}\nusage: track-studio work `,
    )
  })
})

describe("SIGTERM", () => {
  const wait = (go: string): string => `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done`

  test("lets a worker finish what it has in hand, and take nothing more", async () => {
    await using server = await start()
    const [first, second] = [await server.add(), await server.add()]
    const go = join(folder.path, "finish")
    await using worker = work(server, wait(go))
    await until(server, first, ({ progress }) => progress === 10)
    worker.kill("SIGTERM")
    await worker.prints("finishing 1 item, then stopping")
    await Bun.write(go, "")
    expect(await worker.ends()).toBe(0)
    expect(await itemOf(server, first)).toMatchObject({ status: "completed" })
    expect(await itemOf(server, second)).toMatchObject({ status: "queued", attempt: 0 })
  })

  test("twice stops the commands and gives the items back", async () => {
    await using server = await start()
    const ids = [await server.add(), await server.add()]
    const go = join(folder.path, "never")
    await using worker = work(server, wait(go), "--concurrency", "2")
    for (const id of ids) await until(server, id, ({ progress }) => progress === 10)
    worker.kill("SIGTERM")
    await worker.prints("finishing 2 items, then stopping")
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
    expect(processesWith(go)).toEqual([])
    for (const id of ids) {
      expect(await itemOf(server, id)).toMatchObject({
        status: "queued",
        message: "Released by its worker",
        retry_count: 0,
      })
      expect(faultsOf(await historyOf(server, id))).toEqual([])
    }
  })

  test("ends a worker soon whose server never answers, and leaves what it took over to the next one", async () => {
    using state = temporaryFolder()
    const asked = Promise.withResolvers<void>()
    using mute = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (): void => asked.resolve() },
    })
    const url = `http://127.0.0.1:${mute.port}`
    const leases = leasesIn(join(state.path, "track-studio"))
    const killed = new LeaseFile(leases, url)
    killed.set({ id: 7, token: crypto.randomUUID(), attempt: 1 })
    killed.close()
    await using worker = new Program([...PROGRAM, "work", "--exec", "true"], url, {
      env: { XDG_STATE_HOME: state.path },
    })
    await asked.promise
    const stoppedMs = performance.now()
    expect(await stopped(worker)).toBe(0)
    // The request itself would be waited for as long as 10 s.
    expect(performance.now() - stoppedMs).toBeLessThan(5000)
    const next = new LeaseFile(leases, url)
    let left = next.adopt()
    // The worker's guard may hold the lock for a moment longer.
    for (; left.length === 0; left = next.adopt()) await Bun.sleep(10)
    next.close()
    expect(left).toMatchObject([{ id: 7 }])
  })

  test("ends a worker that waits for an item at once", async () => {
    await using server = await start()
    const id = await server.add()
    await using worker = work(server, "true")
    await finished(server, id)
    await worker.prints("completed")
    const startedMs = performance.now()
    expect(await stopped(worker)).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(5000)
    const later = await server.add()
    const claimed: { item: QueueItem } = await (
      await server.api("POST", "/queue/claim", { worker: "next" })
    ).json()
    expect(claimed.item.id).toBe(later)
  })
})

describe.skipIf(ffmpegProgram() === null)("ffmpeg inside a script", () => {
  const script = (file: string, total: number): string =>
    [...PROGRAM, "run", "--total", String(total), "--", "ffmpeg", ...video(2, file)].join(" ")

  test("is reported by run, which finds the item that its worker has in hand", async () => {
    await using server = await start()
    const id = await server.add()
    await using worker = work(server, script(join(folder.path, "in-script.mp4"), 2))
    expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1 })
    const history = await historyOf(server, id)
    expect(faultsOf(history)).toEqual([])
    expect(history.some(({ media }) => media?.total === 2)).toBe(true)
    expect(await stopped(worker)).toBe(0)
  })

  test("that ends too early fails the item", async () => {
    await using server = await start()
    const id = await server.add({ song_id: 1, max_attempts: 1 })
    await using worker = work(server, script(join(folder.path, "too-short.mp4"), 20))
    const item = await finished(server, id)
    expect(item).toMatchObject({ status: "failed", outcome: "failed" })
    expect(item.error_message).toStartWith("the command ended with code 1\n")
    expect(item.error_message).toContain(
      "the command ended with code 0 at 10 % of its total, so the item was marked failed",
    )
    expect(await stopped(worker)).toBe(0)
  })

  test.each([[[]], [["-progress", "-"]]])(
    "does not take the letters of its item for keys, with %j of its own",
    async (own) => {
      await using server = await start()
      const id = await server.add({ song_id: 1, title: "Midnight Boutique", max_attempts: 1 })
      const render = ["ffmpeg", ...own, ...video(2, join(folder.path, "keys.mp4"), true)]
      const inner = [...PROGRAM, "run", "--total", "2", "--", ...render].join(" ")
      const left = join(folder.path, "left")
      await using worker = work(server, `${inner} && cat > ${left}`)
      expect(await finished(server, id)).toMatchObject({ status: "completed" })
      expect(JSON.parse(readFileSync(left, "utf8"))).toMatchObject({ id })
      expect(await stopped(worker)).toBe(0)
    },
  )

  test("still reads a video from its standard input", async () => {
    await using server = await start()
    const id = await server.add({ song_id: 1, max_attempts: 1 })
    const made = ["ffmpeg", "-v", "error", ...video(2, "pipe:1").toSpliced(-1, 0, "-f", "nut")].join(" ")
    const file = join(folder.path, "piped.mp4")
    const inner = [...PROGRAM, "run", "--", "ffmpeg", "-i", "-", "-c", "copy", "-y", file].join(" ")
    await using worker = work(server, `${made} </dev/null | ${inner}`)
    expect(await finished(server, id)).toMatchObject({ status: "completed" })
    const media = (await historyOf(server, id)).findLast((update) => update.media !== undefined)?.media
    expect(media?.out_time).toBeGreaterThanOrEqual(1.8)
    expect(await stopped(worker)).toBe(0)
  })

  test("is stopped by a cancel, as deep as it is", async () => {
    await using server = await start()
    const id = await server.add()
    const file = join(folder.path, "deep.mp4")
    const inner = [...PROGRAM, "run", "--total", "60", "--", "ffmpeg", ...video(60, file, true)].join(" ")
    await using worker = work(server, `${inner}; echo after`)
    await until(server, id, ({ media }) => media !== undefined)
    await server.api("POST", `/queue/${id}/cancel`)
    expect(await finished(server, id)).toMatchObject({ outcome: "cancelled" })
    expect(processesWith(file, worker)).toEqual([])
    expect(await stopped(worker)).toBe(0)
  })
})
