import { expect, test } from "bun:test"

import { opening, page } from "./opening.ts"

const here = opening()

const text = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})?.innerText`

const HOSTILE = [
  `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`,
  `"><svg onload=alert(1)> javascript:alert(1) \u202egnirts \u2028 \ud83d\ude80 ${"W".repeat(300)}`,
]

/** Fills the queue with everything that a page may have to show. */
async function fill(): Promise<number> {
  for (const title of HOSTILE) {
    const id = await here.server.add({
      song_id: 7,
      title,
      tags: HOSTILE.map((tag) => tag.slice(0, 60)),
      metadata: { [title]: title },
    })
    await here.server.put(id, { status: "processing", progress: 40, current_step: title, message: title })
    await fetch(`${here.server.url}/api/v1/queue/${id}/ingest/lines`, { method: "POST", body: `${title}\n` })
    await here.server.put(id, { status: "failed", error_message: title.repeat(20) })
    const running = await here.server.add({ song_id: 8, title })
    await here.server.put(running, {
      status: "processing",
      progress: 40,
      current_step: title,
      message: title,
    })
    await here.server.add({ song_id: 9, title, priority: -1_000_000_000, tags: [title.slice(0, 64)] })
  }
  return 1
}

page("what the page must bear", () => {
  test("hostile text is shown as text and nothing else", async () => {
    const id = await fill()
    for (const path of ["/", `/items/${id}`]) {
      const tab = await here.open(path)
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

  test("nothing is wider than the screen, however narrow that is, and paper has no buttons", async () => {
    const id = await fill()
    const tab = await here.open()
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
    // On paper no button of an act is left.
    await tab.send("Emulation.setEmulatedMedia", { media: "print" })
    const buttons = `[...document.querySelectorAll("button")].filter((one) => one.checkVisibility()).map((one) => one.id)`
    expect(await tab.evaluate<string[]>(buttons)).toEqual(["badge"])
  })

  test("nothing is wider than the screen if text is twice as large", async () => {
    const id = await fillAll()
    await here.server.api("POST", "/queue/claim", { worker: "render-node-of-the-studio" })
    const before = `addEventListener("DOMContentLoaded", () => document.documentElement.style.setProperty("font-size", "30px"))`
    for (const width of [390, 820, 1280]) {
      const tab = await here.open("/", { width, before })
      await tab.until(`document.querySelector(".lane") && document.querySelector(".worker")`)
      for (const shown of [".finished .row", ".timeline li"]) {
        await tab.until(`document.querySelector(${JSON.stringify(shown)})`)
        const over = `document.documentElement.scrollWidth - document.documentElement.clientWidth`
        expect([width, shown, await tab.evaluate<number>(over)]).toEqual([width, shown, 0])
        if (shown !== ".timeline li") await tab.go(tab.at(`/items/${id}`))
      }
    }
  })
})

/** Like `fill`, with items of every outcome. */
async function fillAll(): Promise<number> {
  const id = await fill()
  for (const ending of ["retrying", "completed"]) {
    const other = await here.server.add({ song_id: 3 })
    await here.server.put(other, { status: "processing" })
    await here.server.put(other, { status: ending })
  }
  await here.server.add({ song_id: 4, available_in: 3600 })
  return id
}

page("axe finds nothing to object to", () => {
  test.each([
    ["dark, then light", { dark: true }],
    ["light, then dark, on a phone", { dark: false, phone: true }],
  ])("in what is shown, %s", async (_name, options) => {
    const id = await fillAll()
    const tab = await here.open("/", { ...options, bypassPolicy: true })
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
    await here.server.api("POST", "/queue/pause")
    await here.server.api("POST", "/queue/claim", { worker: "gpu-1", tags: ["gpu"], version: "1.2.3" })
    await here.server.add({ song_id: 5, tags: ["4k"] })
    const tab = await here.open("/", { bypassPolicy: true })
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
    const tab = await here.browser.open(here.server.url + path, { bypassPolicy: true })
    expect(await tab.objections()).toEqual([])
    await tab.colours(true)
    await tab.resize(390)
    expect(await tab.objections()).toEqual([])
    // On a phone, too, each sentence has the room of a line, and nothing is wider than the page.
    const narrow = `[...document.querySelectorAll("td:last-child")].filter((one) => one.offsetWidth < 250).length`
    const wide = `document.documentElement.scrollWidth - innerWidth`
    expect(await tab.evaluate<number[]>(`[${narrow}, Math.max(0, ${wide})]`)).toEqual([0, 0])
    await tab.close()
  })

  test("in menus and dialogs", async () => {
    await fillAll()
    const tab = await here.open("/", { bypassPolicy: true })
    await tab.click("#badge")
    await tab.until(`${text("#facts")}.includes("Confirmed")`)
    expect(await tab.objections()).toEqual([])
    await tab.press("Escape")
    await tab.openMenu(".finished .row [aria-haspopup]")
    expect(await tab.objections()).toEqual([])
    await tab.press("Escape")
    await tab.evaluate(`document.querySelector(".waiting .row [aria-haspopup]").click()`)
    await tab.evaluate(
      `[...document.querySelectorAll(".menu button")].find((one) => one.innerText === "Cancel").click()`,
    )
    await tab.until(`document.querySelector(".toast .undo")?.parentElement.getAnimations().length === 0`)
    for (const isDark of [true, false]) {
      await tab.colours(isDark)
      await tab.until(
        `[...document.querySelectorAll("button")].every((one) => one.getAnimations().length === 0)`,
      )
      expect(await tab.objections()).toEqual([])
    }
    await tab.click("#add")
    await tab.until(`document.querySelector("dialog").getAnimations().length === 0`)
    expect(await tab.objections()).toEqual([])
  })
})
