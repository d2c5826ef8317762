import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import type { Counts } from "../../src/wire/answers.ts"
import { added } from "../contracts/store.contract.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import { Browser, hasChromium, HOST, type Tab } from "./browser.ts"

setDefaultTimeout(300_000)

const [WAITING, COMPLETED, FAILED] = [10_000, 2000, 500]

/** A database with a long queue: 10,000 items that wait, and 2,500 that finished within the last hour. */
async function fill(file: string): Promise<void> {
  const store = new SqliteStore(file)
  const nowMs = Date.now()
  const ended = (i: number) => ({
    started_at: new Date(nowMs - 1_000_000 - i).toISOString(),
    completed_at: new Date(nowMs - 900_000 - i).toISOString(),
    attempt: 1,
  })
  const waiting = Array.from({ length: WAITING }, (_, i) => ({ title: `Song number ${i + 1}` }))
  const completed = Array.from({ length: COMPLETED }, (_, i) => ({
    ...{ status: "completed" as const, outcome: "completed" as const, title: `Film ${i + 1}` },
    ...ended(i * 2),
  }))
  const failed = Array.from({ length: FAILED }, (_, i) => ({
    ...{ status: "failed" as const, outcome: "failed" as const, error_message: "out of disk" },
    ...ended(i * 8 + 1),
  }))
  for (const items of [waiting, completed, failed]) await Promise.all(items.map((item) => added(store, item)))
  await store.close()
}

const page = describe.skipIf(!hasChromium)
const folder = temporaryFolder()
let browser: Browser
let server: TestServer
let tab: Tab
beforeAll(async () => {
  if (!hasChromium) return
  const database = join(folder.path, "long.db")
  await fill(database)
  server = await start({ database })
  browser = await Browser.start()
  tab = await browser.open(server.url.replace("127.0.0.1", HOST))
})
afterAll(async () => {
  if (hasChromium) {
    await browser.stop()
    await server[Symbol.asyncDispose]()
  }
  folder[Symbol.dispose]()
})

/** The figures at the top of the page, and the numbers in its headings. */
const FIGURES = `[...document.querySelectorAll(".figure")].map((one) => one.innerText.replace(/\\s+/g, " "))`
const HEADINGS = `[...document.querySelectorAll(".section:not([hidden]) h2")].map((one) => one.textContent)`

const go = async (path: string): Promise<void> => {
  await tab.go(server.url.replace("127.0.0.1", HOST) + path)
  await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
}

