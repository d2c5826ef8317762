import { afterAll, beforeAll, expect, test } from "bun:test"

import { start } from "../server.ts"
import { hasChromium } from "./browser.ts"
import { opening, page } from "./opening.ts"

const here = opening()
let paced: Awaited<ReturnType<typeof begun>>

/** How long an item must have been running before its pace is known. */
const PACE_MS = 3100

/** A server with an item that a worker has begun, for a test in which the item must have run for a while. */
async function begun() {
  const server = await start()
  await server.add({ song_id: 5 })
  const claimed: { item: { id: number }; lease: { token: string } } = await (
    await server.api("POST", "/queue/claim", { worker: "gpu-1" })
  ).json()
  const told = { step: { index: 2, total: 5, name: "Images" }, unit: { done: 3, total: 9, name: "images" } }
  const report = async (progress: number): Promise<void> => {
    const path = `/queue/${claimed.item.id}/progress`
    await server.api("POST", path, { ...told, progress }, { lease: claimed.lease.token })
  }
  // The time until this report is the start-up, and no part of the pace.
  await report(0)
  return { server, report, startedMs: performance.now() }
}

beforeAll(async () => {
  if (hasChromium) paced = await begun()
})
afterAll(async () => {
  if (hasChromium) await paced.server[Symbol.asyncDispose]()
})

