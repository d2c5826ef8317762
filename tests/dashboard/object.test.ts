import { expect, test } from "bun:test"

import { HOST, type Tab } from "./browser.ts"
import { addressOf, opening, page } from "./opening.ts"

const here = opening()
let tab: Tab

/** Notes what is copied. */
const COPIES = `(() => {
  window.copies = []
  document.addEventListener("copy", () => window.copies.push(document.activeElement.value))
})()`

async function open(path = "/"): Promise<void> {
  tab = await here.open(path)
  await tab.evaluate(COPIES)
}

/** Chooses from the open menu. */
async function choose(label: string): Promise<void> {
  const entries = await tab.until<string[]>(
    `document.querySelector(".menu") && [...document.querySelectorAll(".menu button")].map((one) => one.innerText)`,
  )
  expect(entries).toContain(label)
  await tab.click(`.menu button:nth-child(${entries.indexOf(label) + 1})`)
}

const act = async (id: number, label: string): Promise<void> => {
  await tab.openMenu(`[data-item="${id}"] [aria-haspopup]`)
  await choose(label)
}

page("an item on the page", () => {
  test("is renamed, and keeps its song when the title is taken away", async () => {
    const id = await here.server.add({ song_id: 7, title: "Northern Ligths" })
    await open()
    await act(id, "Rename…")
    await tab.until(`document.activeElement.value === "Northern Ligths"`)
    await tab.type("Northern Lights")
    await tab.press("Enter")
    await tab.until(`document.querySelector(".waiting .name").innerText === "Northern Lights"`)
    expect((await here.server.item(id)).title).toBe("Northern Lights")
    await act(id, "Rename…")
    await tab.evaluate(`document.activeElement.value = ""`)
    await tab.press("Enter")
    await tab.until(`document.querySelector(".waiting .name").innerText === "Song 7"`)
  })

  test("that was deleted by somebody else closes its menu, too", async () => {
    const id = await here.server.add({ song_id: 7 })
    await open(`/items/${id}`)
    await tab.openMenu(".buttons [aria-haspopup]")
    await tab.until(`document.querySelector("[role=menu]")`)
    await here.server.api("DELETE", `/queue/${id}`)
    await tab.until(`document.querySelector("main").innerText.includes("This item was deleted.")`)
    await tab.until(`document.querySelector("[role=menu]") === null`)
  })

  test("is flagged, and the flag is removed", async () => {
    const id = await here.server.add({ song_id: 7, title: "Northern Lights" })
    await here.server.put(id, { status: "processing" })
    await here.server.put(id, { status: "completed" })
    await open(`/items/${id}`)
    await tab.openMenu(".buttons [aria-haspopup]")
    await choose("Flag…")
    await tab.click("dialog .radio:nth-child(3) input")
    // Somebody else is faster.
    await here.server.api("PUT", `/queue/${id}/flag`, { flag: "image_issue" })
    await tab.click("dialog [type=submit]")
    await tab.until(
      `document.querySelector("dialog .problem").innerText.startsWith("It was flagged “image issue” meanwhile.")`,
    )
    await tab.click("dialog [type=submit]")
    await tab.until(`document.querySelector(".facts").innerText.includes("lyrics issue")`)
    expect((await here.server.item(id)).flag).toBe("lyrics_issue")
    await tab.openMenu(".buttons [aria-haspopup]")
    await choose("Flag…")
    expect(
      await tab.evaluate<boolean>(
        `document.querySelector("dialog .radio:nth-child(3) :checked") === document.activeElement`,
      ),
    ).toBe(true)
    await tab.click("dialog .radio:nth-child(1) input")
    await tab.click("dialog [type=submit]")
    await tab.until(`!document.querySelector(".facts").innerText.includes("lyrics issue")`)
    expect((await here.server.item(id)).flag).toBeNull()
    expect(tab.complaints).toEqual([])
  })

  test("gives its link, and the command that adds another like it", async () => {
    const song = {
      song_id: 7,
      title: "Don't stop",
      priority: 3,
      kind: "lyrics",
      totals: { images: 5 },
      tags: ["gpu"],
      metadata: { album: "x" },
    }
    const id = await here.server.add(song)
    await open()
    await act(id, "Copy link")
    await tab.until("window.copies.length === 1")
    await act(id, "Copy as curl")
    await tab.until("window.copies.length === 2")
    const [link, command] = await tab.evaluate<[string, string]>("window.copies")
    expect(link).toBe(`${addressOf(here.server)}/items/${id}`)
    const child = Bun.spawn(["sh", "-c", command.replaceAll(HOST, "127.0.0.1")], {
      stdout: "pipe",
      stderr: "pipe",
    })
    expect(JSON.parse(await new Response(child.stdout).text())).toMatchObject({ id: id + 1, ...song })
  })
})

