import { afterAll, beforeEach, expect, test } from "bun:test"

import { Client } from "../../../src/client/client.ts"
import { type Tab } from "../browser.ts"
import { addressOf, opening, page } from "../opening.ts"

const here = opening()
let client: Client
let tab: Tab
const leaving = new AbortController()
afterAll(() => leaving.abort())
beforeEach(async () => {
  client = new Client(here.server.url)
  tab = await here.open()
})

const text = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})?.textContent`

/** A worker that waits for an item with this tag. */
const wait = (worker: string, tag: string) =>
  client.claim({ worker, wait: 30, tags: [tag], version: "1.2.3" }, leaving.signal).catch(() => null)

page("the strip of workers", () => {
  test("is shown by an empty box with the command that starts a worker", async () => {
    await tab.until(`${text(".running .empty p")} === "Nothing is rendering. Start a worker:"`)
    // The parts of the page appear together, a moment after the first one has its words.
    await tab.until(`document.querySelector("#heading-running").innerText === "Running"`)
    expect(await tab.evaluate<string>(text(".running .empty code"))).toBe(
      `track-studio work --server ${addressOf(here.server)} --exec ./render.sh`,
    )
    await here.server.add({ song_id: 1, tags: ["cpu"] })
    await tab.until(`${text(".running .empty p")} === "1 song waits for a worker. Start one:"`)
    expect(await tab.evaluate<string>(text(".running .empty code"))).toContain(" --tags cpu --exec ")
    void wait("gpu-1", "gpu")
    await tab.until(`${text(".running .empty p")} === "Nothing is rendering. 1 worker is ready."`)
    expect(await tab.evaluate<boolean>(`document.querySelector(".running .empty code").hidden`)).toBe(true)
  })

  test("is not needed to see on the page of an item that no worker runs", async () => {
    const id = await here.server.add({ song_id: 1, tags: ["cpu"] })
    await tab.go(tab.at(`/items/${id}`))
    await tab.until(`${text(".now .elapsed")}.endsWith(", no worker runs")`)
    // A worker that could not take it is another reason.
    void wait("gpu-1", "gpu")
    await tab.until(`${text(".now .elapsed")} === "No worker offers cpu"`)
  })

  test("stands in a strip: idle, then rendering, with its tags and its version, and is drained from there", async () => {
    const waiting = wait("gpu-1", "gpu")
    await tab.until(`/^gpu-1 idle \\d+ s$/.test(${text(".worker")})`)
    const id = await here.server.add({ song_id: 3, title: "Northern Lights", tags: ["gpu"] })
    const claimed = await waiting
    if (claimed === null || claimed === "drain") throw new Error("nothing was claimed")
    const held = { id, token: claimed.lease.token }
    await client.report(held, { progress: 54 })
    await tab.until(`${text(".worker")} === "gpu-1 #${id} 54%"`)
    await tab.click(".worker")
    const facts = await tab.until<string>(text(".workers-strip .stream-facts dl"))
    for (const fact of [`#${id} Northern Lights, 54%`, "gpu", "1.2.3"]) expect(facts).toContain(fact)
    // It follows the worker while it is open, and the focus stays on the link.
    await tab.evaluate(`document.querySelector(".workers-strip .stream-facts a").focus()`)
    // It says the same as the item's lane, at any moment.
    await tab.evaluate(`void (window.together = new Promise((resolve) => {
      const lane = document.querySelector(".lane .number")
      const told = () => resolve(document.querySelector(".worker .meta").textContent + ", lane " + lane.textContent)
      new MutationObserver(told).observe(lane, { childList: true })
    }))`)
    await client.report(held, { progress: 60 })
    expect(await tab.evaluate<string>("window.together")).toBe(`#${id} 60%, lane 60`)
    await tab.until(`${text(".workers-strip .stream-facts dl")}.includes("#${id} Northern Lights, 60%")`)
    expect(await tab.evaluate<boolean>(`document.activeElement.matches(".stream-facts a")`)).toBe(true)
    await client.drain("gpu-1")
    const act = text(".workers-strip .stream-facts .buttons button")
    await tab.until(`${act} === "Take items again"`)
    await client.undrain("gpu-1")
    await tab.until(`${act} === "Finish, then stop"`)
    // Another button that appears beneath the finger does nothing for a moment.
    await Bun.sleep(450)
    await tab.click(".workers-strip .stream-facts .buttons button")
    await tab.until(`${text(".worker")} === "gpu-1 stopping (#${id}\u00a060%)"`)
    await tab.evaluate(`(() => {
      window.said = new Set()
      const note = () => window.said.add(document.querySelector(".worker .meta").textContent)
      new MutationObserver(note).observe(document.querySelector(".workers"), { subtree: true, childList: true, characterData: true })
    })()`)
    expect(await client.complete(held)).toMatchObject({ drain: true })
    await tab.until(`!${text(".worker")}.includes("#")`)
    expect(await tab.evaluate<string[]>("[...window.said]")).not.toContain(`stopping (#${id}\u00a0100%)`)
    await tab.click(".worker")
    await tab.click(".workers-strip .stream-facts .buttons button")
    await tab.until(`!/stopping|drained/.test(${text(".worker")})`)
    expect((await client.workers())[0]).toMatchObject({ draining: false })
    expect(tab.complaints).toEqual([])
  })

  test("names the tags of an item that no worker offers, and puts the item apart", async () => {
    void wait("gpu-1", "gpu")
    await here.server.add({ song_id: 1, title: "Small", tags: ["gpu", "4k"] })
    await here.server.add({ song_id: 2, title: "Smaller", tags: ["cpu"], priority: 9 })
    await tab.until(`document.querySelectorAll(".later .row").length === 2`)
    const reasons = `[...document.querySelectorAll(".later .since")].map((one) => one.textContent).join("; ")`
    await tab.until(`${reasons} === "No worker offers cpu; No worker offers 4k"`)
    void wait("gpu-2", "cpu")
    await tab.until(`document.querySelectorAll(".later .row").length === 1`)
  })

  test("shows seven workers side by side, and never has to be scrolled with a mouse", async () => {
    for (let i = 1; i <= 7; i += 1) void wait(`gpu-box-${i}`, "gpu")
    for (let i = 1; i <= 7; i += 1) {
      const id = await here.server.add({ song_id: i, tags: ["gpu"] })
      await tab.until(`${text(".workers-strip")}.includes("#${id} 0%")`)
    }
    for (const [width, rows] of [
      [1440, 1],
      [1280, 2],
      [820, 2],
      [640, 3],
    ] as const) {
      await tab.resize(width)
      const tops = `new Set([...document.querySelectorAll(".worker")].map((one) => one.getBoundingClientRect().top)).size`
      const over = `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector(".workers-strip"))`
      const cut = `[...document.querySelectorAll(".worker .start")].filter((one) => one.scrollWidth > one.clientWidth).length`
      expect([width, ...(await tab.evaluate<number[]>(`[${tops}, ${over}, ${cut}]`))]).toEqual([
        width,
        rows,
        0,
        0,
      ])
    }
    // What a worker does is cut before its name, by which it is known.
    for (let i = 1; i <= 7; i += 1) await client.drain(`gpu-box-${i}`)
    await tab.until(`document.querySelectorAll(".worker[data-state=draining]").length === 7`)
    const parts = `[...document.querySelectorAll(".worker .cut-name, .worker .start")]`
    expect(
      await tab.evaluate<number>(`${parts}.filter((one) => one.scrollWidth > one.clientWidth).length`),
    ).toBe(0)
    // That it stops is seen whole, and beside it either all of the rest or nothing of it.
    const partly = `[...document.querySelectorAll(".worker .meta")].filter((one) => {
      const range = document.createRange()
      range.setStart(one.firstChild, 0)
      range.setEnd(one.firstChild, "stopping".length)
      const [box, word, { bottom }] = [one, range, one.closest("button")].map((part) => part.getBoundingClientRect())
      const isWhole = word.height > 0 && word.right <= box.right + 1 && word.bottom <= bottom && word.bottom <= box.bottom + 1
      return !isWhole || one.scrollWidth > one.clientWidth
    }).length`
    for (const width of [640, 820, 1280, 1440]) {
      await tab.resize(width)
      expect([width, await tab.evaluate<number>(partly)]).toEqual([width, 0])
    }
  })

  test("keeps a worker that goes for as long as its panel is open, though others would take its place", async () => {
    for (let i = 1; i <= 12; i += 1) void wait(`gpu-${i}`, "gpu")
    const names = `[...document.querySelectorAll(".worker .cut-name")].map((one) => one.textContent).join(" ")`
    await tab.until(`document.querySelectorAll(".worker").length === 8`)
    const state = text(".workers-strip .stream-facts dd")
    const hasGpu1 = `${names}.split(" ").includes("gpu-1")`
    await tab.clickUntil(".worker", `${state} === "Idle"`)
    await tab.evaluate(`{
      const ask = window.fetch
      window.seen = (worker) => ({ ...worker, state: "away" })
      window.fetch = async (url, options) => {
        const answer = await ask(url, options)
        if (!String(url).endsWith("/workers")) return answer
        const { workers } = await answer.json()
        return Response.json({ workers: workers.flatMap((one) => (one.worker === "gpu-1" ? window.seen(one) : [one])) })
      }
    }`)
    await tab.until(`${state} === "Away"`, 20_000)
    await tab.evaluate("void (window.seen = () => [])")
    await tab.until(`${state} === "Gone"`, 20_000)
    expect(await tab.evaluate<boolean>(hasGpu1)).toBe(true)
    await tab.press("Escape")
    await tab.evaluate("document.activeElement.blur()")
    await tab.hover("#badge")
    await tab.until(`!(${hasGpu1})`)
  })

  test("does not cut the names of a few workers, however wide the page is", async () => {
    for (const name of ["studio-1", "gpu-box.studio.example.org", "mac"]) void wait(name, "gpu")
    const cut = `[...document.querySelectorAll(".worker .start")].filter((one) => one.scrollWidth > one.clientWidth).length`
    await tab.until(`document.querySelectorAll(".worker").length === 3`)
    for (const width of [1440, 1280, 820]) {
      await tab.resize(width)
      expect([width, await tab.evaluate<number>(cut)]).toEqual([width, 0])
    }
  })

  test("cuts a long name in its middle, and not what the worker renders", async () => {
    for (const end of ["0001", "0002", "0003", "0004"]) void wait(`${"render-node-".repeat(4)}${end}`, "gpu")
    await tab.until(`document.querySelectorAll(".worker").length === 4`)
    const cut = `[...document.querySelectorAll(".worker .meta")].filter((one) => {
      one.textContent = "#123 100%"
      return one.scrollWidth > one.clientWidth
    }).length`
    for (const width of [1440, 820]) {
      await tab.resize(width)
      expect([width, await tab.evaluate<number>(cut)]).toEqual([width, 0])
    }
  })

  test("has the first worker at once, also while the reader is in a list", async () => {
    await here.server.add({ song_id: 1, tags: ["cpu"] })
    await tab.until(`document.querySelector(".workers-strip").innerText === "No workers"`)
    await tab.hover(".later .row, .waiting .row")
    void wait("gpu-1", "gpu")
    await tab.until(`document.querySelector(".workers-strip").innerText.startsWith("gpu-1")`)
  })

  test("moves nothing while the reader is in a list, and has the new worker afterwards, to which the lists below glide", async () => {
    await tab.resize(1440)
    const names = Array.from({ length: 7 }, (_, i) => `gpu-${i + 1}`)
    for (const name of names) void wait(name, "gpu")
    await here.server.add({ song_id: 1, tags: ["cpu"] })
    const shown = `[...document.querySelectorAll(".worker .cut-name")].map((one) => one.textContent).join()`
    await tab.until(`${shown} === "${names}"`)
    const top = `document.querySelector(".running").getBoundingClientRect().top`
    await tab.hover(".later .row")
    const before = await tab.evaluate<number>(top)
    void wait("gpu-8", "gpu")
    while ((await client.workers()).length < 8) await Bun.sleep(20)
    // What the others do is shown, so the strip has been drawn since.
    const id = await here.server.add({ song_id: 2, tags: ["gpu"] })
    await tab.until(`document.querySelector(".workers-strip").textContent.includes("#${id} 0%")`)
    expect(await tab.evaluate<string>(shown)).toBe(`${names}`)
    expect(await tab.evaluate<number>(top)).toBe(before)
    // The page may be scrolled for the pointer.
    const place = `document.querySelector(".running").offsetTop`
    const placeBefore = await tab.evaluate<number>(place)
    await tab.evaluate(`void (window.glided = new Set(), Element.prototype.animate = function ([{ transform }]) {
      if (transform) window.glided.add(this.className.split(" ").at(-1) + " " + transform)
    })`)
    await tab.hover("#badge")
    await tab.until(`${shown}.endsWith(",gpu-8")`)
    const lower = (await tab.evaluate<number>(place)) - placeBefore
    expect(lower).toBeGreaterThan(0)
    expect(await tab.evaluate<string[]>("[...window.glided]")).toContain(`running translateY(-${lower}px)`)
  })

  test("moves nothing that the reader sees further down, where the browser scrolls along", async () => {
    await tab.resize(1440)
    for (let i = 1; i <= 7; i += 1) void wait(`gpu-${i}`, "gpu")
    for (let song_id = 1; song_id <= 30; song_id += 1) await here.server.add({ song_id, tags: ["cpu"] })
    const [many, rows] = [".worker", ".later .row"].map(
      (name) => `document.querySelectorAll("${name}").length`,
    )
    await tab.until(`${many} === 7 && ${rows} === 30`)
    await tab.evaluate(`void (window.glided = [], Element.prototype.animate = function ([{ transform }]) {
      if (transform) window.glided.push(this.className + " " + transform)
    }, scrollTo(0, 900))`)
    await tab.until(`document.querySelector(".later").getBoundingClientRect().top < 0`)
    void wait("gpu-8", "gpu")
    await tab.until(`${many} === 8`)
    expect(await tab.evaluate<string[]>("window.glided.filter((one) => one.startsWith('section'))")).toEqual(
      [],
    )
  })

  test("cuts a long name on a phone, so that the next worker can be seen", async () => {
    await here.server.add()
    await here.server.api("POST", "/queue/claim", {
      worker: `render-node-${"in-a-very-long-row-".repeat(4)}17`,
    })
    const phone = await here.open("/", { phone: true })
    await phone.until(`${text(".worker .cut-name")}?.endsWith("17")`)
    expect(await phone.evaluate<number>(`document.querySelector(".worker").offsetWidth`)).toBeLessThan(300)
  })

  test("has a button for more than nine workers, and all of them on paper", async () => {
    for (let i = 1; i <= 12; i += 1) void wait(`gpu-${i}`, "gpu")
    const seen = `document.querySelectorAll(".worker").length`
    await tab.until(`${seen} === 8 && document.querySelector(".workers-strip > button").checkVisibility()`)
    await tab.send("Page.printToPDF")
    await tab.until(`${seen} === 12`)
    // The lists below do not glide on paper.
    await tab.send("Emulation.setEmulatedMedia", { media: "print" })
    const glide = `[document.querySelector(".running")].map((list) => {
      list.animate([{ transform: "translateY(-99px)" }, { transform: "none" }], 1e6)
      return getComputedStyle(list).transform
    })[0]`
    expect(await tab.evaluate<string>(glide)).toBe("none")
    await tab.send("Emulation.setEmulatedMedia", { media: "" })
    await tab.go(tab.at("/"))
    await tab.until(`${seen} === 8 && document.querySelector(".workers-strip > button").checkVisibility()`)
    await tab.evaluate(`document.querySelector(".workers-strip > button").click()`)
    await tab.until(`${seen} === 12 && document.activeElement?.matches("li:nth-child(9) > .worker")`)
    // Names that differ only at their end are cut in their middle. They come once the focus holds the strip no more.
    await tab.evaluate("document.activeElement.blur()")
    for (const end of [1, 2]) void wait(`render-node-of-the-studio-${end}`, "gpu")
    const ends = `[...document.querySelectorAll(".worker .cut-name")].filter((name) => {
      const [start, end] = name.children
      const isCut = start.scrollWidth > start.clientWidth
      return isCut && end.getBoundingClientRect().right <= name.getBoundingClientRect().right + 1
    }).map((name) => name.children[1].textContent).sort().join()`
    await tab.until(`${ends} === "tudio-1,tudio-2"`)
  })
})

