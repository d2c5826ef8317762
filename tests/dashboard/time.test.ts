import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { start, type TestServer } from "../server.ts"
import { claim } from "../worker.ts"
import { Browser, hasChromium, HOST, type Tab } from "./browser.ts"

setDefaultTimeout(300_000)

const page = describe.skipIf(!hasChromium)
const SECONDS = 6

let browser: Browser
let server: TestServer

/** Renders a song of two steps with wrong percentages; `meanwhile` is called after each report. */
async function rendered(
  id: number,
  seconds: number,
  meanwhile?: (part: number) => Promise<void>,
): Promise<void> {
  const taken = await claim(server, { id, lease: 600 })
  const startedMs = performance.now()
  for (let part = 0; part < 1; part += 0.1) {
    await Bun.sleep(Math.max(0, part * seconds * 1000 - (performance.now() - startedMs)))
    const name = part < 0.5 ? "Images" : "Render"
    const step = { index: part < 0.5 ? 1 : 2, total: 2, name }
    const unit = { done: Math.round((part % 0.5) * 10), total: 5, name: "images" }
    await taken?.say("progress", { step, unit, current_step: name, progress: part < 0.5 ? 80 : 90 })
    await meanwhile?.(part)
  }
  await Bun.sleep(Math.max(0, seconds * 1000 - (performance.now() - startedMs)))
  await taken?.say("complete")
}

beforeAll(async () => {
  if (!hasChromium) return
  server = await start()
  browser = await Browser.start()
  await rendered(await server.add({ song_id: 5, kind: "song" }), 1)
  await rendered(await server.add({ song_id: 5, kind: "song" }), SECONDS)
})
afterAll(async () => {
  if (!hasChromium) return
  await browser.stop()
  await server[Symbol.asyncDispose]()
})

async function open(path: string): Promise<Tab> {
  const tab = await browser.open(server.url.replace("127.0.0.1", HOST) + path)
  await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
  return tab
}

const UNCOVERED = `(() => {
  const { width, left } = document.querySelector(".wave").getBoundingClientRect()
  const { right } = document.querySelector(".wave-done").getBoundingClientRect()
  return (right - left) / width
})()`

page("a render of a kind that is known", () => {
  test("has a bar of time that never goes back, names the runs behind it, and has a plot on its page", async () => {
    const id = await server.add({ song_id: 5, title: "Northern Lights", kind: "song" })
    const tab = await open("/")
    await tab.evaluate(`(() => {
      window.places = []
      const look = () => {
        if (document.querySelector(".wave")) window.places.push(${UNCOVERED})
        requestAnimationFrame(look)
      }
      look()
    })()`)
    const own = await open(`/items/${id}`)
    const bars: (readonly [part: number, shown: number])[] = []
    await rendered(id, SECONDS, async (part) => {
      const shown = `Number(document.querySelector(".lane .wave")?.getAttribute("aria-valuenow"))`
      bars.push([part, await tab.evaluate<number>(shown)])
      if (part < 0.65 || part > 0.75) return
      const lane = await tab.evaluate<string>(`document.querySelector(".lane").innerText`)
      expect(lane).toMatch(/left|usual|Finishing/)
      const rests = await tab.evaluate<string>(`document.querySelector(".lane .figures").title`)
      expect(rests).toBe("from 2 earlier runs; the worker says 90%")
      expect(
        await own.evaluate<string[]>(
          `[...document.querySelectorAll(".steps li")].map((one) => getComputedStyle(one).backgroundColor)`,
        ),
      ).toEqual([expect.stringMatching(/^oklch/), expect.stringMatching(/^oklch/)])
      // The question before a cancel has the same percentage as the bar.
      await tab.evaluate(`document.querySelector(".lane .quick").click()`)
      const asked = await tab.until<string>(`document.querySelector("dialog[open] form > p")?.innerText`)
      expect(Math.abs(Number(/(\d+)% done/.exec(asked)?.[1]) - part * 100)).toBeLessThan(20)
      await tab.evaluate(`document.querySelector("dialog").close()`)
      expect(await own.evaluate<number>(`document.querySelectorAll(".plot .area .time").length`)).toBe(1)
      const named = `[...document.querySelectorAll(".plot .legend span")].filter((one) => one.checkVisibility()).map((one) => one.innerText).join()`
      // The levels stand beside their lines, whatever is above them.
      const [level, top] = [".plot .levels span", ".plot .area"].map(
        (one) => `document.querySelector("${one}").getBoundingClientRect()`,
      )
      expect(
        await own.evaluate<number>(`Math.abs(${level}.top + ${level}.height / 2 - ${top}.top)`),
      ).toBeLessThan(2)
      expect(await own.evaluate<string>(named)).toBe(
        "Reported by the worker,Estimated from earlier runs,Expected",
      )
    })
    // The numbers follow the time, and not the reported values 80 and 90.
    for (const [part, shown] of bars.slice(2)) expect(Math.abs(shown - part * 100)).toBeLessThan(35)
    const places = await tab.evaluate<number[]>("window.places")
    const back = places.filter((place, i) => place < (places[i - 1] ?? 0) - 0.002)
    expect(places.length).toBeGreaterThan(20)
    expect(back).toEqual([])
    expect([...tab.complaints, ...own.complaints]).toEqual([])
    await tab.close()
    await own.close()
  })

  test("shows when waiting items start, and when everything is done", async () => {
    const tag = crypto.randomUUID()
    await server.add({ song_id: 5, kind: "song", tags: [tag] })
    const taken = await claim(server, { tags: [tag], lease: 600 })
    await server.add({ song_id: 6, kind: "song", tags: [tag] })
    const tab = await open("/")
    await tab.until(
      `/^starts about \\d\\d:\\d\\d/i.test(document.querySelector(".waiting .since")?.innerText ?? "")`,
    )
    await tab.until(`/all done about \\d\\d:\\d\\d/i.test(document.querySelector(".top").innerText)`)
    expect(tab.complaints).toEqual([])
    await taken?.say("complete")
    await tab.close()
  })
})
