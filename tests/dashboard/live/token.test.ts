import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { openAccessBeside } from "../../../src/store/sqlite/open-tokens.ts"
import { bearer, known, tokenOf } from "../../http/tokens.ts"
import { start } from "../../server.ts"
import { Browser, hasChromium, type Tab } from "../browser.ts"
import { addressOf, LIVE } from "../opening.ts"

setDefaultTimeout(300_000)

let browser: Browser
beforeAll(async () => {
  if (hasChromium) browser = await Browser.start()
})
afterAll(async () => {
  if (hasChromium) await browser.stop()
})

const ASKS = `document.querySelector("dialog")?.open === true`
const ROWS = `[...document.querySelectorAll("[data-item]")].map(({ dataset }) => dataset.item).join()`

/** The names of the visible buttons in an element. */
const OFFERED_IN = (within: string): string =>
  `[...document.querySelectorAll("${within} button")].filter((one) => one.checkVisibility()).map((one) => one.innerText.trim() || one.title)`
const OFFERED = OFFERED_IN("body")
/** The first words of buttons that change something. */
const ACTS = /^(Add|Cancel|Pause|Resume|Retry|Run|Move|Set|Select|Delete|Rename|Flag)\b/

/** A script that collects in `seen` the changes that the page has offered in any of its frames. */
const WATCHED = `globalThis.seen = new Set()
  ;(function look() {
    if (document.body) for (const name of ${OFFERED_IN("body > :not(dialog)")}) if (${ACTS}.test(name)) seen.add(name)
    requestAnimationFrame(look)
  })()`

/** The changes that the page offers, each once. */
async function acts(tab: Tab): Promise<string[]> {
  const names = await tab.evaluate<string[]>(OFFERED)
  return [...new Set(names.filter((name) => ACTS.test(name)))].sort()
}

/** Waits until the page has reloaded itself, which ends the evaluation of a script. */
async function reloaded(tab: Tab, expression: string): Promise<void> {
  for (;;) {
    try {
      await tab.until(expression)
      return
    } catch (error) {
      if (!(error instanceof Error && error.message.includes("navigated"))) throw error
    }
  }
}

/** Enters the token into the dialog that asks for it. */
async function enter(tab: Tab, token: string): Promise<void> {
  await tab.until(ASKS)
  await tab.click("dialog input")
  await tab.type(token)
  await tab.click("dialog [type=submit]")
  await reloaded(tab, LIVE)
}

