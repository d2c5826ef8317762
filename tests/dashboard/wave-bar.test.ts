import { expect, test } from "bun:test"

import { opening, page } from "./opening.ts"

const here = opening()

/** How much of the wave is uncovered, in percent. */
const PLACE = `(() => {
  const [wave, done] = [".lane .wave", ".lane .wave-done"].map((one) => document.querySelector(one).getBoundingClientRect())
  return ((done.right - wave.left) / wave.width) * 100
})()`

page("a bar", () => {
  test("does not go back when the connection is lost", async () => {
    const id = await here.server.add({ song_id: 7 })
    await here.server.put(id, { status: "processing", progress: 1 })
    const tab = await here.open()
    for (let progress = 2; progress <= 39; progress += 1) await here.server.put(id, { progress })
    // From a place that is near it goes on by itself.
    await tab.until(`document.querySelector(".lane .wave").getAttribute("aria-valuenow") === "39"`)
    await here.server.put(id, { progress: 40 })
    const place = await tab.until<number>(`${PLACE} > 40.3 && ${PLACE}`)
    await here.server.end("SIGKILL")
    await tab.until(`document.querySelector("#badge").dataset.state === "reconnecting"`)
    await tab.until(`document.querySelector(".lane .wave-done").getAnimations().length === 0`)
    expect(await tab.evaluate<number>(PLACE)).toBeGreaterThanOrEqual(place)
  }, 60_000)
})