const text = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})?.innerText`

/** How much of a wave is uncovered, from 0 to 1. */
const UNCOVERED = `(() => {
  const { width, left } = document.querySelector(".wave").getBoundingClientRect()
  const { right } = document.querySelector(".wave-done").getBoundingClientRect()
  return (right - left) / width
})()`

page("the queue on the page", () => {
  test("a bar moves on each PUT, smoothly, with all that is known of the item", async () => {
    const id = await here.server.add({ song_id: 5, title: "Northern Lights" })
    const tab = await here.open()
    await tab.until(`${text(".waiting .row")}.includes("Northern Lights")`)
    await here.server.put(id, {
      status: "processing",
      progress: 20,
      current_step: "Rendering video",
      message: "Creating image 3 of 5",
    })
    await tab.until(`document.querySelector(".lane .wave")?.getAttribute("aria-valuenow") === "20"`)
    await tab.until(`Math.abs(${UNCOVERED} - 0.2) < 0.01`)
    const seen = await tab.evaluate<string>(text(".lane"))
    for (const part of ["Northern Lights", "20", "Rendering video", "Creating image 3 of 5", "elapsed"])
      expect(seen).toContain(part)

    await tab.evaluate(`(() => {
      window.seen = new Set()
      const look = () => {
        if (!document.querySelector(".wave")) return
        window.seen.add(${UNCOVERED}.toFixed(3))
        requestAnimationFrame(look)
      }
      look()
    })()`)
    await here.server.put(id, { progress: 80 })
    await tab.until(`Math.abs(${UNCOVERED} - 0.8) < 0.01`)
    expect(await tab.evaluate<number>("window.seen.size")).toBeGreaterThan(4)
    await tab.until(`document.title === "80% Northern Lights · Track Studio"`)

    await here.server.put(id, { status: "completed" })
    await tab.until(`${text(".finished .row")}.includes("Completed")`)
    expect(await tab.evaluate<number>(`document.querySelectorAll(".lane").length`)).toBe(0)
    // A screen reader hears of the end, but did not hear of each percent.
    await tab.until(`document.querySelector("#announcer").textContent === "Northern Lights is completed"`)
    expect(tab.complaints).toEqual([])
  })

  test("songs are added, moved, cancelled, retried and deleted from the page", async () => {
    const tab = await here.open()
    await tab.click("#add")
    await tab.type("12")
    await tab.press("Tab")
    await tab.type("Paper Boats")
    await tab.press("Enter")
    await tab.until(`${text(".waiting .row")}.includes("Paper Boats")`)
    expect(await tab.evaluate<string>("document.activeElement.id")).toBe("add")
    expect(await here.server.item(1)).toMatchObject({
      song_id: 12,
      title: "Paper Boats",
      priority: 0,
      max_attempts: 3,
    })

    await here.server.add({ song_id: 13, title: "Glasshouse" })
    await tab.until(`document.querySelectorAll(".waiting .row").length === 2`)
    await tab.click(`.row[data-item="2"] .quick`)
    await tab.until(`${text(".waiting .row")}.includes("Glasshouse")`)
    // The first item cannot be moved to the front.
    await tab.until(`document.querySelector('.row[data-item="2"] .quick').hidden`)
    expect(await (await here.server.api("GET", "/queue/next")).json()).toMatchObject({ id: 2, priority: 0 })

    await tab.openMenu(`.row[data-item="1"] [aria-haspopup]`)
    await tab.press("ArrowDown")
    await tab.press("Enter")
    await tab.until(`document.querySelector("dialog")`)
    await tab.evaluate(`document.activeElement.value = ""`)
    await tab.type("9")
    expect(await tab.evaluate<string>(text("dialog .hint"))).toContain("1st of 2")
    await tab.press("Enter")
    await tab.until(`${text(".waiting .row")}.includes("priority 9")`)

    await here.server.put(1, { status: "processing", progress: 30 })
    await tab.click(`.lane[data-item="1"] .quick`)
    expect(await tab.evaluate<string>(text("dialog"))).toContain("30% done")
    await tab.click("dialog button[type=submit]")
    await tab.until(`${text(".finished .row")}.includes("Cancelled")`)
    expect(await here.server.item(1)).toMatchObject({ status: "failed", outcome: "cancelled" })

    await tab.click(`.row[data-item="1"] .quick`)
    await tab.until(`document.querySelectorAll(".waiting .row").length === 2`)
    expect((await here.server.item(1)).status).toBe("queued")

    await tab.openMenu(`.row[data-item="1"] [aria-haspopup]`)
    await tab.press("ArrowUp")
    await tab.press("Enter")
    await tab.click("dialog button[type=submit]")
    await tab.until(`document.querySelectorAll(".waiting .row").length === 1`)
    // The focus stays although its row has disappeared.
    await tab.until(`document.activeElement.closest(".row")?.dataset.item === "2"`)
    expect((await here.server.api("GET", "/queue/1")).status).toBe(404)
    expect(tab.complaints).toEqual([])
  })

  test("the focus stays with an item whose button goes, or that moves to another list", async () => {
    const id = await here.server.add({ song_id: 5 })
    const claim = await here.server.api("POST", "/queue/claim", { worker: "gpu-1" })
    const { lease }: { lease: { token: string } } = await claim.json()
    const other = await here.server.add({ song_id: 6 })
    await here.server.put(other, { status: "processing" })
    const tab = await here.open()
    const focused = `document.activeElement.closest("[data-item]")`
    const cancel = async (item: number): Promise<void> => {
      await tab.until(`document.querySelector('.lane[data-item="${item}"] .quick')`)
      await tab.evaluate(`document.querySelector('.lane[data-item="${item}"] .quick').focus()`)
      await tab.press("Enter")
      await tab.until(`document.activeElement.closest("dialog")`)
      await tab.press("Tab")
      await tab.press("Enter")
    }
    await cancel(id)
    await tab.until(`document.querySelector('.lane[data-item="${id}"] .quick').hidden`)
    await tab.until(`${focused}?.dataset.item === "${id}" && document.activeElement.ariaHasPopup === "menu"`)
    await cancel(other)
    await tab.until(`${focused}?.matches('.finished [data-item="${other}"]')`)
    await here.server.api("POST", `/queue/${id}/fail`, { error_message: "stopped" }, { lease: lease.token })
    await tab.evaluate(`document.querySelector('.finished [data-item="${other}"] .quick').focus()`)
    await tab.press("Enter")
    await tab.until(`${focused}?.matches('.waiting [data-item="${other}"]')`)
  })

  test("a refusal is shown in the server's words, and a filter finds", async () => {
    await here.server.add({ song_id: 5, title: "Northern Lights" })
    const id = await here.server.add({ song_id: 6, title: "Copper Sky" })
    const tab = await here.open()
    await tab.evaluate(`document.querySelector("#filter").focus()`)
    await tab.type("copper")
    await tab.until(`document.querySelectorAll(".waiting .row").length === 1`)
    // Whether it is found or not, it is still the second item of the queue.
    expect(await tab.evaluate<string>(text(".waiting .row .place"))).toBe("2")
    await tab.evaluate(`document.querySelector("#filter").value = ""`)
    await tab.type("north")
    await tab.until(`${text(".waiting")}.includes("Northern") && !${text(".waiting")}.includes("Copper")`)
    await tab.type("x")
    await tab.until(`${text(".home > .none span")} === "Nothing matches “northx”."`)
    // If only items of another standing match, the page says so, and leads there.
    const failures = await here.open("/?q=copper&status=failed")
    const said = "No failed item matches “copper”, but others do. Show them"
    await failures.until(`${text(".finished .none")} === "${said}"`)
    await failures.click(".finished .none a")
    await failures.until(`document.querySelectorAll(".waiting .row").length === 1`)
    await tab.evaluate(
      `(() => { const input = document.querySelector("#filter"); input.value = ""; input.dispatchEvent(new Event("input")) })()`,
    )
    await tab.openMenu(`.row[data-item="${id}"] [aria-haspopup]`)
    const rename = `[...document.querySelectorAll("[role=menuitem]")].find((entry) => entry.innerText === "Rename…")`
    await tab.until(`${rename}.setAttribute("id", "to-rename") === undefined`)
    await tab.click("#to-rename")
    await tab.until(`document.activeElement.matches("dialog input")`)
    await tab.type("Other")
    await here.server.api("DELETE", `/queue/${id}`)
    await tab.until(`document.querySelectorAll(".waiting .row").length === 1`)
    await tab.press("Enter")
    expect(await tab.until<string>(text("dialog .problem"))).toBe("Queue item 2 does not exist")
  })
})

page("a worker's report", () => {
  test("shows its step, what is counted, and the time left, which counts down", async () => {
    const tab = await here.open("/", { timeZone: "Asia/Tokyo" }, paced.server)
    await tab.until(`${text(".lane")}.includes("gpu-1")`)
    await Bun.sleep(paced.startedMs + PACE_MS - performance.now())
    await paced.report(20)
    await tab.until(text(".lane .left .time"))
    const left = await tab.evaluate<string>(text(".lane .left"))
    expect(left).toMatch(/^\d+:\d\d left, done at \d\d:\d\d$/)
    const end = left.slice(-5)
    await tab.until(`document.title === "20% Song 5, done at ${end} · Track Studio"`)
    // By the clock of the reader's browser, in any time zone.
    const inTokyo = (ms: number): string => new Date(ms + 9 * 3_600_000).toISOString().slice(11, 13)
    expect([inTokyo(Date.now()), inTokyo(Date.now() + 60_000)]).toContain(end.slice(0, 2))
    expect(await tab.evaluate<string>(text(".lane .foot"))).toContain("Step 2 of 5: Images")
    expect(await tab.evaluate<string>(text(".lane .foot"))).toContain("3 of 9 images")
    await tab.until(`${text(".lane .left")} !== ${JSON.stringify(left)}`)
    await tab.click(".lane .name")
    await tab.until(`${text(".now .left")}?.includes("left, done at")`)
  })
})

page("an item's page", () => {
  test("shows its history as it goes on, draws it, and is there after a reload", async () => {
    const more = { metadata: { album: "Signal" }, kind: "song video", totals: { seconds: 1212.5, images: 5 } }
    const id = await here.server.add({ song_id: 5, title: "Tidelines", ...more })
    await here.server.put(id, { status: "processing", progress: 5, current_step: "Images" })
    for (const progress of [10, 20, 30]) await here.server.put(id, { progress, current_step: "Images" })
    const tab = await here.open()
    await tab.click(".lane .name")
    await tab.until(`location.pathname === "/items/${id}"`)
    await tab.until(`${text(".timeline")}?.includes("Attempt 1 started")`)
    expect(await tab.evaluate<string>("document.activeElement.tagName")).toBe("H1")
    await tab.evaluate(`getSelection().selectAllChildren(document.querySelector(".facts pre"))`)
    await here.server.put(id, { progress: 60, current_step: "Video" })
    await tab.until(`${text(".timeline > li")}.includes("Video")`)
    // A report takes no facts away from a reader who selects them.
    expect(await tab.evaluate<string>("String(getSelection())")).toContain("Signal")
    await tab.until(`document.querySelector(".plot .area .line")?.getAttribute("d").split("L").length >= 5`)
    const facts = await tab.evaluate<string>(text(".facts"))
    for (const fact of ["Signal", "song video", "1,212.5 seconds, 5 images"]) expect(facts).toContain(fact)
    await here.server.put(id, { status: "failed", error_message: "out of memory\nat frame 12" })
    await tab.until(`${text(".failure pre")} === "out of memory\\nat frame 12"`)
    await tab.until(`${text(".timeline > li")}.startsWith("Failed")`)

    // The last report holds until now, and is drawn like that.
    const still = await here.server.add({ song_id: 6 })
    await here.server.put(still, { status: "processing", progress: 40 })
    const single = await here.open(`/items/${still}`)
    await single.until(`document.querySelector(".plot .area .line")?.getAttribute("d").includes("L")`)
    await here.server.put(still, { status: "failed" })
    const again = await here.open(`/items/${id}`)
    await again.until(`${text("h1")} === "Tidelines" && ${text(".timeline")}.includes("10 to 30%")`)
    await again.until(`${text(".buttons button")} === "Retry"`)
    await again.clickUntil(".buttons button", `${text(".item-head .chip")} === "Waiting"`)
    await tab.show()
    await tab.until(`${text(".item-head .chip")} === "Waiting"`)
    await tab.evaluate("history.back()")
    await tab.until(`document.querySelector(".waiting .row")`)
    expect([...tab.complaints, ...again.complaints]).toEqual([])
  })

  test("leaves the focus on the link to it once the reader is back in the queue", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id })
    const failed = await here.server.add({ song_id: 4 })
    await here.server.put(failed, { status: "processing" })
    await here.server.put(failed, { status: "failed", error_message: "disk full" })
    const tab = await here.open()
    // A failed item stands on the page twice.
    for (const row of [".waiting [data-item='2']", ".failed.section .row", ".finished .row"]) {
      await tab.click(`${row} .name`)
      await tab.until(`document.activeElement.matches(".item h1")`)
      await tab.evaluate("history.back()")
      await tab.until(`document.activeElement === document.querySelector("${row} .name")`)
    }
    await tab.click(".waiting [data-item='2'] .name")
    await tab.until(`document.activeElement.matches(".item h1")`)
    await here.server.api("DELETE", "/queue/2")
    await tab.until(`${text(".gone")}.includes("was deleted")`)
    await tab.evaluate("history.back()")
    await tab.until(`document.activeElement.matches(".home h1")`)
    expect(tab.complaints).toEqual([])
  })

  test("says that there is no such item, or that it was deleted", async () => {
    const tab = await here.open("/items/99", { bypassPolicy: true })
    await tab.until(`${text(".gone")}.includes("no item 99")`)
    expect(await tab.objections()).toEqual([])
    // The last one is so large that it cannot be distinguished from its neighbours.
    for (const id of ["abc", "9007199254740993"]) {
      await tab.go(tab.at(`/items/${id}`))
      await tab.until(`${text(".gone")}.includes("No such item")`)
    }
    await tab.click(".gone a")
    await tab.until(`document.querySelector("#filter")`)
    const id = await here.server.add()
    const other = await here.open(`/items/${id}`)
    await other.until(`${text("h1")} === "Song 1"`)
    await here.server.api("DELETE", `/queue/${id}`)
    await other.until(`${text(".gone")}.includes("was deleted")`)
    expect(await other.evaluate<number>(`document.querySelectorAll(".item-head button").length`)).toBe(0)
  })
})

page("the badge", () => {
  test("shows its facts as soon as it is opened", async () => {
    const tab = await here.open()
    const told = `(() => { document.querySelector("#badge").click(); return ${text("#facts")} })()`
    expect(await tab.evaluate<string>(told)).toContain("Confirmed")
  })
})
