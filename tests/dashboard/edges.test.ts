import { expect, test } from "bun:test"

import { start } from "../server.ts"
import { claim } from "../worker.ts"
import { type Tab, type TabOptions } from "./browser.ts"
import { addressOf, opening, page } from "./opening.ts"

const here = opening({ args: ["--stall-after-ms", "1000"] })
let tab: Tab

async function open(path = "/", options: TabOptions = {}): Promise<void> {
  tab = await here.open(path, options)
}

const LONG =
  "A song with a title that is longer than any lane or row has room for, and longer than a phone is wide"

page("commands of an empty box", () => {
  test.each([390, 320])(
    "at a width of %d break between their parts, and are copied as one line",
    async (width) => {
      await open("/", { width })
      const shown = `[...document.querySelectorAll(".empty code")].filter((code) => code.checkVisibility())`
      await tab.until(`${shown}.length === 2`)
      // Each part is one line.
      const parts = `${shown}.flatMap((code) => [...code.children])`
      const torn = `${parts}.filter((part) => part.offsetHeight > 30 || part.getClientRects().length > 1).map((part) => part.innerText)`
      expect(await tab.evaluate<string[]>(torn)).toEqual([])
      expect(await tab.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true)
      const copied = await tab.evaluate<string>(`(() => {
      getSelection().selectAllChildren(document.querySelector(".waiting .empty code"))
      return getSelection().toString()
    })()`)
      expect(copied).toBe(
        `curl -X POST ${addressOf(here.server)}/api/v1/queue -H "Content-Type: application/json" -d '{"song_id": 1}'`,
      )
    },
  )

  test("give way to a search that finds nothing, whose word is broken if it is wider than a phone", async () => {
    await open(`/?q=${"x".repeat(200)}`, { width: 390 })
    await tab.until(`document.querySelector(".home > .none").checkVisibility()`)
    expect(await tab.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true)
  })
})

page("waiting items", () => {
  test("say how long they wait in one line below each other, also the first, which needs no button", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id })
    await open()
    const rights = `[...document.querySelectorAll(".waiting .since")].map((one) => Math.round(one.getBoundingClientRect().right))`
    await tab.until(`${rights}.length === 3`)
    expect(new Set(await tab.evaluate<number[]>(rights)).size).toBe(1)
    // The kept place is no button, neither to the eye nor to the keyboard.
    const button = `document.querySelector(".waiting .quick")`
    expect(await tab.evaluate<string>(`getComputedStyle(${button}).visibility`)).toBe("hidden")
  })
})

page("tags on a phone", () => {
  test("are cut from the longest on, with a sign", async () => {
    await here.server.add({
      song_id: 1,
      tags: ["gpu", "4k", "a-tag-that-is-longer-than-a-phone-is-wide-by-far"],
    })
    await open("/", { phone: true })
    const chips = `[...document.querySelectorAll(".row .tags .chip")]`
    await tab.until(`${chips}.length === 3`)
    const cut = `${chips}.filter((chip) => chip.scrollWidth > chip.clientWidth).map((chip) => getComputedStyle(chip).display + " " + chip.innerText.slice(0, 5))`
    expect(await tab.evaluate<string[]>(cut)).toEqual(["block a-tag"])
  })
})

