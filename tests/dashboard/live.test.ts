import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { copyFileSync } from "node:fs"

import type { QueueItem } from "../../src/item/item.ts"
import { run, start, type StartOptions, temporaryFolder, type TestServer } from "../server.ts"
import { Browser, hasChromium, HOST, type Tab, type TabOptions } from "./browser.ts"

// The first run may have to install Chromium.
setDefaultTimeout(300_000)

const page = describe.skipIf(!hasChromium)
let browser: Browser
let slow: Promise<void>
const tabs: Tab[] = []
const servers: TestServer[] = []
const folder = temporaryFolder()

beforeAll(async () => {
  if (!hasChromium) return
  browser = await Browser.start()
  slow = silentAndGone()
  // The last test looks at it.
  slow.catch(() => undefined)
})
afterAll(async () => {
  if (hasChromium) {
    // Its servers end together with it.
    await slow.catch(() => undefined)
    await browser.stop()
  }
  folder[Symbol.dispose]()
})
afterEach(async () => {
  for (const tab of tabs.splice(0)) await tab.close()
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
})

async function serve(options?: StartOptions): Promise<TestServer> {
  const server = await start(options)
  servers.push(server)
  return server
}

/** Starts another server at the same address. */
const serveAgain = (before: TestServer, database: string): Promise<TestServer> =>
  serve({ database, args: ["--port", new URL(before.url).port] })

const BADGE = `document.querySelector("#badge").dataset.state`
const LANES = `[...document.querySelectorAll(".lane")].map((lane) => lane.querySelector(".wave").getAttribute("aria-valuenow")).join()`

/** Opens the page, by a name that is not localhost; resolves when it is live. */
async function opened(server: TestServer, options: TabOptions = {}, path = "/"): Promise<Tab> {
  const tab = await browser.open(server.url.replace("127.0.0.1", HOST) + path, options)
  await tab.until(`${BADGE} === "live"`)
  return tab
}

/** Like `opened`, but the page is closed after the test. */
async function open(...how: Parameters<typeof opened>): Promise<Tab> {
  const tab = await opened(...how)
  tabs.push(tab)
  return tab
}

async function running(server: TestServer, progress: number): Promise<number> {
  const id = await server.add({ song_id: 5, title: "Northern Lights" })
  await server.put(id, { status: "processing", progress })
  return id
}

/** Notes which states the badge goes through. */
const NOTE = `(() => {
  const badge = document.querySelector("#badge")
  window.states = [badge.dataset.state]
  new MutationObserver(() => {
    if (window.states.at(-1) !== badge.dataset.state) window.states.push(badge.dataset.state)
  }).observe(badge, { attributes: true })
})()`

/** This test takes long, so it runs at the same time as the others. */
async function silentAndGone(): Promise<void> {
  await using silent = await start()
  await using gone = await start({ database: `${folder.path}/gone.db` })
  const ids = [await running(silent, 10), await running(gone, 20)]
  const [frozen, orphan] = [await opened(silent), await opened(gone)]
  await orphan.until(`${LANES} === "20"`)
  silent.child.kill("SIGSTOP")
  await gone.end("SIGKILL")
  await orphan.until(`${BADGE} === "stale"`)
  const banner = await orphan.evaluate<string>(`document.querySelector("#banner").innerText`)
  expect(banner).toMatch(/Can.t reach the server.*state at \d\d:\d\d:\d\d/s)
  // The network is cut: no byte comes, no end and no error. The next probe notices it.
  await frozen.until(`${BADGE} !== "live"`)
  silent.child.kill("SIGCONT")
  await using again = await start({ database: gone.database, args: ["--port", new URL(gone.url).port] })
  await silent.put(ids[0] ?? 0, { progress: 50 })
  await again.put(ids[1] ?? 0, { progress: 60 })
  // The page may have reconnected by itself by now.
  await orphan.evaluate(`document.querySelector("#banner button")?.click()`)
  await orphan.until(`${BADGE} === "live" && ${LANES} === "60"`)
  await frozen.until(`${BADGE} === "live" && ${LANES} === "50"`)
}