page("a waiting item", () => {
  test("that is delayed stands apart with its time, and moves up when that has come", async () => {
    const now = await here.server.add({ song_id: 1 })
    const soon = await here.server.add({ song_id: 2, priority: 5, available_in: 6 })
    await here.server.add({ song_id: 3, available_in: 7200 })
    await open()
    const ids = (rows: string): string =>
      `[...document.querySelectorAll(${JSON.stringify(rows)})].map(({ dataset }) => dataset.item).join()`
    await tab.until(`${ids(".section.waiting .row")} === "${now}"`)
    expect(await tab.evaluate<string>(ids(".section.later .row"))).toBe(`${soon},3`)
    // It has no place in the order yet.
    expect(await tab.evaluate<string>(`document.querySelector('[data-item="3"] .place').innerText`)).toBe("")
    expect(await tab.evaluate<string>(`document.querySelector('[data-item="3"] .since').innerText`)).toMatch(
      /^Starts in 1:59:5\d$/,
    )
    await tab.until(`${ids(".section.waiting .row")} === "${soon},${now}"`, 12_000)
    expect(await tab.evaluate<string>(ids(".section.later .row"))).toBe("3")
    await act(3, "Start now")
    await tab.until(`${ids(".section.waiting .row")} === "${soon},${now},3"`)
    await here.server.put(3, { available_in: 7200 })
    await tab.until(`${ids(".section.later .row")} === "3"`)
    // If nothing else waits, the queue is still not empty.
    for (const id of [soon, now]) await here.server.api("DELETE", `/queue/${id}`)
    const waiting = `document.querySelector(".section.waiting").innerText`
    await tab.until(`${waiting}.includes("No song can start now.") && !${waiting}.includes("is empty")`)
  })
})

page("a waiting item that was cancelled", () => {
  test("can be put back for as long as was promised, whatever is done meanwhile", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id })
    await open()
    await act(1, "Cancel")
    await tab.until(`document.querySelector(".toast .undo")`)
    await act(2, "Copy link")
    await act(2, "Copy as curl")
    await tab.click(`[data-item="3"] .quick`)
    await tab.until(`document.querySelector("#toasts").innerText.includes("Song 3 is next")`)
    await tab.click(".toast .undo")
    await tab.until(`document.querySelectorAll(".waiting .row").length === 3`)
  })
})

page("the order of waiting items", () => {
  test("is changed by the menu and by keys, and is the order in which they are taken", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id, ...(song_id === 1 && { priority: 2 }) })
    await open()
    const order = `[...document.querySelectorAll(".waiting .row")].map(({ dataset }) => dataset.item).join()`
    await tab.until(`${order} === "1,2,3"`)
    await act(3, "Move up")
    await tab.until(`${order} === "1,3,2"`)
    await tab.evaluate(`document.querySelector('[data-item="1"] .name').focus()`)
    const alt = async (key: string): Promise<void> => {
      await tab.send("Input.dispatchKeyEvent", { type: "keyDown", key, code: key, modifiers: 1 })
    }
    await alt("ArrowDown")
    await tab.until(`${order} === "3,1,2"`)
    // The focus goes with it.
    await tab.until(`document.activeElement.closest(".row")?.dataset.item === "1"`)
    await alt("ArrowDown")
    await tab.until(`${order} === "3,2,1"`)
    await alt("ArrowUp")
    await tab.until(`${order} === "3,1,2"`)
    await tab.until(`document.querySelector("#announcer").textContent.includes("Song 1 is 3 of 3")`)
    // It moves as often as the key is pressed, however quickly, but not beyond the end.
    for (const key of ["ArrowUp", "ArrowDown", "ArrowDown", "ArrowDown"]) await alt(key)
    await tab.until(`${order} === "3,2,1"`)
    for (const key of ["ArrowUp", "ArrowUp", "ArrowUp"]) await alt(key)
    await tab.until(`${order} === "1,3,2"`)
    const taken: number[] = []
    for (let i = 0; i < 3; i += 1) {
      const claimed = await here.server.api("POST", "/queue/claim", { worker: "w" })
      const { item }: { item: { id: number } } = await claimed.json()
      taken.push(item.id)
    }
    expect(taken).toEqual([1, 3, 2])
  })
})

