import { expect, test } from "bun:test"

import { type Tab } from "./browser.ts"
import { opening, page } from "./opening.ts"

const here = opening()
let tab: Tab

async function open(): Promise<void> {
  // The window is as high as the page: a page that becomes shorter would scroll by itself at its end.
  tab = await here.open("/", { height: 1600 })
}

const run = (id: number): Promise<void> => here.server.put(id, { status: "processing", progress: 40 })

async function finish(id: number, status: "completed" | "failed"): Promise<void> {
  await run(id)
  await here.server.put(id, { status, ...(status === "failed" && { error_message: "out of memory" }) })
}

const ITEMS = (rows: string): string =>
  `[...document.querySelectorAll(${JSON.stringify(rows)})].map(({ dataset }) => dataset.item).join()`

page("safe hands", () => {
  test("a double click on Retry changes one item", async () => {
    // The strip of failures is full before and after, so nothing else moves.
    for (const song_id of [1, 2, 3, 4, 5]) await finish(await here.server.add({ song_id }), "failed")
    await open()
    await tab.click(`.finished [data-item="5"] .quick`)
    // The list has moved up, so another item's button is under the pointer.
    await tab.until(`${ITEMS(".finished .row")} === "4,3,2,1"`)
    await tab.clickAgain()
    await tab.until(`document.querySelectorAll(".waiting .row").length === 1`)
    await Bun.sleep(500)
    expect((await here.server.item(4)).status).toBe("failed")
    // Later the same click counts.
    await tab.clickAgain()
    await tab.until(`document.querySelectorAll(".waiting .row").length === 2`)
  })

  test("a double click acts once, however slow the answer is, and not on what lies beneath what it has closed", async () => {
    await finish(await here.server.add({ song_id: 1 }), "failed")
    for (const song_id of [2, 3, 4, 5, 6]) await here.server.add({ song_id })
    const before = `{
      const ask = window.fetch
      window.acts = []
      window.fetch = (url, options) => {
        if (options?.method !== "GET") window.acts.push(new URL(url).pathname)
        return ask(url, options)
      }
    }`
    tab = await here.open("/", { height: 1600, before })
    await tab.send("Network.enable")
    const slow = { offline: false, latency: 1500, downloadThroughput: -1, uploadThroughput: -1 }
    await tab.send("Network.emulateNetworkConditions", slow)
    await tab.click(`.finished [data-item="1"] .quick`)
    await tab.clickAgain()
    // The clicks are slower than a double click, and still come before the answer.
    await Bun.sleep(500)
    await tab.clickAgain()
    await tab.until(`document.querySelectorAll(".waiting .row").length === 6`)
    expect(await tab.evaluate<string[]>("window.acts")).toEqual(["/api/v1/queue/1/retry"])
    await tab.until(`document.querySelectorAll(".toast").length === 1`)
    await tab.send("Network.emulateNetworkConditions", { ...slow, latency: 0 })
    // Under the entries of the menu are the buttons of other rows.
    await tab.openMenu(`.waiting [data-item="2"] [aria-haspopup]`)
    const cancel = `[...document.querySelectorAll("[role=menuitem]")].find((entry) => entry.innerText === "Cancel")`
    await tab.until(`${cancel}.setAttribute("id", "to-cancel") === undefined`)
    await tab.click("#to-cancel")
    await tab.clickAgain()
    await tab.until(`document.querySelector(".toast .undo")`)
    expect(await tab.evaluate<string[]>("window.acts.slice(1)")).toEqual(["/api/v1/queue/2/cancel"])
    expect(await tab.evaluate<boolean>(`document.querySelector("[role=menu]") === null`)).toBe(true)
    expect(await tab.evaluate<string>("location.pathname")).toBe("/")
  })

  test("to render a completed item again is asked for, and is not one key press away", async () => {
    await finish(await here.server.add({ song_id: 1, title: "Northern Lights" }), "completed")
    await open()
    await tab.click(`.finished .quick`)
    await tab.until(`document.querySelector("dialog").innerText.includes("Render Northern Lights again?")`)
    await tab.press("Enter")
    await tab.until(`!document.querySelector("dialog")`)
    expect((await here.server.item(1)).status).toBe("completed")
    await tab.click(`.finished .quick`)
    await tab.click("dialog [type=submit]")
    await tab.until(`document.querySelector(".waiting .row")`)
  })

  test("a waiting item that was cancelled is put back by Undo, at its place", async () => {
    for (const song_id of [1, 2]) await here.server.add({ song_id })
    const id = await here.server.add({ song_id: 3, title: "Northern Lights", priority: 4 })
    await here.server.api("POST", `/queue/${id}/move`, { before: 2 })
    await open()
    await tab.until(`${ITEMS(".waiting .row")} === "1,3,2"`)
    await tab.openMenu(`.waiting [data-item="${id}"] [aria-haspopup]`)
    await tab.press("ArrowDown")
    await tab.press("ArrowDown")
    await tab.press("Enter")
    await tab.until(`document.querySelector(".finished .row")?.innerText.includes("Cancelled")`)
    await tab.click(".toast .undo")
    await tab.until(`${ITEMS(".waiting .row")} === "1,3,2"`)
    expect(await here.server.item(id)).toMatchObject({ status: "queued", priority: 0 })
    // The keyboard alone would not reach the button in time, behind all rows.
    await tab.openMenu(`.waiting [data-item="${id}"] [aria-haspopup]`)
    await tab.until(`document.activeElement?.matches("[role=menuitem]")`)
    await tab.press("ArrowDown")
    await tab.press("ArrowDown")
    await tab.press("Enter")
    await tab.until(`document.querySelector(".finished .row")?.innerText.includes("Cancelled")`)
    await tab.until(`document.querySelector(".toast .undo")`)
    await tab.send("Input.dispatchKeyEvent", { type: "rawKeyDown", modifiers: 2, key: "z", code: "KeyZ" })
    await tab.until(`${ITEMS(".waiting .row")} === "1,3,2"`)
    expect(await tab.evaluate<boolean>(`document.querySelector(".toast .undo") === null`)).toBe(true)
  })

  test("no button acts within 400 ms of its row having moved", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id })
    await open()
    await tab.until(`document.querySelectorAll(".waiting .row").length === 3`)
    // The click comes with the move, however slow this machine is.
    await tab.evaluate(`void (window.clicked = new Promise((resolve) => {
      const row = document.querySelector('[data-item="1"]')
      const list = new MutationObserver(() => {
        if (${ITEMS(".waiting .row")} !== "2,1,3") return
        list.disconnect()
        row.querySelector(".quick").dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }))
        resolve(row.getAnimations().length)
      })
      list.observe(row.parentElement, { childList: true })
    }))`)
    await here.server.put(2, { priority: 1_000_000_000 })
    // The row glides there, so that the eye can follow.
    expect(await tab.evaluate<number>("window.clicked")).toBe(1)
    await Bun.sleep(450)
    expect([(await here.server.item(1)).priority, (await here.server.item(3)).priority]).toEqual([0, 0])
    // What is to be next is next, before an item of the highest priority, too.
    await tab.click(`[data-item="3"] .quick`)
    await tab.until(`${ITEMS(".waiting .row")} === "3,2,1"`)
  })

  test.each(["the news that the queue is paused", "another row of workers"])(
    "no button acts within 400 ms of all lists having moved, because %s appeared above them",
    async (what) => {
      // A worker that offers the tag, so that the items wait for it, and which asks for none.
      await here.server.api("POST", "/queue/claim", { worker: "cpu", tags: ["cpu"] })
      for (const song_id of [1, 2]) await here.server.add({ song_id, tags: ["cpu"] })
      const appear = (names: readonly string[]): void => {
        for (const worker of names)
          void here.server.api("POST", "/queue/claim", { worker, wait: 20 }).catch(() => undefined)
      }
      const isPause = what.includes("paused")
      appear(isPause ? [] : Array.from({ length: 5 }, (_, i) => `gpu-${i}`))
      await open()
      await tab.until(`document.querySelectorAll(".waiting .row").length === 2`)
      await tab.until(`document.querySelectorAll(".worker").length === ${isPause ? 1 : 6}`)
      await Bun.sleep(450)
      await tab.evaluate(`void (window.clicked = new Promise((resolve) => {
      const below = document.querySelector(".waiting")
      // Its place in the layout: what is shown may still glide there.
      const top = below.offsetTop
      const look = () => {
        if (below.offsetTop === top) return requestAnimationFrame(look)
        // After the frame in which it has moved.
        requestAnimationFrame(() => {
          below.querySelector(".quick").dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }))
          resolve(below.offsetTop - top)
        })
      }
      look()
    }))`)
      if (isPause) await here.server.api("POST", "/queue/pause")
      else appear(["gpu-7"])
      expect(await tab.evaluate<number>("window.clicked")).toBeGreaterThan(20)
      await Bun.sleep(450)
      expect((await here.server.item(2)).priority).toBe(0)
      await tab.click(`[data-item="2"] .quick`)
      await tab.until(`${ITEMS(".waiting .row")} === "2,1"`)
    },
  )

  test("a click counts as soon as the reader is back on the page of the queue, where nothing has moved", async () => {
    for (const song_id of [1, 2]) await here.server.add({ song_id })
    await here.server.api("POST", "/queue/pause")
    await open()
    await tab.until(`document.querySelector(".paused").checkVisibility()`)
    await tab.click(`[data-item="2"] .name`)
    await tab.until(`document.querySelector("main > .item")`)
    await Bun.sleep(450)
    await tab.evaluate(`(async () => {
      const frame = () => new Promise(requestAnimationFrame)
      history.back()
      while (!document.querySelector(".paused")) await frame()
      // After the frame in which it was drawn.
      await frame()
      await frame()
      document.querySelector('[data-item="2"] .quick').dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }))
    })()`)
    await tab.until(`${ITEMS(".waiting .row")} === "2,1"`, 5000)
  })
})