page("one stream for all tabs of a browser", () => {
  test("is held by a SharedWorker", async () => {
    const server = await serve()
    const id = await running(server, 10)
    const first = await open(server)
    const second = await open(server)
    expect(await first.evaluate<boolean>("isSecureContext")).toBe(false)
    await server.connectedClients(1)
    await server.put(id, { progress: 33 })
    for (const tab of [first, second]) await tab.until(`${LANES} === "33"`)
    await first.close()
    tabs.shift()
    await server.put(id, { progress: 44 })
    await second.until(`${LANES} === "44"`)
    await server.connectedClients(1)
    expect(second.complaints).toEqual([])
  })

  test("is each tab's own without such a worker; one hidden for five minutes closes its, and resumes where it was", async () => {
    const server = await serve()
    const id = await running(server, 10)
    const quick = `const real = setTimeout
      globalThis.setTimeout = (run, ms) => real(run, ms === 300_000 ? 50 : ms)`
    const options = { before: `delete globalThis.SharedWorker; ${quick}` }
    const tab = await open(server, options)
    await server.connectedClients(1)
    await server.put(id, { progress: 33 })
    await tab.until(`${LANES} === "33"`)
    const other = await open(server, { ...options, hides: true }, `/items/${id}`)
    await tab.until("document.hidden")
    // Only the stream of the visible tab is left.
    await server.connectedClients(1)
    await server.put(id, { progress: 44, current_step: "Meanwhile" })
    await other.until(`document.querySelector(".timeline").innerText.includes("Meanwhile")`)
    await tab.evaluate(NOTE)
    await tab.show()
    await tab.until(`${LANES} === "44"`)
    await tab.until(`${BADGE} === "live"`)
    expect(await tab.evaluate<string[]>("window.states")).toEqual(["live", "reconnecting", "live"])
    expect(await tab.evaluate<number>(`document.querySelectorAll(".toast").length`)).toBe(0)
    expect([...tab.complaints, ...other.complaints]).toEqual([])
  })

  test("a hidden tab shows the state by its title and icon", async () => {
    const server = await serve()
    const id = await running(server, 10)
    const tab = await open(server)
    await tab.until(`document.title.startsWith("10% ")`)
    await open(server, { hides: true })
    await tab.until(`document.hidden`)
    const icon = await tab.until<string>(
      `document.querySelector("#icon").href.startsWith("data:") && document.querySelector("#icon").href`,
    )
    await server.put(id, { progress: 55 })
    await tab.until(
      `document.title.startsWith("55% ") && document.querySelector("#icon").href !== ${JSON.stringify(icon)}`,
    )
    await server.put(id, { status: "failed" })
    await tab.until(`document.title.startsWith("Failed! ")`)
    await tab.show()
    await tab.until(`document.title === "Track Studio"`)
  })
})

/** The three lists as the page shows them: IDs in order, with progress or priority. */
const SHOWN = `JSON.stringify([".lane", ".row.waiting", ".row.finished"].map((rows) =>
  [...document.querySelectorAll(rows)].map((row) => row.dataset.item + " " + (row.querySelector(".wave")?.getAttribute("aria-valuenow") ?? row.querySelector(".priority, .end").textContent)).sort()))`

/** The same lists as the server has them. */
async function lists(server: TestServer): Promise<string> {
  const { queue }: { queue: QueueItem[] } = await (await server.api("GET", "/queue")).json()
  const rows = (wanted: (item: QueueItem) => boolean, more: (item: QueueItem) => string): string[] =>
    queue
      .filter(wanted)
      .map((item) => `${item.id} ${more(item)}`)
      .sort()
  return JSON.stringify([
    rows(
      ({ status }) => status === "processing",
      ({ progress }) => String(progress),
    ),
    rows(
      ({ status }) => status === "queued" || status === "retrying",
      ({ priority }) => (priority === 0 ? "" : `priority ${priority}`),
    ),
    rows(
      ({ status }) => status === "completed" || status === "failed",
      ({ outcome }) => `${outcome?.charAt(0).toUpperCase()}${outcome?.slice(1)}`,
    ),
  ])
}

page("the page is right", () => {
  test("after everything that can happen has happened, and the server was restarted in the middle", async () => {
    const database = `${folder.path}/storm.db`
    let server = await serve({ database })
    const tab = await open(server)
    const ids = Array.from({ length: 36 }, (_, i) => i + 1)
    for (const id of ids) await server.add({ song_id: id, title: `Song of ${id}` })
    const storm = async (seed: number): Promise<void> => {
      const deeds = ids.flatMap((id) => {
        const n = (id * 7 + seed * 13) % 9
        const deed = (method: string, path: string, body?: object): Promise<unknown> =>
          server.api(method, `/queue/${id}${path}`, body)
        const start = (progress: number) => deed("PUT", "", { status: "processing", progress })
        if (n < 3) return [start(n * 10), deed("PUT", "", { progress: n * 20 + seed })]
        if (n === 3) return [start(5), deed("PUT", "", { status: "completed" })]
        if (n === 4) return [deed("POST", "/cancel"), deed("POST", "/retry")]
        if (n === 5) return [deed("PUT", "", { priority: seed })]
        if (n === 6) return [start(5), deed("PUT", "", { status: "failed" })]
        if (n === 7) return [start(5), deed("PUT", "", { status: "retrying" })]
        return seed === 5 ? [deed("DELETE", "")] : []
      })
      await Promise.all(deeds)
    }
    for (const seed of [1, 2, 3]) await storm(seed)
    await server.end("SIGTERM")
    server = await serveAgain(server, database)
    for (const seed of [4, 5, 6]) await storm(seed)
    const wanted = await lists(server)
    await tab.until(`${SHOWN} === ${JSON.stringify(wanted)}`, 12_000).catch(async () => {
      expect(await tab.evaluate<string>(SHOWN)).toBe(wanted)
    })
    expect(tab.complaints).toEqual([])
  })
})

