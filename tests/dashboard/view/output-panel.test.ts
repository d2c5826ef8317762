import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { start, type TestServer } from "../../server.ts"
import { type Attempt, attempt, claim } from "../../worker.ts"
import { Browser, hasChromium, HOST, type Tab, type TabOptions } from "../browser.ts"

// The first run may have to install Chromium.
setDefaultTimeout(300_000)

const page = describe.skipIf(!hasChromium)

let browser: Browser
let server: TestServer

beforeAll(async () => {
  if (!hasChromium) return
  browser = await Browser.start()
  server = await start()
})
afterAll(async () => {
  if (!hasChromium) return
  await browser.stop()
  await server[Symbol.asyncDispose]()
})

async function open(id: number, at = server, options: TabOptions = {}): Promise<Tab> {
  const tab = await browser.open(`${at.url.replace("127.0.0.1", HOST)}/items/${id}`, options)
  await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
  return tab
}

/** Sends what the command prints. */
async function print({ id, lease, server: to }: Attempt, text: string): Promise<void> {
  const url = `${to.url}/api/v1/queue/${id}/output`
  await fetch(url, { method: "POST", body: text, headers: { lease: lease.token } })
}

const BODY = `document.querySelector(".output pre")`
const SHOWN = `${BODY}.textContent`
const isFollowing = `(document.querySelector(".output [aria-pressed]").getAttribute("aria-pressed") === "true")`
const atEnd = `${BODY}.scrollTop + ${BODY}.clientHeight >= ${BODY}.scrollHeight - 24`
const many = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `image ${from + i} is drawn\n`).join("")

