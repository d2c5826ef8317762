import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { start, type StartOptions, temporaryFolder, type TestServer } from "../server.ts"
import { Browser, hasChromium, HOST, type Tab } from "./browser.ts"

// The first run may have to install Chromium.
setDefaultTimeout(300_000)

const page = describe.skipIf(!hasChromium)

let browser: Browser
let after: AsyncDisposableStack
const folder = temporaryFolder()

beforeAll(async () => {
  if (!hasChromium) return
  browser = await Browser.start()
  after = new AsyncDisposableStack()
})
afterEach(async () => {
  if (!hasChromium) return
  await after.disposeAsync()
  after = new AsyncDisposableStack()
})
afterAll(async () => {
  if (hasChromium) await browser.stop()
  folder[Symbol.dispose]()
})

const serve = async (options?: StartOptions): Promise<TestServer> => after.use(await start(options))

/** Opens a page; resolves when it is live. */
async function open(url: string): Promise<Tab> {
  const tab = await browser.open(url.replace("127.0.0.1", HOST))
  after.defer(() => tab.close())
  await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
  return tab
}

/** A proxy that holds back the answers to some requests until the test releases them. */
function holdingBack(server: TestServer) {
  const asked: string[] = []
  let held: RegExp | undefined
  let reached = Promise.withResolvers<void>()
  let gate = Promise.withResolvers<void>()
  const proxy = Bun.serve({
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      asked.push(pathname)
      const answer = await fetch(server.url + pathname + search, {
        method: request.method,
        headers: request.headers,
        body: request.body,
        decompress: false,
        signal: request.signal,
      })
      if (request.method !== "GET" || held?.test(pathname) !== true) return answer
      const { status, headers } = answer
      const body = await answer.arrayBuffer()
      reached.resolve()
      await gate.promise
      return new Response(body, { status, headers })
    },
  })
  after.defer(() => proxy.stop(true))
  return {
    url: `http://127.0.0.1:${proxy.port}`,
    /** The requested paths. */
    asked,
    /** From now on holds back the answers to requests that match. */
    hold(path: RegExp): void {
      held = path
      reached = Promise.withResolvers()
      gate = Promise.withResolvers()
    },
    /** Resolves when an answer is held back. */
    reached: () => reached.promise,
    /** Ends it, and every connection with it. */
    end: () => proxy.stop(true),
    /** Releases the answers that are held back. */
    release(): void {
      held = undefined
      gate.resolve()
    },
  }
}

const WAVES = `[...document.querySelectorAll(".lane .wave")].map((wave) => wave.getAttribute("aria-valuenow")).join()`

/**
 * Notes every value of a condition while the page goes on. Resolves when everything that was sent has been
 * drawn.
 */
const never = async (tab: Tab, server: TestServer, condition: string): Promise<void> => {
  await tab.evaluate(`(() => {
    window.wrong = false
    const look = () => { window.wrong ||= Boolean(${condition}); requestAnimationFrame(look) }
    look()
  })()`)
  const id = await server.add({ song_id: 99, title: "The last one" })
  await tab.until(`document.querySelector('.row[data-item="${id}"]')`)
}

page("an answer that is slower than the stream", () => {
  test("does not set an item back", async () => {
    const server = await serve()
    const proxy = holdingBack(server)
    const id = await server.add({ song_id: 5, priority: 3, tags: ["gpu"] })
    const tab = await open(proxy.url)
    await tab.until(`document.querySelector(".waiting .row")`)
    proxy.hold(/\/queue\/\d+$/)
    await server.put(id, { priority: 4 })
    await proxy.reached()
    await server.put(id, { status: "processing", progress: 77 })
    await tab.until(`${WAVES} === "77"`)
    proxy.release()
    await never(tab, server, `${WAVES} !== "77"`)
    expect(await tab.evaluate<boolean>("window.wrong")).toBe(false)
    await server.put(id, { status: "retrying" })
    await tab.until(`document.querySelector('.row[data-item="${id}"]')?.innerText.includes("priority 4")`)
  })

  test("does not bring back a deleted item", async () => {
    const server = await serve()
    const proxy = holdingBack(server)
    const id = await server.add({ song_id: 5 })
    const tab = await open(proxy.url)
    await tab.until(`document.querySelector(".waiting .row")`)
    proxy.hold(/\/queue\/\d+$/)
    await server.put(id, { priority: 4 })
    await proxy.reached()
    await server.api("DELETE", `/queue/${id}`)
    await tab.until(`!document.querySelector(".waiting .row")`)
    proxy.release()
    await never(tab, server, `document.querySelector('[data-item="${id}"]')`)
    expect(await tab.evaluate<boolean>("window.wrong")).toBe(false)
  })

  test("does not hold up the stream while the queue is read again", async () => {
    const server = await serve()
    const proxy = holdingBack(server)
    const id = await server.add({ song_id: 5 })
    await server.put(id, { status: "processing", progress: 10 })
    const tab = await open(proxy.url)
    await tab.until(`${WAVES} === "10"`)
    proxy.hold(/\/queue$/)
    // So many new items come that the whole queue is read.
    await Promise.all(Array.from({ length: 40 }, () => server.add()))
    await proxy.reached()
    await server.put(id, { progress: 55 })
    await tab.until(`${WAVES} === "55"`)
    proxy.release()
    await tab.until(`document.querySelectorAll(".waiting .row").length === 40`)
    expect(await tab.evaluate<string>(WAVES)).toBe("55")
  })
})

page("a server that is gone before the queue was read", () => {
  test("leaves nothing of which the page says that it is a state", async () => {
    const server = await serve()
    const proxy = holdingBack(server)
    await server.add({ song_id: 5 })
    proxy.hold(/\/queue$/)
    const tab = await open(proxy.url)
    await proxy.reached()
    void proxy.end()
    await tab.until(`document.querySelector("#banner").checkVisibility()`)
    expect(await tab.evaluate<string>(`document.querySelector("#banner p").innerText`)).toEndWith(
      ". Nothing here is live.",
    )
    expect(await tab.evaluate<string>(`document.querySelector("#badge").innerText`)).toBe("Can't connect")
    expect(await tab.evaluate<string>(`document.documentElement.dataset.trust`)).toBe("nothing")
  }, 180_000)
})

page("the figures of the queue", () => {
  test("are asked for at most once a second, however much happens", async () => {
    const server = await serve()
    const proxy = holdingBack(server)
    const tab = await open(proxy.url)
    await tab.until(`document.querySelector(".figure .value").innerText === "0"`)
    const before = proxy.asked.length
    const startedMs = performance.now()
    while (performance.now() - startedMs < 3000)
      await server.put(await server.add(), { status: "processing" })
    const { running }: { running: string } = await tab.until(`(() => {
      const running = document.querySelector(".figure .value").innerText
      return running !== "0" && { running }
    })()`)
    expect(Number(running.replaceAll(",", ""))).toBeGreaterThan(1)
    const seconds = (performance.now() - startedMs) / 1000
    const counts = proxy.asked.slice(before).filter((path) => path.endsWith("/queue/counts")).length
    expect(counts).toBeGreaterThan(0)
    expect(counts).toBeLessThanOrEqual(Math.ceil(seconds) + 1)
  })
})