page("the queue", () => {
  test("is paused and resumed on the page, which says so for as long as it is", async () => {
    await here.server.add()
    await tab.clickUntil(
      ".waiting .head button:not(.news)",
      `${text(".paused p")}?.startsWith("The queue has been paused since ")`,
    )
    expect((await client.counts()).paused_at).not.toBeNull()
    expect((await here.server.api("POST", "/queue/claim", { worker: "w" })).status).toBe(204)
    await tab.clickUntil(".paused button", `document.querySelector(".paused").hidden`)
    expect((await client.counts()).paused_at).toBeNull()
    // Each button takes the focus of the other, and a toast that is dismissed gives it back.
    await tab.evaluate(`document.querySelector(".waiting .head button:not(.news)").focus()`)
    await tab.press("Enter")
    await tab.until(`document.activeElement?.matches(".paused button")`)
    await tab.evaluate(`document.querySelector(".toast:last-child [aria-label=Dismiss]").focus()`)
    await tab.press("Enter")
    await tab.until(`document.activeElement?.matches(".paused button")`)
    await client.resume()
    await tab.until(`document.activeElement?.matches(".waiting .head button:not(.news)")`, 4500)
    const id = await here.server.add({ song_id: 2 })
    // The stream shows changes by others long before the figures are requested again.
    for (let i = 0; i < 2; i += 1) {
      await client.pause()
      await tab.until(`document.querySelector(".paused").checkVisibility()`, 2500)
      await client.resume()
      await tab.until(`document.querySelector(".paused").hidden`, 2500)
    }
    await tab.go(tab.at(`/items/${id}`))
    await tab.until(`/^(waiting|starts) /.test(document.querySelector(".now .elapsed").innerText)`)
    await client.pause()
    await tab.until(`document.querySelector(".now .elapsed").innerText === "The queue is paused"`, 2500)
  })

  test("shows an item whose time has come as waiting, and no time that is over", async () => {
    const added = await here.server.api("POST", "/queue", { song_id: 4, available_in: 4 })
    const { id }: { id: number } = await added.json()
    await tab.go(tab.at(`/items/${id}`))
    const elapsed = `document.querySelector(".now .elapsed")?.innerText ?? ""`
    await tab.until(`${elapsed}.startsWith("starts at ")`)
    await tab.until(`/^waiting \\d+ s, no worker runs$/.test(${elapsed})`)
  })

  test("is paused once by a double click, on a slow network too, and says it once", async () => {
    await tab.send("Network.enable")
    const slow = { offline: false, latency: 400, downloadThroughput: -1, uploadThroughput: -1 }
    await tab.send("Network.emulateNetworkConditions", slow)
    await tab.until(`document.querySelector(".waiting .head button:not(.news)").checkVisibility()`)
    await tab.evaluate(`{
      const ask = window.fetch
      window.pauses = 0
      window.fetch = (url, options) => {
        if (String(url).endsWith("/queue/pause")) window.pauses += 1
        return ask(url, options)
      }
    }`)
    const isPausedByDoubleClick = async (): Promise<boolean> => {
      await tab.click(".waiting .head button:not(.news)")
      await tab.clickAgain()
      const shown = tab.until(`document.querySelector(".paused").checkVisibility()`, 4000)
      return await shown.then(
        () => true,
        () => false,
      )
    }
    // Directly after something has moved, no button works: then both clicks are lost.
    while (!(await isPausedByDoubleClick()));
    expect(await tab.evaluate<number>("window.pauses")).toBe(1)
    await tab.until(`document.querySelectorAll(".toast").length === 1`)
    // The bar of a selection can still be reached.
    await tab.click(".tools [aria-pressed]")
    const covered = `(() => {
      const bar = [...document.querySelectorAll(".bulk button")]
      return bar.filter((button) => {
        const { left, top, width, height } = button.getBoundingClientRect()
        return !button.contains(document.elementFromPoint(left + width / 2, top + height / 2))
      }).map((button) => button.innerText)
    })()`
    await tab.until(`document.querySelector(".bulk").checkVisibility()`)
    for (const width of [1280, 820, 390]) {
      await tab.resize(width)
      expect(await tab.evaluate<string[]>(covered)).toEqual([])
    }
  })

  test("is searched by / from everywhere, and ? shows the keys", async () => {
    const id = await here.server.add({ song_id: 1, title: "Northern Lights" })
    await tab.go(tab.at(`/items/${id}`))
    await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
    await tab.press("/")
    await tab.until(`document.activeElement?.id === "filter" && location.pathname === "/"`)
    await tab.type("?")
    expect(await tab.evaluate<boolean>(`document.querySelector("dialog") === null`)).toBe(true)
    await tab.evaluate(`document.activeElement.blur()`)
    await tab.press("?")
    await tab.until(`${text("dialog h2")} === "Keys"`)
    await tab.press("Escape")
    await tab.until(`document.querySelector("dialog") === null`)
    await tab.click("#keys")
    await tab.until(`${text("dialog h2")} === "Keys"`)
  })
})
