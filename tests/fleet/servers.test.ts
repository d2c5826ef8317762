import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { hostname } from "node:os"

import type { QueueItem } from "../../src/item/item.ts"
import type { QueuePaused, WorkersAnswer } from "../../src/wire/answers.ts"
import type { Stats } from "../../src/wire/health-and-stats.ts"
import { found, startPostgres } from "../engines.ts"
import { FREE_FOR_ALL, Instance } from "./fleet.ts"

setDefaultTimeout(180_000)

const program = found("postgres")

describe.skipIf(program === null)(
  `two servers on one PostgreSQL${program ? "" : " (skipped: it is not installed)"}`,
  () => {
    test("know each other and each other's workers, and show what the other one has stored at once", async () => {
      await using postgres = await startPostgres(program ?? "")
      const args = ["--database", postgres.url]
      const one = new Instance(args)
      const two = new Instance([...args, ...FREE_FOR_ALL, "--host", "0.0.0.0"])
      // The address on which it listens is all addresses, which would not help others to find it.
      const addresses = [one.url, `http://${hostname()}:${two.port}`]
      for (const instance of [one, two]) instance.begin()
      await Promise.all([one.listening(), two.listening()])
      const leave = new AbortController()
      const { signal } = leave
      const [own, other] = await Promise.all(
        // One is of an item that will be added: it counts like a stream of everything.
        [`${one.url}/api/v1/progress/stream/1`, `${two.url}/api/v1/progress/stream`].map((url) =>
          fetch(`${url}?format=ndjson`, { signal }),
        ),
      )
      // NOTIFY brings the update, long before a server would look for it by itself.
      const reader = other?.body?.getReader()
      expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('"live"')
      const headers = { "content-type": "application/json" }
      const added = await fetch(`${one.url}/api/v1/queue`, {
        method: "POST",
        headers,
        body: '{"song_id": 1}',
      })
      expect(added.status).toBe(201)
      expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(/^{"id":1,.*"queued"/)

      // So does a pause, which is no update. Without it each one would wait a second for the next look.
      let fastestMs = Infinity
      let pausedLine = ""
      const resume = async (): Promise<void> => {
        await fetch(`${one.url}/api/v1/queue/resume`, { method: "POST" })
        expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(
          `{"event":"queue","paused_at":null}\n`,
        )
      }
      for (let round = 0; round < 5; round += 1) {
        if (round > 0) await resume()
        const pausedMs = performance.now()
        const paused = await fetch(`${one.url}/api/v1/queue/pause`, { method: "POST" })
        const { paused_at } = (await paused.json()) as QueuePaused
        pausedLine = `{"event":"queue","paused_at":"${paused_at}"}\n`
        expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(pausedLine)
        fastestMs = Math.min(fastestMs, performance.now() - pausedMs)
      }
      expect(fastestMs).toBeLessThan(900)
      const late = await fetch(`${two.url}/api/v1/progress/stream?format=ndjson&snapshot=false`)
      const lateReader = late.body?.getReader()
      expect(new TextDecoder().decode((await lateReader?.read())?.value)).toStartWith(pausedLine)
      await lateReader?.cancel()
      await resume()

      const stats = async (url: string, query = ""): Promise<Stats> =>
        (await fetch(`${url}/api/v1/progress/stats${query}`)).json()
      // Each server writes about itself every 2 s.
      let all = await stats(one.url, "?all=true")
      while (all.connected_clients < 2) all = await stats(one.url, "?all=true")
      const seen = (address: string) =>
        expect.objectContaining({ address, streams: 1, name: hostname(), version: expect.any(String) })
      expect(all.servers?.toSorted((a, b) => a.address.localeCompare(b.address))).toEqual(
        addresses.toSorted((a, b) => a.localeCompare(b)).map(seen),
      )
      expect((await stats(one.url)).connected_clients).toBe(1)
      const claim = (url: string, wait: number): Promise<Response> => {
        const body = JSON.stringify({ worker: "box", wait, tags: ["gpu"], instance: "first" })
        return fetch(`${url}/api/v1/queue/claim`, { method: "POST", headers, body })
      }
      expect((await claim(one.url, 0)).status).toBe(200)
      const waiting = claim(one.url, 50)
      const worker = async (url: string) =>
        ((await (await fetch(`${url}/api/v1/workers`)).json()) as WorkersAnswer).workers[0]
      while (!(await worker(two.url))?.tags);
      expect(await worker(two.url)).toMatchObject({
        worker: "box",
        state: "rendering",
        tags: ["gpu"],
        draining: false,
      })
      const askedMs = performance.now()
      const drained = await fetch(`${two.url}/api/v1/workers/box/drain`, { method: "POST" })
      expect(drained.status).toBe(200)
      const answer = await waiting
      expect(performance.now() - askedMs).toBeLessThan(20_000)
      expect([answer.status, answer.headers.get("drain")]).toEqual([204, "true"])
      expect(await worker(one.url)).toMatchObject({ draining: true })

      // What one of them learns from a render, the other one knows within a second.
      const put = async (url: string, id: number, body: object): Promise<QueueItem> => {
        const answer = await fetch(`${url}/api/v1/queue/${id}`, {
          method: "PUT",
          headers,
          body: JSON.stringify(body),
        })
        return await answer.json()
      }
      const add = async (): Promise<number> => {
        const body = '{"song_id": 2, "kind": "song"}'
        const answer = await fetch(`${one.url}/api/v1/queue`, { method: "POST", headers, body })
        return ((await answer.json()) as QueueItem).id
      }
      const [first, second] = [await add(), await add()]
      const drawing = (message: string): object => ({ status: "processing", current_step: "Draw", message })
      expect(await put(two.url, first, drawing(""))).toMatchObject({ eta_runs: 0 })
      await put(one.url, first, { status: "completed" })
      const begunMs = performance.now()
      for (let i = 0; (await put(two.url, second, drawing(`frame ${i}`))).eta_runs === 0; i += 1);
      expect(performance.now() - begunMs).toBeLessThan(10_000)
      expect(await put(one.url, second, drawing("last frame"))).toMatchObject({ eta_runs: 1 })

      leave.abort()
      await own?.body?.cancel().catch(() => undefined)
      expect(await two.end("SIGTERM")).toBe(0)
      expect((await stats(one.url, "?all=true")).servers).toEqual([
        expect.objectContaining({ address: one.url }),
      ])
      expect(await one.end("SIGTERM")).toBe(0)
    })
  },
)