/** Gives the page another version of the server, once it is to be upgraded. */
const UPGRADE = `(() => {
  const asked = globalThis.fetch
  globalThis.fetch = async (...how) => {
    const answer = await asked(...how)
    if (!String(how[0]).endsWith("/health") || !globalThis.upgraded) return answer
    return Response.json({ ...(await answer.json()), version: "9.9.9" })
  }
})()`

page("the badge never lies", () => {
  test("a server that is restarted beneath the page: reconnecting, then live, and all is right", async () => {
    const database = `${folder.path}/restart.db`
    const server = await serve({ database })
    const id = await running(server, 10)
    const tab = await open(server, { before: UPGRADE })
    await tab.until(`${LANES} === "10" && document.querySelector("#version").innerText !== ""`)
    await tab.evaluate(NOTE)
    await tab.evaluate("globalThis.upgraded = true")
    await tab.resize(390)
    await server.end("SIGTERM")
    await tab.until(`${BADGE} === "reconnecting"`)
    expect(await tab.evaluate<string>(`document.querySelector("#badge").innerText`)).toMatch(
      /as of \d\d:\d\d:\d\d/,
    )
    // It fits on a phone, beside the button that adds a song.
    const badge = `[...document.querySelectorAll("#badge span")].filter((one) => one.checkVisibility())`
    expect(
      await tab.evaluate<boolean>(
        `[document.documentElement, ...${badge}].every((one) => one.scrollWidth <= one.clientWidth + 1)`,
      ),
    ).toBe(true)
    const again = await serveAgain(server, database)
    await again.put(id, { progress: 70 })
    await running(again, 5)
    await tab.until(`${LANES} === "70,5"`)
    expect(await tab.evaluate<string[]>("window.states")).toEqual(["live", "reconnecting", "live"])
    await again.connectedClients(1)
    // The page came from the server of before, which it says, and nothing else.
    await tab.until(`document.querySelector("#version").innerText.startsWith("9.9.9 (")`)
    expect(
      await tab.evaluate<string[]>(`[...document.querySelectorAll(".toast p")].map((one) => one.innerText)`),
    ).toEqual([
      expect.stringMatching(/^The server is now 9\.9\.9 \(\w+\)\. This page came from another version\.$/),
    ])
    await tab.evaluate("globalThis.stays = true")
    await tab.click(".toast .undo")
    await tab.until(`globalThis.stays === undefined && ${BADGE} === "live"`)
  })

  test("a server that is restarted beneath a dialog: what was typed stays, with the reason, and no time goes back", async () => {
    const database = `${folder.path}/dialog.db`
    const server = await serve({ database })
    const id = await running(server, 10)
    const tab = await open(server, {}, `/items/${id}`)
    const elapsed = `document.querySelector(".now .elapsed").innerText`
    await tab.until(`/^0:0[2-9] elapsed$/.test(${elapsed})`)
    await tab.openMenu(".buttons [aria-haspopup]")
    const rename = `[...document.querySelectorAll("[role=menuitem]")].find((entry) => entry.innerText === "Rename…")`
    await tab.until(`${rename}.setAttribute("id", "to-rename") === undefined`)
    await tab.click("#to-rename")
    await tab.until(`document.activeElement.matches("dialog input")`)
    await tab.type("Another name")
    // Everything that comes confirms what is shown.
    await server.put(id, { progress: 37 })
    await tab.until(`document.querySelector("[role=progressbar]").getAttribute("aria-valuenow") === "37"`)
    await server.end("SIGTERM")
    await tab.until(`${BADGE} === "reconnecting"`)
    // The state as it was when it was last confirmed.
    expect(await tab.evaluate<string>(elapsed)).toMatch(/^0:(0[2-9]|[1-9]\d) elapsed$/)
    await tab.press("Enter")
    await tab.until(`document.querySelector("dialog .problem").innerText === "Can't reach the server"`)
    expect(await tab.evaluate<string>(`document.querySelector("dialog input").value`)).toContain("Another")
    const again = await serveAgain(server, database)
    await tab.until(`${BADGE} === "live"`)
    await tab.press("Enter")
    await tab.until(`document.querySelector("h1").innerText.includes("Another name")`)
    expect((await again.item(id)).title).toContain("Another name")
    await tab.until(`document.querySelector("dialog") === null`)
  })

  test("a server that comes back with another history: everything is loaded again, and the page says so", async () => {
    const server = await serve({ database: `${folder.path}/one.db` })
    await running(server, 10)
    await server.add({ song_id: 6, title: "Of the first history" })
    const tab = await open(server)
    await tab.until(`document.body.innerText.includes("Of the first history")`)
    for (const place of [".tools > button", ".lane .check"]) await tab.click(place)
    await server.end("SIGKILL")
    await tab.click("section:not([hidden]) > .head > [data-needs=change]")
    await tab.until(`document.querySelector(".toast p")?.innerText.includes("been done. Try again")`)
    await tab.click(".toast [aria-label=Dismiss]")
    const other = await serveAgain(server, `${folder.path}/two.db`)
    // It has more updates than the first database, whose event IDs mean something else here.
    for (const progress of [20, 30, 40, 50, 60]) await running(other, progress)
    await tab.until(`${LANES} === "20,30,40,50,60"`)
    expect(await tab.evaluate<string>("document.body.innerText")).not.toContain("Of the first history")
    await tab.until(`document.querySelector(".toast").innerText.includes("different database")`)
    expect(await tab.evaluate<string>(`document.querySelector(".bulk p").innerText`)).toBe("0 items selected")
    // One toast says everything.
    expect(await tab.evaluate<number>(`document.querySelectorAll(".toast").length`)).toBe(1)
    await tab.until(`${BADGE} === "live"`)
  })

  test("an action on an item does not go on with the item of the same ID in another history", async () => {
    const server = await serve({ database: `${folder.path}/before.db` })
    const id = await running(server, 10)
    const last = await server.add({ song_id: 6, title: "Of the first history" })
    for (const status of ["processing", "completed"]) await server.put(last, { status })
    const [tab, menu] = [await open(server), await open(server)]
    const other = await open(server, {}, `/items/${last}`)
    await other.until(`document.querySelector("h1").innerText === "Of the first history"`)
    await tab.show()
    await tab.click(`.lane[data-item="${id}"] .quick`)
    await tab.until(`document.querySelector("dialog")`)
    await menu.show()
    await menu.click(`.lane[data-item="${id}"] [aria-haspopup]`)
    await menu.until(`document.querySelector(".menu")`)
    await server.end("SIGKILL")
    const next = await serveAgain(server, `${folder.path}/after.db`)
    await running(next, 20)
    await menu.until(`${LANES} === "20" && !document.querySelector(".menu")`)
    await tab.show()
    await tab.until(`${LANES} === "20" && !document.querySelector("dialog")`)
    expect((await next.item(id)).status).toBe("processing")
    await other.show()
    await other.until(`document.querySelector(".gone").innerText.includes("There is no item ${last}.")`)
    expect(await other.evaluate<string>("document.body.innerText")).not.toContain("Of the first history")
  })

  test("a server that was set back to a backup: the gap is shown, and closes by itself", async () => {
    const database = `${folder.path}/backup.db`
    const before = await serve({ database })
    const id = await running(before, 10)
    await before.end("SIGTERM")
    copyFileSync(database, `${folder.path}/older.db`)
    const server = await serveAgain(before, database)
    for (const progress of [20, 30, 40]) await server.put(id, { progress })
    const tab = await open(server)
    await tab.until(`${LANES} === "40"`)
    await server.end("SIGKILL")
    await serveAgain(server, `${folder.path}/older.db`)
    await tab.until(`${LANES} === "10"`)
    await tab.until(`document.querySelector(".toast").innerText.includes("were missed")`)
    await tab.until(`${BADGE} === "live"`)
  })

  test("a backup that was put back beneath the page: it shows what is there now, says so, and goes on", async () => {
    const [database, copy] = [`${folder.path}/restored.db`, `${folder.path}/copy.db`]
    const server = await serve({ database })
    const id = await running(server, 10)
    expect((await run(["backup", copy, "--database", database])).code).toBe(0)
    await server.put(id, { progress: 40 })
    await server.add({ song_id: 6, title: "Since the backup" })
    const tab = await open(server)
    await tab.until(`${LANES} === "40" && document.body.innerText.includes("Since the backup")`)
    await server.end("SIGTERM")
    expect((await run(["restore", copy, "--database", database])).code).toBe(0)
    const again = await serveAgain(server, database)
    await tab.until(`${LANES} === "10" && !document.body.innerText.includes("Since the backup")`)
    await tab.until(`document.querySelector(".toast")`)
    await again.put(id, { progress: 50 })
    await tab.until(`${LANES} === "50"`)
    await tab.until(`${BADGE} === "live"`)
  })

  test("a server that falls silent, and one that is gone: not live for long, stale in the end, right when it is back", async () => {
    await slow
  })
})