page("titles", () => {
  test("have two lines, and from right to left begin at their beginning, also where they are cut", async () => {
    await here.server.add({ song_id: 1, title: "שיר ארוך מאוד על הלילה והכוכבים בשמיים ".repeat(4) })
    await here.server.add({ song_id: 2, title: LONG })
    await open("/", { width: 700 })
    // The ends of titles often differ: there are two lines for each.
    await tab.until(`document.querySelectorAll(".row .name").length === 2`)
    const lines = `[...document.querySelectorAll(".row .name")].map((name) => Math.round(name.offsetHeight / parseFloat(getComputedStyle(name).lineHeight))).join()`
    expect(await tab.evaluate<string>(lines)).toBe("2,2")
    const directions = `[...document.querySelectorAll(".row .name")].map((name) => getComputedStyle(name).direction).join()`
    await tab.until(`${directions} === "rtl,ltr"`)
  })

  test("are shown to their end on a phone, where there are no tooltips", async () => {
    await here.server.add({ song_id: 1, title: `${"A long way home ".repeat(5)}(take 9000)` })
    await open("/", { phone: true })
    const hidden = `[...document.querySelectorAll(".row .name")].map((name) => name.scrollHeight - name.clientHeight)`
    await tab.until(`${hidden}.length === 1`)
    expect(await tab.evaluate<number[]>(hidden)).toEqual([0])
  })

  test("cannot change the direction of the text around them, nor their own", async () => {
    const id = await here.server.add({ song_id: 1, title: "evil \u202e4pm.edirrevo\u202c end \u2066x\u2069" })
    for (const path of ["/", `/items/${id}`]) {
      await open(path)
      await tab.until(`document.querySelector(".name, .item h1").innerText.includes("evil")`)
      const found = await tab.evaluate<string>(`document.body.innerText + document.title`)
      expect(found).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
      expect(found).toContain("evil \ufffd4pm.edirrevo\ufffd end")
    }
  })

  test("are had in full wherever they are cut, and are not broken within a word on a tablet", async () => {
    const id = await here.server.add({ song_id: 1, title: LONG })
    await here.server.add({ song_id: 2, title: "First", priority: 1 })
    await open("/", { width: 820 })
    expect(await tab.until<string>(`document.querySelector('[data-item="${id}"] .name').title`)).toBe(LONG)
    await tab.click(`[data-item="${id}"] .name`)
    await tab.until(`document.querySelector("h1").innerText.length > 10`)
    const words = await tab.evaluate<number>(`(() => {
      const text = document.querySelector("h1").firstChild
      const range = document.createRange()
      return [...text.data.matchAll(/\\S+/g)].filter(({ index, 0: word }) => {
        range.setStart(text, index)
        range.setEnd(text, index + word.length)
        return range.getClientRects().length > 1
      }).length
    })()`)
    expect(words).toBe(0)
    // No part of it is cut off.
    expect(await tab.evaluate<string>(`getComputedStyle(document.querySelector("h1")).overflow`)).toBe(
      "visible",
    )
  })
})

