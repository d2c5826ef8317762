import { describe, expect, setDefaultTimeout, test } from "bun:test"

import { start } from "../server.ts"
import { Browser, hasChromium, HOST } from "./browser.ts"

// The first run may have to install Chromium.
setDefaultTimeout(300_000)

describe.skipIf(!hasChromium)("a progress that is a guess", () => {
  test("is hatched and named as one, and a counted one is not", async () => {
    await using server = await start()
    const browser = await Browser.start()
    try {
      for (const [title, basis] of [
        ["Guessed", "guess"],
        ["Counted", "counted"],
      ] as const) {
        const id = await server.add({ song_id: title.length, title })
        const report = await server.api("POST", `/queue/${id}/progress`, { progress: 45, basis })
        expect(report.status).toBe(200)
      }
      const tab = await browser.open(server.url.replace("127.0.0.1", HOST))
      await tab.until(`document.querySelectorAll(".lane .wave").length === 2`)
      const seen = await tab.evaluate(
        `[...document.querySelectorAll(".lane .wave")].map((wave) => [
          wave.getAttribute("aria-label"),
          getComputedStyle(wave.querySelector(".wave-done svg")).maskImage !== "none",
          getComputedStyle(wave.closest(".lane").querySelector(".percent"), "::before").content,
        ])`,
      )
      expect(seen).toEqual([
        ["Progress of Guessed, a guess", true, '"about "'],
        ["Progress of Counted", false, "none"],
      ])
      // On the page of the item it is said in words, which need no pointer.
      for (const [title, isSaid] of [
        ["Guessed", true],
        ["Counted", false],
      ] as const) {
        await tab.evaluate(
          `[...document.querySelectorAll(".lane .name")].find((one) => one.innerText === "${title}").click()`,
        )
        await tab.until(`document.querySelector(".item h1")?.innerText === "${title}"`)
        const told = await tab.evaluate<string>(`document.querySelector(".now .told").innerText`)
        expect(told.includes("a guess, from a progress bar that may not be the whole")).toBe(isSaid)
        await tab.evaluate("history.back()")
        await tab.until(`document.querySelectorAll(".lane .name").length === 2`)
      }
      await tab.close()
    } finally {
      await browser.stop()
    }
  })
})