page("many items", () => {
  test("are selected and cancelled, retried and deleted at once, each after a question", async () => {
    for (const song_id of [1, 2, 3]) await here.server.add({ song_id })
    await open()
    await tab.until(`document.querySelectorAll(".waiting .row").length === 3`)
    await tab.click(".tools > button")
    for (const id of [1, 3]) await tab.click(`.waiting [data-item="${id}"] .check`)
    await tab.until(`document.querySelector(".bulk p").innerText === "2 items selected"`)
    await tab.click(".bulk button:nth-of-type(3)")
    await tab.until(`document.querySelector("dialog").innerText.includes("Cancel 2 items?")`)
    const asked = await tab.evaluate<string>(`document.querySelector("dialog").innerText`)
    expect(asked).toContain("None of them is rendering: nothing is lost.")
    for (const key of ["Tab", "Enter"]) await tab.press(key)
    await tab.until(`document.querySelectorAll(".finished .row").length === 2`)
    // The button cancels nothing any more, and gives the focus away.
    await tab.until(`document.activeElement.innerText === "Done"`)
    expect(await here.server.item(2)).toMatchObject({ status: "queued" })
    // They are still selected, whatever list they are in now.
    await tab.until(`document.querySelector('.finished [data-item="3"] .check').checked`)
    for (const status of ["processing", "completed"]) await here.server.put(2, { status })
    await tab.clickUntil(
      `.finished [data-item="2"] .check`,
      `document.querySelector(".bulk p").innerText === "3 items selected"`,
    )
    await tab.click(".bulk button:nth-of-type(2)")
    // A video that is there would be made once more.
    await tab.until(`document.querySelector("dialog").innerText.includes("1 of them is completed")`)
    await tab.click("dialog [type=submit]")
    await tab.until(`document.querySelectorAll(".waiting .row").length === 3`)
    await tab.click(".bulk button:nth-of-type(1)")
    await tab.until(`document.querySelector(".bulk p").innerText === "3 items selected"`)
    await tab.click(".bulk button:nth-of-type(4)")
    await tab.click("dialog [type=submit]")
    await tab.until(`document.querySelectorAll(".row").length === 0`)
    expect(await tab.evaluate<string>(`document.querySelector(".bulk p").innerText`)).toBe("0 items selected")
    await tab.press("Escape")
    await tab.until(`document.querySelector(".bulk").hidden && document.activeElement.innerText === "Select"`)
    expect(tab.complaints).toEqual([])
  })

  test("are selected as far as they fit the filter", async () => {
    for (const title of ["Northern Lights", "Copper Sky", "Northern Rail"])
      await here.server.add({ song_id: 1, title })
    await open()
    await tab.click("#filter")
    await tab.type("northern")
    await tab.until(`document.querySelectorAll(".waiting .row").length === 2`)
    await tab.click(".tools > button")
    await tab.click(".bulk button:nth-of-type(1)")
    await tab.until(`document.querySelector(".bulk p").innerText === "2 items selected"`)
    await tab.click(".bulk button:nth-of-type(4)")
    await tab.click("dialog [type=submit]")
    await tab.until(`document.querySelector(".toast p")?.innerText === "2 items were deleted"`)
    expect((await here.server.item(2)).title).toBe("Copper Sky")
  })
})