page("a queue of 12,500 items", () => {
  test("is shown exactly, and so is every change of it", async () => {
    await tab.until(`${FIGURES}[1] === "10,000 waiting"`)
    expect(await tab.evaluate<string[]>(FIGURES)).toEqual([
      "0 running",
      "10,000 waiting",
      "2,000 completed, last hour",
      "500 failed, last hour",
    ])
    const exact = ["Failed, 500", "Running, ", "Waiting, 10,000", "Finished, 2,500"]
    await tab.until(`JSON.stringify(${HEADINGS}) === '${JSON.stringify(exact)}'`)
    const counts: Counts = await (await server.api("GET", "/queue/counts")).json()
    // Right after midnight all of it finished yesterday, and on a Monday that is last week.
    const week = counts.this_week.completed > 0 ? "This week " : "Nothing finished this week"
    const period = counts.today.completed > 0 ? "Today " : week
    expect(await tab.evaluate<string>(`document.querySelector(".lately").innerText`)).toStartWith(period)
    await server.api("DELETE", "/queue/9999")
    await tab.until(`${FIGURES}[1] === "9,999 waiting"`)
    await server.add({ song_id: 1, title: "The last song" })
    await tab.until(`${FIGURES}[1] === "10,000 waiting"`)
    // It is not among the first items, and is not placed behind the items that are known here.
    await tab.until(`document.querySelector(".waiting .more").innerText === "Show 160 more of 9,960"`)
  })

  test("has figures beside each other on a phone, of which none covers another", async () => {
    const overlaps = `(() => {
      const boxes = [...document.querySelectorAll(".figure .value, .figure .of")].map((one) => {
        const range = document.createRange()
        range.selectNodeContents(one)
        return range.getBoundingClientRect()
      })
      return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
        a.right > b.left && b.right > a.left && a.bottom > b.top + 1 && b.bottom > a.top + 1)).length
    })()`
    await tab.until(`${FIGURES}[1] === "10,000 waiting"`)
    for (const width of [390, 320]) {
      await tab.resize(width)
      await tab.until(`document.documentElement.clientWidth <= ${width}`)
      expect([width, await tab.evaluate<number>(overlaps)]).toEqual([width, 0])
      expect(await tab.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth")).toBe(true)
    }
    await tab.resize(1280)
  })

  test("finds item 9,000 by its title, and says how many were found", async () => {
    await tab.evaluate(`document.querySelector("#filter").focus()`)
    await tab.type("number 9000")
    await tab.until(`document.querySelector('.waiting [data-item="9000"]')`)
    expect(await tab.evaluate<string[]>(HEADINGS)).toEqual(["Waiting, 1 of 10,000"])
    expect(await tab.evaluate<string>("location.search")).toBe("?q=number+9000")
    // What happens to it is also shown here.
    await server.put(9000, { title: "Another number 9000" })
    await tab.until(`document.querySelector(".waiting .name").innerText === "Another number 9000"`)
  })

  test("is read on as far as the reader wants to see", async () => {
    await go("/?status=failed")
    await tab.until(`${HEADINGS}[0] === "Failed, 500"`)
    const rows = `document.querySelectorAll(".finished .row").length`
    await tab.until(`${rows} === 40`)
    for (const count of [200, 360, 500]) await tab.clickUntil(".finished .more", `${rows} === ${count}`)
    expect(await tab.evaluate<boolean>(`document.querySelector(".finished .more").hidden`)).toBe(true)
    await go("/?status=completed")
    await tab.until(`${rows} === 40`)
    // These are more than are read at once, and they are in order.
    for (let shown = 200; shown <= 680; shown += 160) {
      await tab.clickUntil(".finished .more", `${rows} === ${shown}`)
    }
    const names = await tab.evaluate<string[]>(
      `[...document.querySelectorAll(".finished .name")].map((one) => one.textContent)`,
    )
    expect(names).toEqual(Array.from({ length: 680 }, (_, i) => `Film ${i + 1}`))
  })

  test("is shown as its address says, and figures lead there and back", async () => {
    await go("/?q=film&status=completed")
    await tab.until(`${HEADINGS}.join() === "Completed, 500+ of 2,000"`)
    expect(await tab.evaluate<string>(`document.querySelector("#filter").value`)).toBe("film")
    await tab.click(".figure:nth-child(4)")
    await tab.until(`${HEADINGS}.join() === "Failed, 500"`)
    expect(await tab.evaluate<string>("location.search")).toBe("?status=failed")
    await tab.clickUntil(".figure:nth-child(4)", `${HEADINGS}.length === 4 && location.search === ""`)
    await tab.evaluate("history.back()")
    await tab.until(`${HEADINGS}.join() === "Failed, 500" && location.search === "?status=failed"`)
    await tab.click(".figure:nth-child(2)")
    await tab.until(`${HEADINGS}.join() === "Waiting, 10,000"`)
  })

  test("shows items as soon as they match the reader's choice, and removes those that no longer match", async () => {
    await go("/?status=failed")
    await tab.until(`${HEADINGS}.join() === "Failed, 500"`)
    const id = await server.add({ song_id: 1, title: "One more" })
    await server.put(id, { status: "processing" })
    await server.put(id, { status: "failed", error_message: "out of disk" })
    await tab.until(`${HEADINGS}.join() === "Failed, 501"`)
    await tab.until(`document.querySelector(".finished .row").dataset.item === "${id}"`)
    await server.api("POST", `/queue/${id}/retry`)
    await tab.until(`${HEADINGS}.join() === "Failed, 500"`)
    expect(await tab.evaluate<boolean>(`document.querySelector('[data-item="${id}"]') === null`)).toBe(true)
    expect(tab.complaints).toEqual([])
  })

  test("is selected as far as it is known, and says so", async () => {
    await go("/?status=waiting")
    await tab.until(`document.querySelectorAll(".waiting .row").length > 0`)
    await tab.click(".tools > button")
    const all = await tab.until<string>(`document.querySelector(".bulk button").innerText`)
    expect(all).toMatch(/^Select these [\d,]+$/)
    // What the buttons say stays within them on a phone.
    await tab.resize(390)
    const wide = `[...document.querySelectorAll(".bulk button")].filter((one) => one.scrollWidth > one.clientWidth).length`
    expect(await tab.evaluate<number>(wide)).toBe(0)
    await tab.resize(1280)
    await tab.click(".bulk button:nth-of-type(1)")
    const selected = all.replace("Select these ", "")
    await tab.until(`document.querySelector(".bulk p").innerText === "${selected} items selected"`)
    await tab.press("Escape")
  })

  test("counts what starts later as far as it is known, and says so", async () => {
    const later = await server.api("POST", "/queue", { song_id: 1, available_in: 3600, priority: 9 })
    const { id }: { id: number } = await later.json()
    await go("/")
    await tab.until(`${HEADINGS}.includes("Later, 1+")`)
    const numberIn = (text = ""): number => Number(text.replaceAll(",", "").match(/\d+$/)?.[0])
    const headings = await tab.evaluate<string[]>(HEADINGS)
    const more = await tab.evaluate<string>(`document.querySelector(".waiting .more").innerText`)
    // 40 items are shown, and the one that starts later is in a list of its own.
    expect(numberIn(headings.find((one) => one.startsWith("Waiting"))) - numberIn(more)).toBe(41)
    await server.api("DELETE", `/queue/${id}`)
  })

  test("shows the place of an item among all that wait, and not that another one was deleted", async () => {
    await go("/items/7")
    await tab.until(`/^7 of 10,00[01] in the queue$/.test(document.querySelector(".now .left").innerText)`)
    await server.api("DELETE", "/queue/3")
    await tab.until(`document.querySelector(".now .left").innerText.startsWith("6 of ")`)
    expect(await tab.evaluate<boolean>(`document.querySelector(".item .gone").hidden`)).toBe(true)
  })

  test("has its failures in front, although more has finished since than is known here", async () => {
    const read = await server.api("GET", "/queue?status=failed&limit=201")
    const { queue }: { queue: { id: number }[] } = await read.json()
    const ids = queue.map(({ id }) => id)
    await server.api("POST", "/queue/batch", { act: "delete", ids: ids.slice(0, 200) })
    await go("/")
    await tab.until(`${HEADINGS}[0] === "Failed, 300"`)
    await tab.until(`document.querySelector(".section.failed .row")?.dataset.item === "${ids[200]}"`)
  })

  test("is retried as far as it failed, known here or not", async () => {
    await go("/")
    await tab.until(`${HEADINGS}[0] === "Failed, 300"`)
    expect(await tab.evaluate<number>(`document.querySelectorAll(".section.failed .row").length`)).toBe(3)
    await tab.click(".section.failed .all")
    await tab.until(`${HEADINGS}.join() === "Failed, 300" && location.search === "?status=failed"`)
    await tab.evaluate("history.back()")
    await tab.until(`document.querySelector(".section.failed .all")?.innerText === "Show all 300"`)
    await tab.click(".section.failed .retry-all")
    await tab.until(`document.querySelector("dialog h2").innerText === "Retry 300 failed renders?"`)
    await tab.click("dialog [type=submit]")
    await tab.until(`document.querySelector(".toast p")?.innerText === "300 items are back in the queue"`)
    expect(await (await server.api("GET", "/queue/counts")).json()).toMatchObject({
      outcome: { failed: 0, cancelled: 0 },
    })
  })
})