describe.skipIf(!hasChromium)("a page of a server with tokens", () => {
  test.each([1280, 390])("at a width of %d it asks for a token, keeps it, and forgets it", async (width) => {
    await using server = await start()
    const id = await server.add({ song_id: 1, title: "Northern Lights" })
    const token = await tokenOf(server, "operator")
    await known(server, token)
    const tab = await browser.open(addressOf(server), { width, phone: width < 500, before: WATCHED })
    await tab.until(ASKS)
    // Nothing is offered for a moment either, before the page knows what the reader may do.
    expect(await tab.evaluate<string[]>(`[...seen]`)).toEqual([])
    // No place is kept for buttons and lists that may never come.
    await tab.until(`!document.querySelector("#add").checkVisibility()`)
    await tab.until(`document.documentElement.scrollHeight <= innerHeight`)
    // The command that creates a token stands in one line.
    expect(await tab.evaluate(`document.querySelector("dialog code").getClientRects().length`)).toBe(1)
    await enter(tab, token)
    await tab.until(`${ROWS} === "${id}"`)
    expect(await tab.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true)
    await tab.go(addressOf(server))
    await tab.until(LIVE)
    // The lists move what stands below them when they come.
    await tab.until(`${ROWS} === "${id}"`)
    await tab.click("#token")
    await reloaded(tab, ASKS)
    expect(tab.complaints.filter((said) => !said.includes("401"))).toEqual([])
    await tab.close()
  })

  test.each(["viewer", "operator", "share link"] as const)(
    "a reader with the token of a %s is offered what the server would accept, and reads why it is not more",
    async (who) => {
      await using server = await start()
      const failed = await server.add({ song_id: 1, title: "Copper Sky" })
      for (const status of ["processing", "failed"]) await server.put(failed, { status })
      const running = await server.add({ song_id: 2, title: "Northern Lights" })
      await server.put(running, { status: "processing" })
      await server.add({ song_id: 3, title: "Glasshouse" })
      const isShared = who === "share link"
      const token = await tokenOf(server, isShared ? "viewer" : who, isShared ? { item: failed } : {})
      await known(server, token)
      const tab = await browser.open(`${addressOf(server)}/items/${failed}#token=${token}`, {
        bypassPolicy: true,
      })
      const said = `(document.querySelector("#rights:not([hidden]) p")?.textContent ?? "")`
      if (who === "operator") await tab.until(`${OFFERED}.includes("Retry")`)
      else await tab.until(`${said}.startsWith("View only: ")`)
      await tab.until(`${LIVE} && document.querySelector("h1")?.textContent === "Copper Sky"`)
      expect(await acts(tab)).toEqual(who === "operator" ? ["Add a song", "Retry"] : [])
      await tab.click(".item-head [aria-haspopup=menu]")
      const menu = ["Copy link", ...(who === "operator" ? ["Copy as curl", "Delete…", "Rename…"] : [])]
      expect(await tab.evaluate(`${OFFERED_IN("[role=menu]")}.sort()`)).toEqual(menu.sort())
      await tab.press("Escape")
      await tab.click("#brand")
      await tab.until(`${ROWS} !== ""`)
      const all = ["Add a song", "Cancel", "Pause the queue", "Retry", "Retry all failed", "Select"]
      expect(await acts(tab)).toEqual(who === "operator" ? all : [])
      const shown = await tab.evaluate<string>(said)
      // A share link says nothing about the queue, which it does not show.
      const others = `[...document.querySelectorAll(".figure, .empty")].some((one) => one.checkVisibility())`
      expect(await tab.evaluate<boolean>(others)).toBe(!isShared)
      expect(await tab.objections()).toEqual([])
      if (who === "operator") expect(shown).toBe("")
      else expect(shown).toContain(isShared ? `item ${failed} and nothing else` : "role operator")
      // Another item may exist all the same.
      const none = `There is no item 99${isShared ? ", or this link does not show it" : ""}.`
      await tab.go(tab.at("/items/99"))
      await tab.until(`document.querySelector(".gone p").innerText === "${none}"`)
      await tab.close()
    },
  )

  test("a reader with the token of a worker reads once why nothing is shown, and is offered nothing else", async () => {
    await using server = await start()
    const id = await server.add({ song_id: 1, title: "Northern Lights" })
    const token = await tokenOf(server, "worker")
    await known(server, token)
    for (const path of ["/", `/items/${id}`]) {
      const tab = await browser.open(`${addressOf(server)}${path}#token=${token}`, { bypassPolicy: true })
      await tab.until(
        `document.querySelector("#badge").dataset.state === "refused" && !document.querySelector("#rights").hidden`,
      )
      // What is read aloud as well comes a moment later.
      await tab.evaluate(`document.querySelector("#announcer").remove()`)
      const said = await tab.evaluate<string>(`document.body.innerText`)
      expect(said.match(/\brole worker\b/g)).toHaveLength(1)
      expect(await acts(tab)).toEqual([])
      expect(await tab.evaluate<string[]>(OFFERED)).toContain("Use another token")
      expect(await tab.objections()).toEqual([])
      await tab.close()
    }
  })

  test("a token that is revoked ends what is shown as live, and another one is asked for", async () => {
    await using server = await start()
    await server.add({ song_id: 1 })
    const token = await tokenOf(server, "viewer")
    await known(server, token)
    const tab = await browser.open(addressOf(server))
    await enter(tab, token)
    await tab.click("#keys")
    const beside = openAccessBeside(server.database)
    await beside.access.revokeToken(1)
    beside.close()
    // What is typed in another dialog at that moment must not go into this one.
    await tab.until(`document.querySelector("#badge").dataset.state === "refused"`)
    expect(await tab.evaluate(`document.querySelectorAll("dialog").length`)).toBe(1)
    await tab.press("Escape")
    await tab.until(ASKS)
    expect(await tab.evaluate(`document.querySelector("#badge").dataset.state`)).not.toBe("live")
    expect(await tab.evaluate(`document.querySelector("dialog h2").textContent`)).toBe(
      "Your token is not accepted",
    )
    // Nor is anything said of what a reader may do who may do nothing.
    expect(await tab.evaluate(`document.querySelector("#rights").hidden`)).toBe(true)
    await tab.press("Escape")
    // It tells the reader what to do, and does not mention headers.
    const banner = `document.querySelector("#banner").innerText`
    await tab.until(
      `${banner}.startsWith("Your token is not accepted") && !${banner}.includes("Authorization")`,
    )
    await tab.click("#banner button")
    await tab.until(ASKS)
    await tab.close()
  })

  test("where the browser keeps nothing, a share link and a token that is entered still work", async () => {
    await using server = await start()
    const id = await server.add({ song_id: 1, title: "Northern Lights" })
    const [own, shared] = [await tokenOf(server, "operator"), await tokenOf(server, "viewer", { item: id })]
    await known(server, shared)
    const forbid = `for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError") } })`
    const base = addressOf(server)
    const link = await browser.open(`${base}/items/${id}#token=${shared}`, { before: forbid })
    await link.until(`${LIVE} && document.querySelector("h1")?.textContent === "Northern Lights"`)
    await link.close()
    const tab = await browser.open(base, { before: forbid })
    await enter(tab, own)
    await tab.until(`${ROWS} === "${id}"`)
    expect(await tab.evaluate(`location.hash`)).toBe("")
    await tab.close()
  })

  test("a share link opens where the page is already, and to forget its token leaves the reader's own", async () => {
    await using server = await start()
    const [mine, other] = [await server.add({ song_id: 1 }), await server.add({ song_id: 2 })]
    const [own, shared] = [await tokenOf(server, "viewer"), await tokenOf(server, "viewer", { item: mine })]
    await known(server, shared)
    const base = addressOf(server)
    // If a link was cut off, nothing of the token stays in the address.
    const tab = await browser.open(`${base}/#token=tsk_half`)
    await tab.until(ASKS)
    expect(await tab.evaluate(`location.hash + document.querySelector("dialog h2").textContent`)).toBe(
      "This server needs a token",
    )
    await enter(tab, own)
    // At the path of the open page, as when a link is pasted.
    await tab.evaluate(`void (location.hash = "#token=${shared}")`)
    await reloaded(tab, `${LIVE} && ${ROWS} === "${mine}" && location.hash === ""`)
    await tab.click("#token")
    await reloaded(tab, `${LIVE} && ${ROWS}.split(",").sort().join() === "${mine},${other}"`)
    await tab.close()
  })

  test("a share link shows its item and no other, and its token is not in the address", async () => {
    await using server = await start()
    const mine = await server.add({ song_id: 1, title: "Northern Lights" })
    await server.add({ song_id: 2, title: "Secret Song" })
    const [admin, shared] = [await tokenOf(server, "admin"), await tokenOf(server, "viewer", { item: mine })]
    await known(server, shared)
    const tab = await browser.open(`${addressOf(server)}/items/${mine}#token=${shared}`)
    await tab.until(LIVE)
    await tab.until(`document.querySelector("h1")?.textContent.includes("Northern Lights")`)
    expect(await tab.evaluate(`location.hash`)).toBe("")
    // This reader may not know how long the queue is, and the page does not guess it.
    await tab.until(`document.querySelector(".now .left").innerText === "Waiting"`)
    await tab.until(`document.querySelector(".now .elapsed").innerText.startsWith("for ")`)
    await server.api("PUT", `/queue/${mine}`, { message: "seen" }, bearer(admin))
    await tab.until(`document.body.textContent.includes("seen")`)
    await tab.click("#brand")
    await tab.until(`${ROWS} === "${mine}"`)
    expect(await tab.evaluate(`document.querySelector(".row .place").innerText`)).toBe("")
    expect(await tab.evaluate(`document.body.textContent.includes("Secret")`)).toBe(false)
    await tab.close()
    // Of a link that has expired the page says so, and shows no empty parts of an item.
    const old = await tokenOf(server, "viewer", { item: mine, expiresAt: "2020-01-01T00:00:00.000Z" })
    const late = await browser.open(`${addressOf(server)}/items/${mine}#token=${old}`, { bypassPolicy: true })
    await late.until(ASKS)
    expect(await late.evaluate<string>(`document.querySelector("dialog h2").textContent`)).toBe(
      "This link is not accepted",
    )
    await late.press("Escape")
    await late.until(`document.querySelector("#banner").innerText.includes("has expired")`)
    expect(await late.evaluate<string>(`document.querySelector("main").innerText`)).toMatch(
      /^Render queue\s+#1\s*$/,
    )
    expect(await late.objections()).toEqual([])
    await late.close()
  })
})
