import { afterAll, expect, test } from "bun:test"

import { type AppParts, createApp } from "../../src/http/app.ts"
import { Browser, hasChromium, STRANGERS, type Tab } from "../dashboard/browser.ts"
import { start } from "../server.ts"

const server = await start()
/** Serves an empty page under whatever name it is asked by. */
const pages = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () =>
    new Response("<!doctype html><title>a page</title>", { headers: { "content-type": "text/html" } }),
})
const browser = hasChromium ? await Browser.start() : undefined
afterAll(async () => {
  await browser?.stop()
  await pages.stop(true)
  await server[Symbol.asyncDispose]()
})

/** The parts of an app that is asked for its routes alone. */
const parts: unknown = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
/** Every route that changes something. */
const writes = createApp(parts as AppParts).routes.filter(({ method }) => !/^(GET|OPTIONS)$/.test(method))

const BODIES: Readonly<Record<string, string>> = {
  "POST /api/v1/queue": '{"song_id":1,"title":"by a page"}',
  "POST /api/v1/queue/claim": '{"worker":"a page","tags":["by-a-page"]}',
  "PUT /api/v1/queue/:id/flag": '{"flag":"image_issue"}',
  "POST /api/v1/queue/:id/ingest/:renderer": "50%\n",
}

interface Tried {
  readonly route: string
  readonly url: string
  readonly method: string
  readonly body: string
}

/** Each route with an item of its own to change. */
const tries = async (): Promise<Tried[]> =>
  Promise.all(
    writes.map(async ({ method, path }) => {
      const id = await server.add({ song_id: 9, title: "Untouched" })
      const route = `${method} ${path}`
      const url = `${server.url}${path.replace(":id", String(id)).replace(":renderer", "lines")}`
      return { route, url, method, body: BODIES[route] ?? "{}" }
    }),
  )

/** Sends each as a script may that wants to read the answer; the status of each, 0 where the browser stops it. */
const asked = (tab: Tab, all: readonly Tried[]): Promise<number[]> =>
  tab.evaluate(`Promise.all(${JSON.stringify(all)}.map(({ url, method, body }) =>
    fetch(url, { method, headers: { "content-type": "application/json" }, ...(method !== "DELETE" && { body }) })
      .then(({ status }) => status, () => 0)))`)

/** Sends each POST in the ways that need nobody's leave: without reading, as a beacon, and as a form. */
const forced = (tab: Tab, all: readonly Tried[]): Promise<void> =>
  tab.evaluate(`Promise.all(${JSON.stringify(all)}.filter(({ method }) => method === "POST").map(async ({ url, body }, at) => {
    await fetch(url, { method: "POST", mode: "no-cors", body }).catch(() => undefined)
    navigator.sendBeacon(url, body)
    const frame = Object.assign(document.createElement("iframe"), { name: "frame-" + at })
    document.body.append(frame)
    const form = document.body.appendChild(document.createElement("form"))
    Object.assign(form, { action: url, method: "post", enctype: "text/plain", target: frame.name })
    const sent = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }))
    form.submit()
    await sent
  })).then(() => undefined)`)

const socket = (tab: Tab): Promise<string> =>
  tab.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket("ws://${new URL(server.url).host}/api/v1/progress/ws")
    socket.addEventListener("open", () => { socket.close(); resolve("open") })
    socket.addEventListener("error", () => resolve("refused"))
  })`)

test("the routes that change something are known here", () => {
  expect(writes.length).toBeGreaterThan(10)
  expect(writes.every(({ path }) => path.startsWith("/api/v1/"))).toBeTrue()
})

for (const host of STRANGERS) {
  test.skipIf(!browser)(
    `a page of ${host} changes nothing by any route, and opens no WebSocket`,
    async () => {
      const tab = await browser?.open(`http://${host}:${pages.port}/`)
      if (!tab) return
      const all = await tries()
      const [before, queue] = [await server.head(), await (await server.api("GET", "/queue")).json()]
      expect(await asked(tab, all)).toEqual(all.map(() => 403))
      await forced(tab, all)
      expect(await socket(tab)).toBe("refused")
      expect(await server.head()).toBe(before)
      expect(await (await server.api("GET", "/queue")).json()).toEqual(queue)
      // It may read, as every page may.
      expect(await tab.evaluate(`fetch("${server.url}/api/v1/queue").then(({ status }) => status)`)).toBe(200)
      await tab.close()
    },
    30_000,
  )

  test.skipIf(!browser)(`a page that comes from here by the name ${host} is none`, async () => {
    const tab = await browser?.open(`http://${host}:${new URL(server.url).port}/`)
    expect(await tab?.evaluate<string>("document.body.innerText")).toContain(`--allowed-host ${host}`)
    await tab?.close()
  })
}

for (const [what, url] of [
  ["our own page", `${server.url}/`],
  ["a page of another port of this machine", `http://127.0.0.1:${pages.port}/`],
] as const) {
  test.skipIf(!browser)(
    `${what} may use every route, and open a WebSocket`,
    async () => {
      const tab = await browser?.open(url)
      if (!tab) return
      const all = await tries()
      const before = await server.head()
      const statuses = await asked(tab, all)
      const refused = all.filter((_one, at) => statuses[at] === 403 || statuses[at] === 0)
      expect(refused.map(({ route }) => route)).toEqual([])
      expect(await server.head()).toBeGreaterThan(before)
      expect(await socket(tab)).toBe("open")
      await tab.close()
    },
    30_000,
  )
}
