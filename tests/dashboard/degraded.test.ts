import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { DEGRADED } from "../../src/degraded-reasons.ts"
import type { Tab } from "./browser.ts"
import { opening, page } from "./opening.ts"

const here = opening()

const FACTS = `document.querySelector("#facts").innerText.replace("The database", "the database")`
const TOPS = `JSON.stringify([...document.querySelectorAll("main, main h2, .lane")].map((one) => one.getBoundingClientRect().top))`

page("a server that is degraded", () => {
  test("is told in plain words, with the way out, and nothing on the page moves", async () => {
    const id = await here.server.add({ song_id: 7, title: "Sunrise" })
    await here.server.put(id, { status: "processing", progress: 40 })
    const tabs: [Tab, string][] = []
    for (const options of [{ width: 1440 }, { phone: true }]) {
      const tab = await here.open("/", options)
      // The reader's rights have come, and with them the buttons.
      await tab.until(`document.querySelector(".lane") && document.querySelector("#add").checkVisibility()`)
      tabs.push([tab, await tab.evaluate<string>(TOPS)])
    }
    const other = new Database(here.server.database)
    other.run("BEGIN IMMEDIATE")
    expect((await here.server.api("PUT", `/queue/${id}`, { title: "Sunset" })).status).toBe(503)
    const { title, about } = DEGRADED.database_unwritable
    for (const [tab, tops] of tabs) {
      await tab.until(`document.querySelector("#badge .detail").innerText === ${JSON.stringify(title)}`)
      await tab.until(`document.querySelector("#announcer").innerText.includes(${JSON.stringify(title)})`)
      expect(await tab.evaluate<string>(TOPS)).toBe(tops)
      await tab.click("#badge")
      await tab.until(`${FACTS}.includes(${JSON.stringify(about)})`)
    }
    other.run("COMMIT")
    other.close()
    for (const [tab, tops] of tabs) {
      await tab.until(`!${FACTS}.includes(${JSON.stringify(about)})`)
      await tab.until(`!document.querySelector("#badge").hasAttribute("data-warns")`)
      expect(await tab.evaluate<string>(TOPS)).toBe(tops)
    }
  }, 180_000)
})
