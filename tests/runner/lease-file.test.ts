import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import type { Claimed, ClaimRequest } from "../../src/client/client.ts"
import { keepLease, LeaseFile, takeLease } from "../../src/runner/lease-file.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"
import { finished, historyOf, itemOf, processesWith, Program, studio, until } from "./programs.ts"

setDefaultTimeout(180_000)

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

let names = 0
const path = (): string => join(folder.path, `file-${(names += 1)}`)
/** A `work` whose leases are kept in this folder. */
const work = (url: string, state: string, exec: string, ...args: string[]): Program =>
  studio(url, ["work", "--exec", exec, "--worker", "box", ...args], { env: { XDG_STATE_HOME: state } })
const files = (state: string): string[] => readdirSync(join(state, "track-studio/leases"))
const again = (server: TestServer): Promise<TestServer> =>
  start({ args: ["--port", new URL(server.url).port], database: server.database })
const lines = (file: string): string[] => readFileSync(file, "utf8").trimEnd().split("\n")

/** Claims an item for a worker that does not exist. */
async function claimed(server: TestServer, request: ClaimRequest): Promise<Claimed> {
  return (await server.api("POST", "/queue/claim", request)).json()
}

// These wait for a server and its workers, and they wait at the same time.
describe.concurrent("a result that could not be reported", () => {
  // The next worker gives the server some seconds, and those of a machine that does all this at once may be too few.
  test.serial(
    "is kept for the next worker, which reports it before it claims, and nothing is rendered twice",
    async () => {
      await using server = await start()
      const [first, second] = [await server.add(), await server.add({ song_id: 2 })]
      const [state, log, go] = [path(), path(), path()]
      const exec = `echo $TRACK_STUDIO_ITEM_ID >> ${log}; echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; echo ended`
      await using worker = work(server.url, state, exec)
      await until(server, first, ({ progress }) => progress === 10)
      await server.end()
      await Bun.write(go, "")
      await worker.prints("ended")
      await worker.prints("rendering continues")
      worker.kill("SIGTERM")
      expect(await worker.ends()).toBe(0)
      expect((await worker.stderr).toString()).toEndWith(
        `queue item ${first}: completed; the next worker of this user reports it\n`,
      )
      await using back = await again(server)
      await using next = work(server.url, state, exec)
      await finished(back, second)
      next.kill("SIGTERM")
      expect(await next.ends()).toBe(0)
      expect(lines(log)).toEqual([String(first), String(second)])
      expect(await itemOf(back, first)).toMatchObject({ status: "completed", attempt: 1 })
      const reported = (await historyOf(back, first)).at(-1)
      const begun = (await historyOf(back, second)).find(({ status }) => status === "processing")
      expect(reported?.id).toBeLessThan(begun?.id ?? 0)
      expect(files(state)).toEqual([])
    },
  )

  test("is waited for a day by work, and for a minute by run", async () => {
    expect((await run(["work", "--help"])).stdout).toMatch(/--report-within S .*default 86400\n/)
    expect((await run(["run", "--help"])).stdout).toMatch(/--report-within S .*default 60\n/)
  })

  test("completes an item that went back to the queue meanwhile, unless somebody has begun it since", async () => {
    await using server = await start()
    const state = path()
    for (const isBegun of [false, true]) {
      const id = await server.add()
      const { item, lease } = await claimed(server, { worker: "box", id, lease: 1 })
      mkdirSync(join(state, "track-studio/leases"), { recursive: true })
      const left = new LeaseFile(join(state, "track-studio/leases"), server.url)
      left.set({ id, token: lease.token, attempt: item.attempt, verdict: { end: "complete", result: {} } })
      left.close()
      await until(server, id, ({ status }) => status === "retrying")
      if (isBegun) {
        const other = await claimed(server, { worker: "other", id })
        await server.api("POST", `/queue/${id}/release`, {}, { lease: other.lease.token })
      }
      const log = path()
      await using next = work(server.url, state, `echo $TRACK_STUDIO_ITEM_ID >> ${log}`)
      expect(await finished(server, id)).toMatchObject({ status: "completed" })
      next.kill("SIGTERM")
      await next.ends()
      if (isBegun) expect(lines(log)).toEqual([String(id)])
      expect((await next.stderr).toString()).toContain(
        isBegun
          ? "its earlier result does not count: another attempt of queue item"
          : "completed, as its last worker could not report",
      )
    }
  })

  test.each([401, 403])("is dropped by neither work nor run while the server answers %d", async (status) => {
    await using server = await start()
    const state = { isDenied: false, asked: 0 }
    using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 60,
      fetch(request) {
        const { pathname, search } = new URL(request.url)
        if (!state.isDenied) return fetch(server.url + pathname + search, request)
        state.asked += 1
        const code = status === 401 ? "unauthorized" : "forbidden"
        return Response.json({ error: "not with this token", code, request_id: "1" }, { status })
      },
    })
    const url = `http://127.0.0.1:${proxy.port}`
    const [first, second, go] = [await server.add(), await server.add(), path()]
    const exec = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; echo 20%; echo ended`
    await using ran = studio(url, ["run", "--item", String(second), "--", "sh", "-c", exec])
    await until(server, second, ({ progress }) => progress === 10)
    await using worker = work(url, path(), exec)
    await until(server, first, ({ progress }) => progress === 10)
    state.isDenied = true
    await Bun.write(go, "")
    for (const program of [ran, worker]) {
      await program.prints(
        "not with this token; rendering continues, and progress is reported once the server allows it",
      )
      await program.prints("ended")
    }
    // Some requests report, renew and end at once; then all wait for ten seconds.
    await Bun.sleep(1500)
    expect(state.asked).toBeLessThan(20)
    state.isDenied = false
    expect(await ran.ends()).toBe(0)
    for (const id of [first, second]) {
      expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1, progress: 100 })
    }
    worker.kill("SIGTERM")
    await worker.ends()
  })

  test("is not dropped while the server denies access, and the reason is printed", async () => {
    await using server = await start()
    let isDenied = false
    using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 60,
      fetch(request) {
        const { pathname, search } = new URL(request.url)
        if (!isDenied) return fetch(server.url + pathname + search, request)
        const body = {
          error: "not from here; --allowed-host names hosts",
          code: "misdirected",
          request_id: "1",
        }
        return Response.json(body, { status: 421 })
      },
    })
    const url = `http://127.0.0.1:${proxy.port}`
    const [id, go] = [await server.add(), path()]
    const exec = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; echo 20%; echo ended`
    await using worker = work(url, path(), exec)
    await until(server, id, ({ progress }) => progress === 10)
    isDenied = true
    await Bun.write(go, "")
    await worker.prints("not from here; --allowed-host names hosts; rendering continues")
    await worker.prints("ended")
    isDenied = false
    expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1 })
    isDenied = true
    await worker.prints("not from here; --allowed-host names hosts; trying again every 10 s")
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
  })
})

describe.concurrent("an item whose worker was killed", () => {
  test("goes back to the queue as soon as a worker of the same user starts, and its command is gone", async () => {
    await using server = await start()
    const [id, state] = [await server.add(), path()]
    const seconds = `81${process.pid}`
    const exec = `if [ $(printenv TRACK_STUDIO_ITEM | grep -c '"attempt":1,') = 1 ]; then echo 9%; echo 10%; (trap '' TERM; sleep ${seconds}); fi`
    await using worker = work(server.url, state, exec)
    await until(server, id, ({ progress }) => progress === 10)
    worker.kill("SIGKILL")
    await worker.ends()
    const startedMs = performance.now()
    await using next = work(server.url, state, exec)
    expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 2 })
    expect(performance.now() - startedMs).toBeLessThan(20_000)
    expect(processesWith(seconds).filter((line) => line.startsWith("sleep"))).toEqual([])
    next.kill("SIGTERM")
    expect(await next.ends()).toBe(0)
    expect(files(state)).toEqual([])
  })

  test("goes back by a worker that already runs; the item of a living worker of the same name stays with it", async () => {
    await using server = await start()
    const [first, second, state, go] = [await server.add(), await server.add(), path(), path()]
    const exec = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done`
    await using one = work(server.url, state, exec)
    await until(server, first, ({ progress }) => progress === 10)
    await using other = work(server.url, state, exec)
    await until(server, second, ({ progress }) => progress === 10)
    expect(files(state).filter((name) => name.endsWith(".json"))).toHaveLength(2)
    one.kill("SIGKILL")
    await one.ends()
    await until(server, first, ({ message }) => message === "Released by its worker")
    await Bun.write(go, "")
    for (const id of [first, second]) await finished(server, id)
    expect(await itemOf(server, first)).toMatchObject({ status: "completed", attempt: 2 })
    expect(await itemOf(server, second)).toMatchObject({ status: "completed", attempt: 1 })
    other.kill("SIGTERM")
    expect(await other.ends()).toBe(0)
  })
})