page("a list in which the pointer is", () => {
  test("keeps its order, counts new items, and follows when the pointer has left", async () => {
    for (const song_id of [1, 2]) await finish(await here.server.add({ song_id }), "completed")
    for (const song_id of [3, 4, 5]) await here.server.add({ song_id })
    await open()
    await tab.hover(`.finished [data-item="1"]`)
    const top = `document.querySelector('.finished [data-item="1"]').getBoundingClientRect().top`
    const before = await tab.evaluate<number>(top)
    for (const id of [3, 4]) await finish(id, "failed")
    await tab.until(`document.querySelector(".finished .news").innerText === "2 new"`)
    expect(await tab.evaluate<string>(ITEMS(".finished .row"))).toBe("2,1")
    expect(await tab.evaluate<number>(top)).toBe(before)
    await tab.hover("#brand")
    await tab.until(`${ITEMS(".finished .row")} === "4,3,2,1"`)
    expect(await tab.evaluate<boolean>(`document.querySelector(".finished .news").hidden`)).toBe(true)
    // Or when the reader asks for it.
    await tab.hover(`.finished [data-item="1"]`)
    await finish(5, "failed")
    await tab.click(".finished .news")
    await tab.until(`${ITEMS(".finished .row")} === "5,4,3,2,1"`)
  })

  test("keeps the place of an item that leaves", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id, title: `Song of ${song_id}` })
    await open()
    await tab.hover(`.waiting [data-item="3"]`)
    const topOf = (selector: string): string =>
      `document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().top`
    const top = `${topOf('.waiting [data-item="3"]')} - ${topOf(".waiting .items")}`
    const before = await tab.evaluate<number>(top)
    await run(1)
    await tab.until(`document.querySelector(".lane") && document.querySelector(".waiting .stand-in")`)
    expect(await tab.evaluate<string>(`document.querySelector(".waiting .stand-in").innerText`)).toBe(
      "Song of 1 · Running",
    )
    expect(await tab.evaluate<number>(top)).toBeCloseTo(before, 1)
    await tab.hover("#brand")
    await tab.until(`!document.querySelector(".stand-in") && ${ITEMS(".waiting .row")} === "2,3"`)
  })

  test("keeps its order when a list above it grows and pushes it away from under the pointer", async () => {
    for (const song_id of [1, 2, 3, 4]) await here.server.add({ song_id })
    await run(1)
    await open()
    await tab.until(`${ITEMS(".waiting .row")} === "2,3,4"`)
    await tab.hover(`.waiting [data-item="2"] .name`)
    const order = `[...document.querySelectorAll(".waiting .items > *")].map(({ dataset, className }) => dataset.item ?? className).join()`
    // In one frame, and in a later one.
    await run(3)
    await tab.until(`document.querySelectorAll(".lane").length === 2 && ${order} === "2,stand-in,4"`)
    await here.server.put(4, { priority: 5, title: "First" })
    await tab.until(`document.querySelector('.waiting [data-item="4"]').innerText.includes("First")`)
    expect(await tab.evaluate<string>(order)).toBe("2,stand-in,4")
    await tab.hover("#brand")
    await tab.until(`${order} === "4,2"`)
  })

  test("stands still for the keyboard as well", async () => {
    for (const song_id of [1, 2]) await finish(await here.server.add({ song_id }), "completed")
    const id = await here.server.add({ song_id: 3 })
    await open()
    await tab.until(`document.querySelector(".finished .row")`)
    await tab.press("Tab")
    await tab.evaluate(`document.querySelector('.finished [data-item="1"] .quick').focus()`)
    await finish(id, "completed")
    await tab.until(`document.querySelector(".finished .news").innerText === "1 new"`)
    await tab.evaluate(`document.querySelector("#add").focus()`)
    await tab.until(`${ITEMS(".finished .row")} === "3,2,1"`)
  })
})

