import { expect, test } from "bun:test"

import { opening, page } from "./opening.ts"

const TRACEBACK = `the command ended with code 1
Traceback (most recent call last):
${Array.from({ length: 40 }, (_, i) => `  File "render.py", line ${i + 1}, in step`).join("\n")}
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB`
const X264 = `the command ended with code 187
[libx264 @ 0x5581f0a3a400] height not divisible by 2 (1280x719)
Error while opening encoder - maybe incorrect parameters such as bit_rate, rate, width or height.
Conversion failed!`

const here = opening()

async function failed(error_message: string): Promise<number> {
  const id = await here.server.add({
    song_id: 7,
    title: "A song whose title is long enough to need its room",
  })
  await here.server.put(id, { status: "processing", progress: 40 })
  await here.server.put(id, { status: "failed", error_message })
  return id
}

page("what has failed", () => {
  test("and is tried again later does not say in which step it is, nor the server's own words", async () => {
    const id = await here.server.add({ song_id: 7 })
    const claim = await here.server.api("POST", "/queue/claim", { worker: "gpu-1" })
    const { lease }: { lease: { token: string } } = await claim.json()
    const headers = { lease: lease.token }
    const report = { progress: 40, current_step: "Rendering video" }
    await here.server.api("POST", `/queue/${id}/progress`, report, headers)
    await here.server.api("POST", `/queue/${id}/fail`, { error_message: X264, retry_in: 600 }, headers)
    const tab = await here.open(`/items/${id}`)
    await tab.until(`document.querySelector(".now .elapsed").innerText.startsWith("retries at ")`)
    expect(await tab.evaluate<string>(`document.querySelector(".now .told").innerText`)).toBe("")
    await tab.until(`document.querySelector(".timeline")?.innerText.includes("Attempt 1 failed, retrying")`)
    expect(await tab.evaluate<string>(`document.querySelector("main").innerText`)).not.toContain("Processing")
    // There is no video yet.
    const facts = `[...document.querySelectorAll("dl.facts dt")].map((name) => name.textContent)`
    const names = await tab.evaluate<string[]>(facts)
    expect([names.includes("Song"), names.includes("Size")]).toEqual([true, false])
  })

  test("before any progress was reported says so, and draws no empty chart", async () => {
    const id = await here.server.add({ song_id: 7 })
    await here.server.put(id, { status: "processing" })
    await here.server.put(id, { status: "failed", error_message: "no space left on device" })
    const tab = await here.open(`/items/${id}`)
    await tab.until(`document.querySelector("main").innerText.includes("No progress was reported.")`)
    expect(await tab.evaluate<boolean>(`document.querySelector("figure.plot").checkVisibility()`)).toBe(false)
    expect(await tab.evaluate<string>(`document.querySelector(".now .elapsed").innerText`)).not.toBe(
      "after 0:00",
    )
    // The next attempt is drawn as soon as it runs.
    await here.server.api("POST", `/queue/${id}/retry`)
    await here.server.put(id, { status: "processing", progress: 10 })
    await tab.until(`document.querySelector("figure.plot").checkVisibility()`)
    expect(await tab.evaluate<string>(`document.querySelector("main").innerText`)).not.toContain(
      "No progress was reported.",
    )
  })

  test("stands in front with its cause, readable without a click at 1280 and 390 pixels", async () => {
    await failed("")
    await failed(TRACEBACK)
    await failed(X264)
    for (const options of [{ width: 1280, height: 900, phone: false }, { phone: true }]) {
      const tab = await here.open("/", options)
      const causes = `[...document.querySelectorAll(".section.failed .cause")]`
      await tab.until(`${causes}.length === 3`)
      expect(await tab.evaluate<string[]>(`${causes}.map((cause) => cause.innerText)`)).toEqual([
        "libx264: height not divisible by 2 (1280x719)",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "No reason was given",
      ])
      const hidden = `${causes}.filter((cause) => {
        const { bottom, right } = cause.getBoundingClientRect()
        return bottom > innerHeight || right > innerWidth || cause.scrollWidth > cause.clientWidth + 1 || cause.scrollHeight > cause.clientHeight + 1
      }).length`
      expect(await tab.evaluate<number>(hidden)).toBe(0)
      // On a phone it has the room below the buttons as well.
      const goesOn = `${causes}.every((cause) => cause.getBoundingClientRect().right >
        cause.closest(".row").querySelector(".actions").getBoundingClientRect().left)`
      expect(await tab.evaluate<boolean>(goesOn)).toBe(options.phone === true)
      expect(tab.complaints).toEqual([])
    }
    // So does the view of all that have failed.
    const tab = await here.open("/?status=failed", { phone: true })
    const errors = `[...document.querySelectorAll(".finished .row .error")]`
    const isCut = `(error) => error.scrollHeight > error.clientHeight + 1`
    // A row that has just come may not have its height yet.
    await tab.until(`${errors}.length === 3 && !${errors}.some(${isCut})`)
  })

  test("is retried all at once, after a question", async () => {
    for (const error of [X264, TRACEBACK, "no frames", "no frames", "no frames"]) await failed(error)
    const tab = await here.open()
    await tab.until(`document.querySelectorAll(".section.failed .row").length === 3`)
    await tab.click(".retry-all")
    await tab.until(`document.querySelector("dialog").innerText.includes("Retry 5 failed renders?")`)
    // What undo does not bring back is said before.
    await tab.until(
      `document.querySelector("dialog").innerText.includes("Why they failed stays in their histories.")`,
    )
    for (const key of ["Tab", "Enter"]) await tab.press(key)
    await tab.until(`document.querySelectorAll(".waiting .row").length === 5`)
    await tab.until(`document.querySelector(".section.failed").hidden`)
    // The button that had the focus is gone.
    await tab.until(`document.activeElement.tagName === "H1"`)
    expect(await tab.until<string>(`document.querySelector(".toast p").innerText`)).toBe(
      "5 items are back in the queue",
    )
    expect(await tab.evaluate<string>(`document.querySelector(".toast .undo").innerText`)).toBe("Cancel them")
    await tab.click(".toast .undo")
    await tab.until(`document.querySelector(".toast p").innerText === "5 items were cancelled"`)
    await tab.until(`document.querySelectorAll(".waiting .row").length === 0`)
  })

  test("shows the end of its error on its page, all of it when asked, and copies it", async () => {
    const id = await failed(TRACEBACK)
    const tab = await here.open(`/items/${id}`)
    const text = `document.querySelector(".failure pre").innerText`
    expect(await tab.until<string>(`document.querySelector(".failure .cause").innerText`)).toBe(
      "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    )
    expect(await tab.evaluate<string>(text)).toEndWith("Tried to allocate 2.00 GiB")
    expect(await tab.evaluate<string>(text)).not.toContain("the command ended")
    await tab.click(".failure button")
    await tab.until(`${text}.startsWith("the command ended with code 1")`)
    // The copied text can be pasted.
    await tab.click(".failure button + button")
    await tab.until(`document.querySelector(".toast")?.innerText.includes("Copied the error")`)
    const pasted = `(() => {
      const area = document.createElement("textarea")
      document.body.append(area)
      area.focus()
      document.execCommand("paste")
      return area.value
    })()`
    const found = await tab.evaluate<string>(pasted)
    // Without the right to read the clipboard nothing can be pasted.
    if (found !== "") expect(found).toBe(TRACEBACK)
    // Its history, which comes later, shows the one line.
    expect(await tab.until<string>(`document.querySelector(".timeline > li .detail")?.innerText`)).toBe(
      "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    )
    // The history and the details stand beside each other where there is room.
    const tops = `new Set([...document.querySelectorAll(".item .columns > *")].map((one) => one.getBoundingClientRect().top)).size`
    expect(await tab.evaluate<number>(tops)).toBe(1)
    // The end is seen, also of a text that has few lines but a very long one.
    await tab.go(tab.at(`/items/${await failed(`${"word ".repeat(3000)}\nRuntimeError: boom`)}`))
    await tab.until(`document.querySelector(".failure pre").scrollTop > 100`)
    const isAtEnd = `(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - clientHeight - scrollTop < 2)(document.querySelector(".failure pre"))`
    expect(await tab.evaluate<boolean>(isAtEnd)).toBe(true)
  })
})

page("what was cancelled", () => {
  test("is grey everywhere, and no failure", async () => {
    const id = await here.server.add({ song_id: 7, title: "Northern Lights" })
    const claim = await here.server.api("POST", "/queue/claim", { worker: "gpu-1" })
    const { lease }: { lease: { token: string } } = await claim.json()
    await here.server.api("POST", `/queue/${id}/progress`, { progress: 40 }, { lease: lease.token })
    await here.server.api("POST", `/queue/${id}/cancel`)
    await here.server.api("POST", `/queue/${id}/fail`, { error_message: "stopped" }, { lease: lease.token })
    const tab = await here.open()
    await tab.until(`document.querySelector(".finished .row")?.innerText.includes("Cancelled")`)
    expect(await tab.evaluate<number>(`document.querySelectorAll('main [data-tone="bad"]').length`)).toBe(0)
    expect(await tab.evaluate<boolean>(`document.querySelector(".section.failed").hidden`)).toBe(true)
    const red = await tab.evaluate<string>(`(() => {
      const probe = document.createElement("p")
      probe.style.color = "var(--bad)"
      document.body.append(probe)
      return getComputedStyle(probe).color
    })()`)
    const reds = `[...document.querySelectorAll("main *:not(.danger, .danger *)")].filter((one) => {
      const { color, stroke } = getComputedStyle(one)
      return one.checkVisibility() && (color === ${JSON.stringify(red)} || stroke === ${JSON.stringify(red)})
    }).length`
    expect(await tab.evaluate<number>(reds)).toBe(0)
    await tab.click(".choice button:nth-child(3)")
    await tab.until(`document.querySelector(".finished .none").innerText === "No failed renders."`)
    await tab.click(".choice button:nth-child(4)")
    await tab.until(`document.querySelector(".finished .row")`)
    await tab.click(".finished .name")
    await tab.until(`document.querySelector(".item .failure")`)
    expect(await tab.evaluate<number>(reds)).toBe(0)
    expect(await tab.evaluate<number>(`document.querySelectorAll('main [data-tone="bad"]').length`)).toBe(0)
  })
})
