import { expect, test } from "bun:test"

import { claim } from "../worker.ts"
import { opening, page } from "./opening.ts"

const here = opening()

/** Notes what moves by itself. The answer about the reader's rights, and the history, come late. */
const before = (historyMs: number): string => `{
  window.shifts = []
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) window.shifts.push({
      value,
      // What was below the window before only appears.
      moved: sources.filter(({ previousRect }) => previousRect.height > 0)
        .map(({ node }) => node?.className || node?.tagName || "").join(" "),
    })
  }).observe({ type: "layout-shift", buffered: true })
  const ask = window.fetch
  const late = { me: 900, updates: ${historyMs}, output: 200 }
  window.fetch = async (url, options) => {
    const answer = await ask(url, options)
    const waitMs = late[new URL(url).pathname.split("/").at(-1)]
    if (waitMs) await new Promise((resolve) => setTimeout(resolve, waitMs))
    return answer
  }
}`

interface Shift {
  readonly value: number
  readonly moved: string
}

/** A button of each kind, and each part of an item's page. */
async function fill(): Promise<void> {
  for (const song_id of [1, 2, 3, 4, 5]) await here.server.add({ song_id, title: `Song ${song_id}` })
  const work = await claim(here.server)
  if (work === null) throw new Error("no item was claimed")
  await work.say("progress", { progress: 40 })
  const url = `${here.server.url}/api/v1/queue/${work.id}/output`
  const body = "frame 1\nframe 2\n".repeat(20)
  const { ok } = await fetch(url, { method: "POST", body, headers: { lease: work.lease.token } })
  expect(ok).toBe(true)
  await work.say("complete")
  await here.server.put(2, { status: "processing" })
  await here.server.put(2, { status: "failed", error_message: "out of memory" })
  await here.server.put(3, { status: "processing", progress: 20 })
}

page("while it loads", () => {
  for (const [what, path, historyMs, last] of [
    [
      "the queue",
      "/",
      300,
      `!document.querySelector(".retry-all").checkVisibility({ visibilityProperty: true })`,
    ],
    ["an item", "/items/1", 300, `!document.querySelector(".item-head button:nth-child(2)")`],
    // The history is then known before the item.
    [
      "an item with a short history",
      "/items/1",
      0,
      `!document.querySelector(".item-head button:nth-child(2)")`,
    ],
    [
      "an item that runs and has a history that comes late",
      "/items/3",
      1500,
      `!document.querySelector("[aria-labelledby=heading-history] li")`,
    ],
  ] as const) {
    test(`nothing on the page of ${what} moves, however late its parts are known`, async () => {
      await fill()
      const tab = await here.open(path, { before: before(historyMs) })
      await tab.until(`!(${last})`)
      await tab.until(`document.querySelector("[data-blank]") === null`)
      // What has moved is reported a frame later.
      await tab.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50)))")
      const shifts = await tab.evaluate<Shift[]>("window.shifts")
      // The badge becomes wider with what it says.
      expect(shifts.filter(({ moved, value }) => moved !== "badge" && moved !== "" && value > 0.001)).toEqual(
        [],
      )
    })
  }

  test("the history of an item whose command prints nothing appears soon", async () => {
    await fill()
    const tab = await here.open("/items/3")
    await tab.until(
      `document.querySelector("#heading-history").checkVisibility({ visibilityProperty: true })`,
    )
    expect(await tab.evaluate(`document.querySelector(".output").hidden`)).toBe(true)
  })
})
