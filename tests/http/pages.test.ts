import { afterAll, expect, test } from "bun:test"

import { Browser, hasChromium, STRANGERS, type Tab } from "../dashboard/browser.ts"
import { start, type TestServer } from "../server.ts"
import { SOCKETS, stateOf, triesOf, type Try, WRITES } from "./writes.ts"

const server = await start()
/** Serves an empty page under every host name. */
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

/**
 * Sends each request as a script that wants to read the answer. Returns the statuses; 0 if the browser stops
 * it.
 */
const asked = (tab: Tab, all: readonly Try[]): Promise<number[]> =>
  tab.evaluate(`Promise.all(${JSON.stringify(all)}.map(({ url, method, body }) =>
    fetch(url, { method, headers: { "content-type": "application/json" }, ...(method !== "DELETE" && { body }) })
      .then(({ status }) => status, () => 0)))`)

/**
 * Sends each POST in the ways that need no permission: without reading the answer, as a beacon, and as a
 * form.
 */
const forced = (tab: Tab, all: readonly Try[]): Promise<void> =>
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

/** What happens to a WebSocket to each of the paths. */
const sockets = (tab: Tab, { url }: TestServer): Promise<string[]> =>
  tab.evaluate(`Promise.all(${JSON.stringify(SOCKETS)}.map((path) => new Promise((resolve) => {
    const socket = new WebSocket("ws://${new URL(url).host}" + path)
    socket.addEventListener("open", () => { socket.close(); resolve("open") })
    socket.addEventListener("error", () => resolve("refused"))
  })))`)
const each = (outcome: string): string[] => SOCKETS.map(() => outcome)

/** Tries everything that a page can do. Nothing of it may succeed. */
async function changesNothing(tab: Tab, of: TestServer): Promise<void> {
  const all = await triesOf(of)
  const before = await stateOf(of)
  const statuses = await asked(tab, all)
  // The browser stops requests that need permission if the page may not even read.
  expect(statuses.filter((status) => status !== 403 && status !== 0)).toEqual([])
  await forced(tab, all)
  expect(await sockets(tab, of)).toEqual(each("refused"))
  expect(await stateOf(of)).toEqual(before)
}

/** Tries every route. No route may refuse the page. */
async function mayUseAll(tab: Tab, of: TestServer): Promise<void> {
  const all = await triesOf(of)
  const before = await of.head()
  const statuses = await asked(tab, all)
  const refused = all.filter((_one, at) => statuses[at] === 403 || statuses[at] === 0)
  expect(refused.map(({ route }) => route)).toEqual([])
  expect(await of.head()).toBeGreaterThan(before)
  expect(await sockets(tab, of)).toEqual(each("open"))
}

test("the routes that change something are known here", () => {
  expect(WRITES.length).toBeGreaterThan(10)
  expect(WRITES.every(({ path }) => path.startsWith("/api/v1/"))).toBeTrue()
  expect(SOCKETS).toEqual(["/api/v1/progress/ws", "/api/v1/progress/ws/1"])
})

for (const host of STRANGERS) {
  test.skipIf(!browser)(
    `a page of ${host} changes nothing by any route, and opens no WebSocket`,
    async () => {
      const tab = await browser?.open(`http://${host}:${pages.port}/`)
      if (!tab) return
      await changesNothing(tab, server)
      // It may read, as every page may.
      expect(await tab.evaluate(`fetch("${server.url}/api/v1/queue").then(({ status }) => status)`)).toBe(200)
      await tab.close()
    },
    180_000,
  )

  test.skipIf(!browser)(
    `under the host name ${host} this server shows no page, but names the flag that allows it`,
    async () => {
      const tab = await browser?.open(`http://${host}:${new URL(server.url).port}/`)
      expect(await tab?.evaluate<string>("document.body.innerText")).toContain(`--allowed-host ${host}`)
      await tab?.close()
    },
  )
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
      await mayUseAll(tab, server)
      await tab.close()
    },
    180_000,
  )
}

test.skipIf(!browser)(
  "where one origin is listed, its pages may change things, and those of another port of this machine may not",
  async () => {
    const [listed = ""] = STRANGERS.map((host) => `http://${host}:${pages.port}`)
    await using narrow = await start({ args: ["--cors-origin", listed] })
    const [theirs, others] = [
      await browser?.open(`${listed}/`),
      await browser?.open(`http://127.0.0.1:${pages.port}/`),
    ]
    if (!theirs || !others) return
    await changesNothing(others, narrow)
    await mayUseAll(theirs, narrow)
    await theirs.close()
    await others.close()
  },
  180_000,
)
