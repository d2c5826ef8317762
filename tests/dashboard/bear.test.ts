import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test"

import { start, type TestServer } from "../server.ts"
import { Browser, hasChromium, HOST, type Tab, type TabOptions } from "./browser.ts"

// The first run may have to install Chromium.
setDefaultTimeout(hasChromium && Bun.which("chromium") === null ? 300_000 : 30_000)

const page = describe.skipIf(!hasChromium)

let browser: Browser
let server: TestServer
let tabs: Tab[] = []

beforeAll(async () => {
  if (hasChromium) browser = await Browser.start()
})
afterAll(async () => {
  if (hasChromium) await browser.stop()
})
beforeEach(async () => {
  server = await start()
})
afterEach(async () => {
  for (const tab of tabs) await tab.close()
  tabs = []
  await server[Symbol.asyncDispose]()
})

/** Opens a page of the server, by a name that is not localhost; resolves when it is live. */
async function open(path = "/", options: TabOptions = {}): Promise<Tab> {
  const tab = await browser.open(server.url.replace("127.0.0.1", HOST) + path, options)
  tabs.push(tab)
  await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
  return tab
}

const text = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})?.innerText`

const HOSTILE = [
  `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`,
  `"><svg onload=alert(1)> javascript:alert(1) \u202egnirts \u2028 \ud83d\ude80 ${"W".repeat(300)}`,
]

/** Fills the queue with what a page may have to bear. */
async function fill(): Promise<number> {
  for (const title of HOSTILE) {
    const id = await server.add({
      song_id: 7,
      title,
      tags: HOSTILE.map((tag) => tag.slice(0, 60)),
      metadata: { [title]: title },
    })
    await server.put(id, { status: "processing", progress: 40, current_step: title, message: title })
    await fetch(`${server.url}/api/v1/queue/${id}/ingest/lines`, { method: "POST", body: `${title}\n` })
    await server.put(id, { status: "failed", error_message: title.repeat(20) })
    const running = await server.add({ song_id: 8, title })
    await server.put(running, { status: "processing", progress: 40, current_step: title, message: title })
    await server.add({ song_id: 9, title, priority: -1_000_000_000, tags: [title.slice(0, 64)] })
  }
  return 1
}

page("what the page must bear", () => {
  test("hostile text is only ever text", async () => {
    const id = await fill()
    for (const path of ["/", `/items/${id}`]) {
      const tab = await open(path)
      await tab.until(`document.body.innerText.includes("<script>document.title='owned'")`)
      expect(
        await tab.evaluate<number>(
          `document.querySelectorAll("main img, main script, [onload], [onerror]").length`,
        ),
      ).toBe(0)
      expect(await tab.evaluate<string>("document.title")).not.toBe("owned")
      expect(tab.complaints).toEqual([])
    }
  })

  test("nothing is wider than the screen, however narrow that is", async () => {
    const id = await fill()
    const tab = await open()
    await tab.until(`document.querySelector(".lane")`)
    for (const shown of [".lane", ".timeline li"]) {
      for (const width of [320, 390, 768, 1100]) {
        await tab.resize(width)
        const widths = await tab.evaluate<[number, number]>(
          "[document.documentElement.scrollWidth, innerWidth]",
        )
        expect(widths[0]).toBeLessThanOrEqual(width)
        expect(widths[1]).toBe(width)
      }
      if (shown === ".lane") await tab.go(tab.at(`/items/${id}`))
      await tab.until(`document.querySelector(".timeline li")`)
    }
  })
})

/** As `fill`, with items of every ending. */
async function fillAll(): Promise<number> {
  const id = await fill()
  for (const ending of ["retrying", "completed"]) {
    const other = await server.add({ song_id: 3 })
    await server.put(other, { status: "processing" })
    await server.put(other, { status: ending })
  }
  await server.add({ song_id: 4, available_in: 3600 })
  return id
}

page("axe finds nothing to object to", () => {
  test.each([
    ["dark, then light", { dark: true }],
    ["light, then dark, on a phone", { dark: false, phone: true }],
  ])("in what is shown, %s", async (_name, options) => {
    const id = await fillAll()
    const tab = await open("/", { ...options, bypassPolicy: true })
    await tab.until(`document.querySelector(".finished .row")`)
    expect(await tab.objections()).toEqual([])
    await tab.go(tab.at(`/items/${id}`))
    await tab.until(`document.querySelector(".plot .area .line") && document.querySelector(".timeline li")`)
    await tab.until(`document.querySelector(".output pre").textContent !== ""`)
    expect(await tab.objections()).toEqual([])
    await tab.colours(!options.dark)
    await tab.until(`document.querySelector("#badge").getAnimations().length === 0`)
    expect(await tab.objections()).toEqual([])
  })

  test("in every view, with workers, in a paused queue, and where nothing is found", async () => {
    await fillAll()
    await server.api("POST", "/queue/pause")
    await server.api("POST", "/queue/claim", { worker: "gpu-1", tags: ["gpu"], version: "1.2.3" })
    await server.add({ song_id: 5, tags: ["4k"] })
    const tab = await open("/", { bypassPolicy: true })
    await tab.until(`document.querySelector(".worker") && !document.querySelector(".paused").hidden`)
    expect(await tab.objections()).toEqual([])
    await tab.click(".worker")
    await tab.until(`document.querySelector(".workers-strip .stream-facts")`)
    expect(await tab.objections()).toEqual([])
    await tab.press("Escape")
    await tab.click(".figure:nth-child(4)")
    await tab.until(`document.querySelector("[data-view=failed] .finished .row")`)
    expect(await tab.objections()).toEqual([])
    await tab.go(tab.at("/?q=no+such+song"))
    await tab.until(`${text(".home > .none span")} === "Nothing matches “no such song”."`)
    expect(await tab.objections()).toEqual([])
    await tab.click("#keys")
    await tab.until(`document.querySelector("dialog").getAnimations().length === 0`)
    expect(await tab.objections()).toEqual([])
  })

  test.each(["/docs", "/docs/webhooks", "/nothing"])("in %s", async (path) => {
    const tab = await browser.open(server.url + path, { bypassPolicy: true })
    tabs.push(tab)
    expect(await tab.objections()).toEqual([])
    await tab.colours(true)
    expect(await tab.objections()).toEqual([])
  })

  test("in menus and dialogs", async () => {
    await fillAll()
    const tab = await open("/", { bypassPolicy: true })
    await tab.click("#badge")
    await tab.until(`${text("#facts")}.includes("Confirmed")`)
    expect(await tab.objections()).toEqual([])
    await tab.press("Escape")
    await tab.click(".finished .row [aria-haspopup]")
    expect(await tab.objections()).toEqual([])
    await tab.press("Escape")
    await tab.click("#add")
    await tab.until(`document.querySelector("dialog").getAnimations().length === 0`)
    expect(await tab.objections()).toEqual([])
  })
})