/** Notes each size of the lanes, and the place of the list below them, as they are drawn. */
const NOTE = `(() => {
  window.sizes = []
  window.tops = new Set()
  const look = () => {
    const size = document.querySelector(".home").dataset.crowd ?? "few"
    if (window.sizes.at(-1) !== size) window.sizes.push(size)
    // The place of its layout, not its place while it glides.
    window.tops.add(document.querySelector(".waiting").offsetTop)
    requestAnimationFrame(look)
  }
  look()
})()`

page("at a hand-over between two items", () => {
  test.each([
    [1, "one"],
    [2, "few"],
    [7, "many"],
  ])("of %d workers nothing jumps", async (workers, size) => {
    for (let at = 0; at < workers + 10; at += 1) await here.server.add({ song_id: at + 1 })
    for (let id = 1; id <= workers; id += 1) await run(id)
    await open()
    await tab.until(`document.querySelectorAll(".lane").length === ${workers}`)
    await tab.evaluate(NOTE)
    for (let at = 1; at <= 10; at += 1) {
      await here.server.put(at, { status: "completed" })
      await tab.until(`!document.querySelector('.lane[data-item="${at}"]')`)
      await Bun.sleep(at * 25)
      await run(at + workers)
      await tab.until(`document.querySelector('.lane[data-item="${at + workers}"]')`)
    }
    expect(await tab.evaluate<string[]>("window.sizes")).toEqual([size])
    expect(await tab.evaluate<number[]>("[...window.tops]")).toHaveLength(1)
    // If there are many, each has one line.
    const height = await tab.evaluate<number>(`document.querySelector(".lane").offsetHeight`)
    expect(height < 70).toBe(workers >= 7)
  })

  test("a lane stays as high as it is, whatever it says", async () => {
    await run(await here.server.add({ song_id: 1, title: "One" }))
    await open()
    await tab.until(`document.querySelector(".lane")`)
    const heights = `[undefined, "one", "many"].map((crowd) => {
      const [home, lane] = [document.querySelector(".home"), document.querySelector(".lane")]
      if (crowd) home.dataset.crowd = crowd
      else delete home.dataset.crowd
      const heights = new Set()
      const says = (part, text) => (lane.querySelector(part).textContent = text)
      for (const title of ["One", "A title of many words, which needs two lines on a phone"])
        for (const [step, unit, message] of [["", "", ""], ["Video", "3 of 5 images", "Image 3 "], ["A step ".repeat(20), "3 of 5 images", "A message ".repeat(40)]])
          for (const [time, band, halt] of [["", "", ""], ["0:42 left, done at 14:32", "0:30 to 1:00", ""], ["", "", "No progress for 12 min"]]) {
            says(".name", title)
            says(".step", step)
            says(".unit", unit)
            says(".message", message)
            says(".time", time)
            says("small", band)
            says(".halt", halt)
            heights.add(lane.offsetHeight)
          }
      return heights.size
    })`
    for (const width of [1280, 820, 390]) {
      await tab.resize(width)
      expect(await tab.evaluate<number[]>(heights)).toEqual([1, 1, 1])
    }
  })

  test("the list of what is finished stays at its place, however many there are", async () => {
    await open()
    await tab.until(
      `document.querySelector(".section.finished .head").checkVisibility({ visibilityProperty: true })`,
    )
    const heights = `["", "7", "77", "777", "2,500", "12,500"].map((many) => {
      document.querySelector(".section.finished .count").textContent = many
      return document.querySelector(".section.finished .head").offsetHeight
    })`
    for (const width of [1440, 1400, 1360, 1320, 1280, 1240, 1100, 820, 390]) {
      await tab.resize(width)
      expect([width, new Set(await tab.evaluate<number[]>(heights)).size]).toEqual([width, 1])
    }
  })

  test("rows stay as high as they are, however long ago their items ended, and figures, however long their line is", async () => {
    for (const song_id of [1, 2]) await finish(await here.server.add({ song_id }), "completed")
    const id = await here.server.add({ song_id: 3 })
    await run(id)
    await here.server.put(id, { status: "failed", error_message: "No space left on the device. ".repeat(9) })
    await open()
    await tab.until(`document.querySelectorAll(".finished .row, .failed .row").length === 4`)
    const rows = `["1 s", "9 s", "59 s", "59 min", "9 h 59 min", "23 h", "6 d"].map((ago) =>
      [...document.querySelectorAll(".finished .row, .failed .row")].map((row) => {
        row.querySelector(".since").textContent = ago + " ago"
        return row.offsetHeight
      }).join())`
    const figures = `[1, 2, 9, 30].map((many) => {
      document.querySelector(".lately").textContent = "Today 41 completed ".repeat(many)
      return document.querySelector(".top").offsetHeight
    })`
    const heightsOf = async (drawn: string): Promise<number> =>
      new Set(await tab.evaluate<unknown[]>(drawn)).size
    for (const width of [1440, 1360, 1280, 1200, 1100, 820, 390]) {
      await tab.resize(width)
      // A phone shows all of the line.
      for (const drawn of width < 640 ? [rows] : [rows, figures])
        expect([width, await heightsOf(drawn)]).toEqual([width, 1])
    }
    // The room that this takes is not taken from the titles.
    await tab.resize(1280)
    expect(
      await tab.evaluate<number>(`document.querySelector(".finished .about").offsetWidth`),
    ).toBeGreaterThan(195)
  })

  test("the lanes grow once a single item has been running for a while", async () => {
    for (const song_id of [1, 2]) await run(await here.server.add({ song_id }))
    await open()
    await tab.until(`document.querySelectorAll(".lane").length === 2`)
    await tab.evaluate(NOTE)
    await here.server.put(1, { status: "completed" })
    await tab.until(`window.sizes.length === 2`, 12_000)
    expect(await tab.evaluate<string[]>("window.sizes")).toEqual(["few", "one"])
  })
})