page("what is shown", () => {
  test("of the connection can be scrolled to on a screen that is too low for it", async () => {
    await open("/", { width: 844, height: 250, bypassPolicy: true })
    await tab.click("#badge")
    const facts = `document.querySelector("#facts")`
    await tab.until(`${facts}.scrollHeight > ${facts}.clientHeight`)
    expect(
      await tab.evaluate<number>(`innerHeight - ${facts}.getBoundingClientRect().bottom`),
    ).toBeGreaterThan(0)
    expect(await tab.objections()).toEqual([])
  })

  test("of a priority covers nothing on a phone, however long it is, and whatever stands beside it", async () => {
    await here.server.api("POST", "/queue/claim", { worker: "gpu-1", tags: ["gpu"] })
    await here.server.add({ song_id: 1, priority: 1_000_000_000 })
    await here.server.add({ song_id: 2, priority: -1_000_000_000 })
    await here.server.add({
      song_id: 3,
      priority: 10,
      tags: ["a-tag-that-nobody-offers-and-that-is-longer-than-a-phone-is-wide"],
    })
    await open("/", { phone: true })
    await tab.until(`document.querySelector(".later .since")?.innerText.startsWith("No worker offers a-tag")`)
    await tab.until(`document.querySelectorAll(".row .priority").length === 3`)
    // The figures share one line.
    const tops = `new Set([...document.querySelectorAll(".figure")].map((one) => one.getBoundingClientRect().top)).size`
    expect(await tab.evaluate<number>(tops)).toBe(1)
    expect(await tab.evaluate<string>(`document.querySelector(".row .priority").innerText`)).toBe(
      "priority 1,000,000,000",
    )
    const covered = `[...document.querySelectorAll(".row")].filter((row) => {
      const [a, b] = [".priority", ".since"].map((one) => row.querySelector(one).getBoundingClientRect())
      return a.right > b.left && b.right > a.left && a.bottom > b.top + 1 && b.bottom > a.top + 1
    }).length`
    expect(await tab.evaluate<number>(covered)).toBe(0)
    // Nor is a long reason to wait cut, or below the buttons.
    const isHidden = `(() => {
      const [since, actions] = [".since", ".actions"].map((one) => document.querySelector(".later .row " + one))
      const [text, buttons] = [since, actions].map((one) => one.getBoundingClientRect())
      return since.scrollWidth > since.clientWidth || text.right > innerWidth || text.top < buttons.bottom
    })()`
    expect(await tab.evaluate<boolean>(isHidden)).toBe(false)
    // On a wider screen it is beside the title, and leaves room for that and for the buttons.
    await tab.resize(820)
    const room = `[".about", ".since", ".actions"].map((one) => document.querySelector(".later .row " + one).getBoundingClientRect())`
    await tab.until(
      `(([title, since, buttons]) => title.width > 200 && title.right <= since.left && since.right <= buttons.left)(${room})`,
    )
  })

  test("names each of ffmpeg's figures once", async () => {
    const id = await here.server.add({ song_id: 1 })
    const claim = await here.server.api("POST", "/queue/claim", { worker: "gpu-1" })
    const { lease }: { lease: { token: string } } = await claim.json()
    const report = {
      progress: 22,
      current_step: "Encoding",
      media: { out_time: 53.44, total: 240, fps: 48.2, speed: 0.02 },
      message: "53.4 s of 240.0 s, 48 fps, 0.02x",
    }
    await here.server.api("POST", `/queue/${id}/progress`, report, { lease: lease.token })
    await open()
    const foot = await tab.until<string>(`document.querySelector(".lane .foot p")?.innerText`)
    expect(foot).toContain("0:53 of 4:00 · 48 fps · 0.02×")
    expect(foot).not.toContain("53.4")
    await tab.click(".lane .name")
    await tab.until(`document.querySelector(".now .told")?.innerText.includes("0:53 of 4:00")`)
    expect(await tab.evaluate<string>(`document.querySelector(".now .told").innerText`)).not.toContain("53.4")
    await here.server.api("POST", `/queue/${id}/complete`, {}, { lease: lease.token })
    // A completed item is in no step.
    await tab.until(`document.querySelector(".now .told")?.innerText === ""`)
  })

  test("says for how long a stalled item has stood still", async () => {
    const id = await here.server.add({ song_id: 1 })
    await here.server.put(id, { status: "processing", progress: 10 })
    await open()
    // It counts from when the item stopped, not from when that was noticed a second later.
    await tab.until(`/^No progress for [1-9]\\d* s$/.test(document.querySelector(".lane .chip").innerText)`)
    const first = await tab.evaluate<string>(`document.querySelector(".lane .chip").innerText`)
    await tab.until(`document.querySelector(".lane .chip").innerText !== ${JSON.stringify(first)}`)
    // On a phone it stands opposite the percentage, where there is room for all of it.
    await tab.resize(390)
    const shown = `[...document.querySelectorAll(".lane .chip, .lane .halt")].filter((one) => one.checkVisibility())`
    const whole = `${shown}.map((one) => one.className + " " + (one.parentElement.scrollWidth <= one.parentElement.clientWidth)).join()`
    expect(await tab.evaluate<string>(whole)).toBe("halt true")
    await tab.click(".lane .name")
    await tab.until(`document.querySelector(".now .left").innerText.startsWith("No progress for ")`)
    // It has the colour of a warning, as on its lane.
    expect(await tab.evaluate<string>(`document.querySelector(".item").dataset.tone`)).toBe("warn")
  })

  test("of a stalled item stands whole in lanes of one line, in place of the time left", async () => {
    for (let i = 1; i <= 7; i += 1) {
      const id = await here.server.add({ song_id: i, title: LONG })
      await here.server.put(id, { status: "processing", progress: 10 })
    }
    for (const options of [{ width: 1440 }, { width: 820 }, { phone: true }]) {
      await open("/", options)
      await tab.until(`document.querySelector("[data-crowd=many] .lane")`)
      const shown = `[...document.querySelectorAll(".lane .left")].filter((left) => {
        const [text] = [...left.children].filter((part) => part.checkVisibility() && part.innerText !== "")
        return /^No progress for \\d+ s$/.test(text?.innerText) && left.scrollWidth <= left.clientWidth
      }).length`
      await tab.until(`${shown} === 7`)
      const chips = `[...document.querySelectorAll(".lane .chip")].filter((chip) => chip.checkVisibility()).length`
      expect(await tab.evaluate<number>(chips)).toBe(0)
      // Whatever the text is, the percentages stand below each other.
      const ends = `(() => {
        document.querySelector(".lane .halt").textContent = "No progress for 1 h 29 min"
        const ends = [...document.querySelectorAll(".lane .percent")].map((one) => one.getBoundingClientRect().right)
        return Math.max(...ends) - Math.min(...ends)
      })()`
      expect(await tab.evaluate<number>(ends)).toBeLessThan(1)
      // Nor does a long one take the room of the titles.
      expect(await tab.evaluate<number>(`document.querySelector(".lane .name").offsetWidth`)).toBeGreaterThan(
        140,
      )
    }
  })

  test("shows its step and its message in lanes of one line as long as no time is known", async () => {
    await using server = await start()
    for (let i = 1; i <= 7; i += 1) {
      await server.add({ song_id: i })
      const report = { current_step: "Rendering video", message: "with a long message ".repeat(9) }
      const taken = await claim(server, { worker: `render-node-of-the-studio-${i}` })
      await taken?.say("progress", { progress: 10, ...report })
    }
    tab = await here.open("/", { width: 1280 }, server)
    for (const width of [1280, 820, 390]) {
      await tab.resize(width)
      const shown = `[...document.querySelectorAll("[data-crowd=many] .lane .doing")].filter((one) =>
        one.checkVisibility() && one.innerText.startsWith("Rendering video, with a")
        && one.getBoundingClientRect().right <= innerWidth).length`
      await tab.until(`${shown} === 7`)
      // Names of workers that differ only at their end are cut in their middle.
      const ends = `[...document.querySelectorAll(".lane .cut-name")].filter(({ children: [start, end] }) => {
        const isCut = start.scrollWidth > start.clientWidth
        return isCut && end.getBoundingClientRect().right <= end.closest(".about").getBoundingClientRect().right + 1
      }).map((name) => name.lastChild.textContent).sort().join()`
      await tab.until(`${ends} === "tudio-1,tudio-2,tudio-3,tudio-4,tudio-5,tudio-6,tudio-7"`)
      const heights = `Math.max(...[...document.querySelectorAll(".lane")].map((one) => one.offsetHeight))`
      expect(await tab.evaluate<number>(heights)).toBeLessThan(width < 640 ? 90 : 60)
    }
  })

  test("is read aloud with words and numbers apart", async () => {
    const id = await here.server.add({ song_id: 1 })
    for (const progress of [10, 20])
      await here.server.put(id, { status: "processing", progress, current_step: "Video" })
    await open()
    const names = `[...document.querySelectorAll("h2")].filter((one) => one.checkVisibility()).map((one) => one.textContent)`
    await tab.until(`${names}.includes("Running, 1")`)
    await tab.click(".lane .name")
    await tab.until(`document.querySelector(".timeline summary")?.textContent.startsWith("Video, ")`)
  })

  test("with colours of the system's choice still shows what is pressed, live, and done", async () => {
    const id = await here.server.add({ song_id: 1 })
    await here.server.put(id, { status: "processing", progress: 50 })
    await open()
    await tab.send("Emulation.setEmulatedMedia", { features: [{ name: "forced-colors", value: "active" }] })
    await tab.until(`matchMedia("(forced-colors: active)").matches && document.querySelector(".lane")`)
    const colour = (selector: string, property: string, pseudo = ""): Promise<string> =>
      tab.evaluate(
        `getComputedStyle(document.querySelector(${JSON.stringify(selector)}), ${JSON.stringify(pseudo)}).${property}`,
      )
    // While a colour changes to another one, it is neither of the two.
    await tab.until(
      "document.getAnimations().every((one) => one.playState !== 'running' || !(one instanceof CSSTransition))",
    )
    const [pressed, other] = [
      await colour('.choice [aria-pressed="true"]', "backgroundColor"),
      await colour('.choice [aria-pressed="false"]', "backgroundColor"),
    ]
    expect(pressed).not.toBe(other)
    const ofSystem = (name: string): Promise<string> =>
      tab.evaluate(`(() => {
        const probe = document.createElement("p")
        probe.style.cssText = "forced-color-adjust: none; background: ${name}"
        document.body.append(probe)
        return getComputedStyle(probe).backgroundColor
      })()`)
    expect(pressed).toBe(await ofSystem("Highlight"))
    expect(await colour("#badge .dot", "backgroundColor")).not.toBe(await colour("#badge", "backgroundColor"))
    // How much it stands out, from 1 to 21.
    const contrast = async (selector: string): Promise<number> =>
      tab.evaluate(`(() => {
        const light = (colour) => {
          const pen = new OffscreenCanvas(1, 1).getContext("2d")
          pen.fillStyle = colour
          pen.fillRect(0, 0, 1, 1)
          const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => (part / 255) ** 2.2)
          return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05
        }
        const all = [${JSON.stringify(await colour(selector, "stroke"))}, ${JSON.stringify(await ofSystem("Canvas"))}].map(light)
        return Math.max(...all) / Math.min(...all)
      })()`)
    const [done, left] = [await contrast(".wave-done path"), await contrast(".wave > svg path")]
    expect(left).toBeGreaterThan(3)
    expect(left).toBeLessThan(done / 2)
    expect(await colour(".wave-head", "backgroundColor", "::before")).not.toBe(
      await colour(".lane", "backgroundColor"),
    )
  })
})
