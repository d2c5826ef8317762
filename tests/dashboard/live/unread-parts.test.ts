import { expect, test } from "bun:test"

import type { Tab } from "../browser.ts"
import { LIVE, opening, page } from "../opening.ts"

const here = opening()
/** Requests for these are answered with a fault of the server. */
let refused: RegExp | undefined

const FAULT = { error: "the database file is damaged", code: "internal", request_id: "1" }

/** Opens a page through a proxy that refuses some requests; ends both afterwards. */
async function open(path: string): Promise<AsyncDisposable & { readonly tab: Tab }> {
  const proxy = Bun.serve({
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      if (refused?.test(pathname + search)) return Response.json(FAULT, { status: 500 })
      const { method, headers, body, signal } = request
      return await fetch(here.server.url + pathname + search, {
        method,
        headers,
        body,
        signal,
        decompress: false,
      })
    },
  })
  const tab = await here.browser.open(`http://127.0.0.1:${proxy.port}${path}`, { bypassPolicy: true })
  await tab.until(LIVE)
  return {
    tab,
    async [Symbol.asyncDispose]() {
      refused = undefined
      await tab.close()
      await proxy.stop(true)
    },
  }
}

const BADGE = `document.querySelector("#badge").innerText.replaceAll("\\n", " ").trim()`
const BANNER = `[...document.querySelectorAll("#banner:not([hidden]) p")].map((one) => one.innerText).join()`
const names = (list: string): string =>
  `[...document.querySelectorAll(${JSON.stringify(`.${list} [data-item] .name`)})].map((one) => one.innerText).join()`

/** Adds one item that runs, one that waits, and one that has failed; returns the ID of the one that runs. */
async function fill(): Promise<number> {
  const running = await here.server.add({ song_id: 1, title: "Running song" })
  await here.server.put(running, { status: "processing", progress: 40 })
  await here.server.add({ song_id: 2, title: "Waiting song" })
  const failed = await here.server.add({ song_id: 3, title: "Failed song" })
  await here.server.put(failed, { status: "processing" })
  await here.server.put(failed, { status: "failed", error_message: "disk full" })
  return running
}

page("what cannot be loaded", () => {
  test("of one list takes nothing from the others, is named with the reason, and is there after the retry", async () => {
    await fill()
    refused = /status=failed/
    await using opened = await open("/")
    const { tab } = opened
    await tab.until(`${BANNER} === "Can't load the finished items: The database file is damaged."`)
    expect(await tab.evaluate<string>(BADGE)).toBe("Live not all loaded")
    expect(await tab.evaluate<string>(names("running"))).toBe("Running song")
    expect(await tab.evaluate<string>(names("waiting"))).toBe("Waiting song")
    const place = `document.querySelector(".finished").innerText`
    expect(await tab.evaluate<string>(place)).toContain("Could not be loaded.")
    expect(await tab.evaluate<string>(place)).not.toContain("appear here")
    await tab.until(`document.querySelector("#announcer").innerText.includes("finished items")`)
    expect(await tab.objections()).toEqual([])
    refused = undefined
    await tab.click("#banner button")
    await tab.until(`${names("finished")} === "Failed song" && ${BANNER} === ""`)
    await tab.until(`${BADGE} === "Live up to date"`)
  })

  test("of all lists is not called live, and they are there without a click once they can be read", async () => {
    await fill()
    refused = /\/queue\?/
    await using opened = await open("/")
    const { tab } = opened
    await tab.until(`${BANNER} === "Can't load the queue: The database file is damaged."`)
    expect(await tab.evaluate<string>(BADGE)).toBe("Not loaded")
    refused = undefined
    await tab.until(`${names("running")} === "Running song" && ${BANNER} === ""`)
  })

  test("of the figures and the workers is named, too", async () => {
    await fill()
    await using opened = await open("/")
    const { tab } = opened
    await tab.until(`${names("running")} === "Running song"`)
    await tab.until(`document.querySelector(".lately").innerText.includes("Today")`)
    refused = /counts|workers/
    // They stay, and how old they are is said.
    const old = `/^Can't load the figures and the workers: The database file is damaged\\. Those shown are as of \\d\\d:\\d\\d:\\d\\d\\.$/`
    await tab.until(`${old}.test(${BANNER})`)
    expect(await tab.evaluate<string>(`document.querySelector(".lately").innerText`)).toContain("Today")
    refused = undefined
    await tab.click("#banner button")
    await tab.until(`${BANNER} === ""`)
  })

  test("of an item's history is named, and the page does not say that there is none", async () => {
    const id = await fill()
    refused = /\/updates/
    await using opened = await open(`/items/${id}`)
    const { tab } = opened
    await tab.until(`${BANNER} === "Can't load the history of this item: The database file is damaged."`)
    await tab.until(`document.querySelector("#heading-plot").checkVisibility()`)
    expect(await tab.evaluate<string>(`document.querySelector("main").innerText`)).not.toContain(
      "The chart appears",
    )
    await tab.evaluate(`document.querySelector(".back").click()`)
    await tab.until(`${BANNER} === ""`)
  })

  test("of a search is named until the reader stops to search", async () => {
    await fill()
    await using opened = await open("/")
    const { tab } = opened
    await tab.until(`${names("running")} === "Running song"`)
    refused = /[?&]q=/
    await tab.press("/")
    await tab.until(`document.activeElement.id === "filter"`)
    await tab.type("Failed")
    await tab.until(`${BANNER} === "Can't load the search results: The database file is damaged."`)
    await tab.evaluate(`document.querySelector("#filter").value = ""`)
    await tab.evaluate(`document.querySelector("#filter").dispatchEvent(new Event("input"))`)
    await tab.until(`${BANNER} === ""`)
  })
})