page("what the command printed", () => {
  test("a line is on the page within a second, as text, and still there after a restart", async () => {
    await using own = await start()
    const work = await attempt(own)
    const tab = await open(work.id, own)
    expect(await tab.evaluate(`document.querySelector(".output").hidden`)).toBe(true)
    await print(work, "\u001b[31mfirst\u001b[0m <b>bold</b>\n")
    await tab.until(`${SHOWN} === "first <b>bold</b>\\n"`)
    const tookMs: number[] = []
    for (const line of ["second", "third"]) {
      const sentMs = performance.now()
      await print(work, `${line}\n`)
      await tab.until(`${SHOWN}.endsWith("${line}\\n")`)
      tookMs.push(performance.now() - sentMs)
    }
    // Not every line: the machine may be busy with something else for a while.
    expect(Math.min(...tookMs)).toBeLessThan(1000)
    expect(await tab.evaluate(`${BODY}.querySelectorAll(":not(.block)").length`)).toBe(0)
    expect(await own.end()).toBe(0)
    const args = ["--port", new URL(own.url).port]
    await using back = await start({ database: own.database, args })
    await print(work, "last\n")
    const all = `${SHOWN} === "first <b>bold</b>\\nsecond\\nthird\\nlast\\n"`
    await tab.until(all)
    const fresh = await open(work.id, back)
    await fresh.until(all)
    expect([...tab.complaints, ...fresh.complaints]).toEqual([])
    await tab.close()
    await fresh.close()
  })

  test("it shows the end and follows it, but not a reader who has scrolled up", async () => {
    const work = await attempt(server)
    await print(work, many(0, 400))
    const tab = await open(work.id)
    await tab.until(`${SHOWN}.includes("image 399") && ${atEnd} && ${isFollowing}`)
    await print(work, many(400, 420))
    await tab.until(`${SHOWN}.includes("image 419") && ${atEnd}`)
    await tab.evaluate(`${BODY}.scrollTop = 100`)
    await tab.until(`!${isFollowing}`)
    await print(work, many(420, 440))
    await tab.until(`${SHOWN}.includes("image 439")`)
    expect(await tab.evaluate<number>(`${BODY}.scrollTop`)).toBe(100)
    await tab.click(".output [aria-pressed]")
    await tab.until(`${atEnd} && ${isFollowing}`)
    await print(work, many(440, 460))
    await tab.until(`${SHOWN}.includes("image 459") && ${atEnd}`)
    // At the end of the attempt the button goes, and the focus of a reader with a keyboard goes to the text.
    for (const key of ["Tab", "Tab"]) await tab.press(key)
    await tab.evaluate(`document.querySelector(".output [aria-pressed]").focus()`)
    await server.api("POST", `/queue/${work.id}/complete?lease=${work.lease.token}`, {})
    await tab.until(`document.activeElement === ${BODY}`)
    await tab.close()
  })

  test("of very many lines only the visible ones are laid out, and all of them can be found", async () => {
    const work = await attempt(server)
    const text = `begin here\n${"ab\n".repeat(20_000)}`
    await print(work, text)
    const tab = await open(work.id)
    await tab.until(`${SHOWN}.length === ${text.length} && ${atEnd}`)
    const laidOut = `[...${BODY}.querySelectorAll(".block")].map((one) => {
      const probe = one.appendChild(document.createElement("i"))
      const isLaidOut = probe.checkVisibility({ contentVisibilityAuto: true })
      probe.remove()
      return isLaidOut
    })`
    const blocks = await tab.evaluate<boolean[]>(laidOut)
    expect(blocks.length).toBeGreaterThan(50)
    expect(blocks.filter(Boolean).length).toBeLessThan(6)
    expect(blocks.at(-1)).toBe(true)
    await tab.click(".find input")
    await tab.type("begin here")
    await tab.until(
      `document.querySelector(".matches").textContent === "1 of 1" && ${laidOut}[0] && ${BODY}.scrollTop < 100`,
    )
    await tab.close()
  })

  test("words in it are found, one place after the other, and it is copied whole", async () => {
    const work = await attempt(server)
    await print(
      work,
      `Error: first\n${many(0, 300)}ERROR: second\n${many(300, 600)}İİİ (an error) the third\n`,
    )
    const tab = await open(work.id)
    await tab.until(`${SHOWN}.endsWith("third\\n")`)
    await tab.evaluate(`document.querySelector(".find input").focus()`)
    await tab.send("Input.insertText", { text: "error" })
    const matches = `document.querySelector(".matches").textContent`
    await tab.until(`${matches} === "3 of 3"`)
    const isSeen = (): Promise<boolean> =>
      tab.evaluate(`(() => {
        const [range] = CSS.highlights.get("found-here")
        const [place, box] = [range.getBoundingClientRect(), ${BODY}.getBoundingClientRect()]
        return place.top >= box.top && place.bottom <= box.bottom
      })()`)
    for (const place of ["1 of 3", "2 of 3"]) {
      await tab.press("Enter")
      await tab.until(`${matches} === "${place}"`)
      expect(await isSeen()).toBe(true)
    }
    expect(await tab.evaluate(`CSS.highlights.get("found").size`)).toBe(3)
    await print(work, "one more error\n")
    await tab.until(`${matches} === "2 of 4"`)
    await tab.evaluate(
      `document.execCommand = () => (globalThis.copied = document.activeElement.value, true)`,
    )
    await tab.click(".output-head > button + button")
    await tab.until(`globalThis.copied === ${SHOWN}`)
    await tab.close()
  })

  test("each attempt's output is there to be chosen, and the next attempt takes the place of the last", async () => {
    const work = await attempt(server, { max_attempts: 3 })
    await print(work, "of the first\n")
    const tab = await open(work.id, server, { bypassPolicy: true })
    await tab.until(`${SHOWN} === "of the first\\n"`)
    await work.say("fail", { error_message: "broken", retry_in: 0 })
    const again = await claim(server, { id: work.id })
    if (!again) throw new Error("not claimed")
    await print(again, "of the second\n")
    await tab.until(`${SHOWN} === "of the second\\n"`)
    expect(await tab.objections()).toEqual([])
    await tab.evaluate(`(() => {
      const attempts = document.querySelector(".output select")
      attempts.value = "1"
      attempts.dispatchEvent(new Event("change"))
    })()`)
    await tab.until(`${SHOWN} === "of the first\\n"`)
    expect(await tab.evaluate(`document.querySelector(".output [aria-pressed]").hidden`)).toBe(true)
    await tab.close()
  })

  test("a hidden tab lets go of its connection, and goes on from where it was", async () => {
    const work = await attempt(server)
    await print(work, "one\n")
    const tab = await open(work.id)
    await tab.until(`${SHOWN} === "one\\n"`)
    const hide = (isHidden: boolean): Promise<unknown> =>
      tab.evaluate(`Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true })`)
    const heard = `performance.getEntriesByType("resource").filter(({ name }) => name.includes("/output")).length`
    await hide(true)
    await tab.until(`${heard} === 1`)
    await print(work, "two\n")
    await hide(false)
    await tab.until(`${SHOWN} === "one\\ntwo\\n"`)
    await tab.close()
  })
})