describe("the file of leases", () => {
  test("can be read by its user alone", () => {
    const home = path()
    const file = new LeaseFile(home, "http://a")
    file.set({ id: 1, token: "t", attempt: 1 })
    expect(statSync(home).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(home)) expect(statSync(join(home, name)).mode & 0o777).toBe(0o600)
    file.remove("t")
    file.close()
    expect(readdirSync(home)).toEqual([])
  })

  test("gives its leases to one heir, once it is closed, and only for the same server", () => {
    const home = path()
    const lease = { id: 1, token: "t", attempt: 1 }
    const file = new LeaseFile(home, "http://a")
    file.set(lease)
    const heir = new LeaseFile(home, "http://a")
    expect(heir.adopt()).toEqual([])
    file.close()
    const foreign = new LeaseFile(home, "http://b")
    expect(foreign.adopt()).toEqual([])
    expect(heir.adopt()).toEqual([lease])
    expect(heir.adopt()).toEqual([])
    expect(new LeaseFile(home, "http://a").adopt()).toEqual([])
    heir.save()
    expect(existsSync(file.path)).toBe(false)
    heir.close()
    expect(foreign.adopt()).toEqual([])
    expect(new LeaseFile(home, "http://a").adopt()).toEqual([lease])
  })

  test("is for a server, however its address is written", () => {
    const home = path()
    const lease = { id: 1, token: "t", attempt: 1 }
    const kept = { ...lease, id: 2, token: "u", kept_until: Date.now() + 60_000 }
    const ways = [
      "http://localhost:8080",
      "HTTP://127.0.0.1:8080/",
      "http://[::1]:8080",
      "http://0.0.0.0:8080",
      "http://[::]:8080",
      "http://LOCALHOST:8080//",
    ]
    for (const [i, way] of ways.entries()) {
      const next = ways[(i + 1) % ways.length] ?? way
      const file = new LeaseFile(home, way)
      file.set(lease)
      file.close()
      keepLease(home, way, kept)
      for (const other of [
        "http://localhost:8081",
        "https://localhost:8080",
        "http://localhost:8080/queue",
      ]) {
        expect(new LeaseFile(home, other).adopt()).toEqual([])
        expect(takeLease(home, other, 2)).toBeUndefined()
      }
      const heir = new LeaseFile(home, next)
      expect(heir.adopt()).toEqual([lease])
      heir.remove(lease.token)
      heir.close()
      expect(takeLease(home, next, 2)).toEqual(kept)
    }
    const named = new LeaseFile(home, "http://Box.lan:80/")
    named.set(lease)
    named.close()
    expect(new LeaseFile(home, "http://box.lan.").adopt()).toEqual([lease])
  })

  test("keeps a lease for the next step of its item: for the same server, once, and not for long", () => {
    const home = path()
    expect(takeLease(home, "http://a", 1)).toBeUndefined()
    const kept = { id: 1, token: "t", attempt: 1, kept_until: Date.now() + 60_000 }
    keepLease(home, "http://a", kept)
    keepLease(home, "http://b", { ...kept, token: "u" })
    keepLease(home, "http://a", { ...kept, id: 2, token: "late", kept_until: Date.now() - 1 })
    expect(takeLease(home, "http://c", 1)).toBeUndefined()
    expect(takeLease(home, "http://a", 3)).toBeUndefined()
    expect(takeLease(home, "http://a", 2)).toBeUndefined()
    // A second worker takes nothing of it.
    const worker = new LeaseFile(home, "http://a")
    expect(worker.adopt()).toEqual([])
    worker.close()
    expect(takeLease(home, "http://a", 1)).toEqual(kept)
    expect(takeLease(home, "http://a", 1)).toBeUndefined()
    expect(takeLease(home, "http://b", 1)).toMatchObject({ token: "u" })
    expect(readdirSync(home)).toEqual([])
  })

  test("that is torn or foreign is no obstacle", () => {
    const home = path()
    const file = new LeaseFile(home, "http://a")
    for (const [name, text] of [
      ["a", '{"server": "http://a", "leases": [{"id": 1'],
      ["b", '{"server": "http://a", "leases": "all"}'],
    ]) {
      writeFileSync(join(home, `${name}.json`), text ?? "")
      appendFileSync(join(home, `${name}.lock`), "")
    }
    appendFileSync(join(home, "c.lock"), "")
    // Its worker was killed while it wrote.
    appendFileSync(join(home, "c.json.new"), '{"server": "http://a", "lea')
    expect(Bun.spawnSync(["mkfifo", join(home, "c.json"), join(home, "d.lock")]).exitCode).toBe(0)
    // This is more than a worker ever writes.
    appendFileSync(join(home, "e.lock"), "")
    writeFileSync(join(home, "e.json"), "")
    truncateSync(join(home, "e.json"), 100 * 1024 * 1024)
    const startedMs = performance.now()
    expect(file.adopt()).toEqual([])
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    file.close()
    expect(readdirSync(home)).toEqual(["d.lock"])
  })

  test("that cannot be read now stays for later", () => {
    const home = path()
    const lease = { id: 1, token: "t", attempt: 1, verdict: { end: "complete" as const, result: {} } }
    const killed = new LeaseFile(home, "http://a")
    killed.set(lease)
    killed.close()
    const heir = new LeaseFile(home, "http://a")
    // It stands for a disk that fails, or for too many open files.
    renameSync(killed.path, `${killed.path}.kept`)
    symlinkSync(killed.path, killed.path)
    expect(heir.adopt()).toEqual([])
    expect(takeLease(home, "http://a", 1)).toBeUndefined()
    renameSync(`${killed.path}.kept`, killed.path)
    expect(heir.adopt()).toEqual([lease])
    heir.close()
  })

  test("that cannot be opened is no obstacle to those beside it", () => {
    const home = path()
    const file = new LeaseFile(home, "http://a")
    // It stands for a file of another user's worker, which root could open in a test.
    mkdirSync(join(home, "0.lock"))
    const other = new LeaseFile(home, "http://a")
    const lease = { id: 1, token: "t", attempt: 1 }
    other.set(lease)
    other.close()
    expect(file.adopt()).toEqual([lease])
    file.close()
  })

  test("whose folder cannot be read stops no run", async () => {
    await using server = await start()
    const state = path()
    mkdirSync(join(state, "track-studio"), { recursive: true })
    // It stands for a folder that root has made in a user's home, which root could read in a test.
    writeFileSync(join(state, "track-studio/leases"), "a file, and no folder")
    const args = ["run", "--item", `${await server.add()}`, "--", "true"]
    const { code, stderr } = await run(args, { XDG_STATE_HOME: state, TRACK_STUDIO_SERVER: server.url })
    expect([code, stderr]).toEqual([0, expect.stringContaining("cannot be read: ENOTDIR")])
    expect(await server.item(1)).toMatchObject({ status: "completed" })
  })

  test("that cannot be made stops no worker", async () => {
    await using server = await start()
    const [id, state] = [await server.add(), path()]
    writeFileSync(state, "a file, and no folder")
    chmodSync(state, 0o400)
    await using worker = work(server.url, state, "true")
    expect(await finished(server, id)).toMatchObject({ status: "completed" })
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
    expect((await worker.stderr).toString()).toContain("leases cannot be kept on the disk: ")
  })
})
