import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { Browser, hasChromium, type Tab } from "../browser.ts"
import { page } from "../opening.ts"
import type { Parts } from "./parts.ts"

setDefaultTimeout(300_000)
let browser: Browser
let tab: Tab
let server: Bun.Server<undefined>

const DOCUMENT = `<!doctype html><body><aside id="toasts"></aside><div id="announcer"></div><script type="module" src="/page/parts.js"></script>`

beforeAll(async () => {
  if (!hasChromium) return
  const built = await Bun.build({ entrypoints: [join(import.meta.dir, "parts.ts")], target: "browser" })
  const script = await built.outputs[0]?.text()
  const type = { headers: { "content-type": "text/javascript" } }
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      url.endsWith(".js")
        ? new Response(script, type)
        : new Response(DOCUMENT, { headers: { "content-type": "text/html" } }),
  })
  browser = await Browser.start()
  tab = await browser.open(server.url.href)
  await tab.until("parts")
})
afterAll(async () => {
  if (!hasChromium) return
  await browser.stop()
  await server.stop(true)
})

const shown = <K extends keyof Parts>(name: K): Promise<Awaited<ReturnType<Parts[K]>>> =>
  tab.evaluate<Awaited<ReturnType<Parts[K]>>>(`parts.${name}()`)

page("a part of the page", () => {
  test("shows three tags and how many more there are, how an attempt ended, and an error only of what failed", async () => {
    expect(await shown("rows")).toEqual({
      tags: ["a b c", "a b c +1", "a b c +2"],
      missing: ["a", "a, b, c", "a, b, c and 2 more"].map((tags) => `No worker offers ${tags}`),
      attempts: ["interrupted", "lost its worker", "failed"].map(
        (end) => `#1 · song 1 · attempt 2 of 3 ${end}`,
      ),
      errors: [true, false],
    })
  })

  test("names the command for a worker of this server only if one is needed, and each tag once", async () => {
    const start = "track-studio work --server HERE"
    expect(await shown("idle")).toEqual({
      none: `2 songs wait for a worker. Start one: ${start} --tags gpu,4k --exec ./render.sh`,
      stopping: `2 songs wait for a worker. Start one: ${start} --exec ./render.sh`,
      ready: "Nothing is rendering. 1 worker is ready.",
      paused: "The queue is paused, and nothing is rendering.",
      later: `Nothing is rendering. Start a worker: ${start} --tags gpu --exec ./render.sh`,
      viewer: ["2 songs wait for a worker.", "Nothing is rendering.", "Songs wait for a worker."],
    })
  })

  test("shows the latest of a long history first, and earlier entries below them", async () => {
    const { seen, focused, stretch } = await shown("history")
    // The button is gone then.
    expect(focused).toBe("Note 50")
    expect(seen).toEqual([
      ["Note 250", "Note 151", "Show 100 earlier of 150"],
      ["Note 250", "Note 51", "Show 50 earlier of 50"],
    ])
    // A step that is opened goes on.
    expect(stretch).toEqual([
      ["0 to 100% · 101 updates in 1:40", "Frame 100", "Frame 1", "and 1 earlier update"],
      ["0 to 101% · 102 updates in 1:41", "Frame 101", "Frame 2", "and 2 earlier updates"],
    ])
  })

  test("shows a long list bit by bit, and asks for the rest of one that is cut", async () => {
    expect(await shown("lists")).toEqual([
      [
        [10, "Show 40 more of 50", 0],
        [50, "Show 10 more", 0],
        [60, "", 0],
      ],
      // How many there are in all is not known.
      [
        [10, "Show 40 more", 0],
        [50, "Show 10 more", 0],
        [60, "Show more", 1],
      ],
    ])
  })

  test("draws each attempt to where it ended, and the steps of the latest one for as long as they took", async () => {
    const { name, ends, ended, running } = await shown("course")
    expect(name).toEndWith(", 2 attempts")
    // Both attempts end at 49 % of 220 pixels.
    expect(ends.map((end) => end?.split(" ")[1])).toEqual(["112.2", "112.2"])
    expect(ends[1]).toStartWith("1000.0 ")
    expect(ended).toEqual(["Images, 4:59", "Video, 3:20"])
    expect(running[1]).toBe("Video, 1:09:58")
  })

  test("draws another line when progress begins again, and the end of each attempt of very many points", async () => {
    // At 30, 20, 50 and 40 % of 220 pixels.
    expect(await shown("lines")).toEqual({
      ...{ again: ["154.0", "176.0"], many: ["110.0", "132.0"] },
      names: ["Reported by the worker", "Earlier progress"],
      // The last time ends where the plot does, at the latest.
      last: ["+20:00", 0],
    })
  })

  test("shows a bar that glides on when it is new, and when it has jumped, before anything more is reported", async () => {
    const places = ["40%", "60%", "40.95%", "60.95%"]
    expect(await shown("barsGoOn")).toEqual(places.map((place) => `translateX(${place})`))
  })

  test("shows a bar that has jumped at its place soon, even if more is reported on its way", async () => {
    expect(await shown("barThatJumps")).toEqual(["0.70s", "0.70s"])
  })

  test("leads from the last match to the first one, and back", async () => {
    expect(await shown("matchesFound")).toEqual(["3 of 3", "1 of 3", "3 of 3"])
  })

  test("says what each worker does, in their order, and hides workers only if there are several to hide", async () => {
    expect(await shown("workers")).toEqual({
      doing: [
        "idle 1 min",
        "away 30 s",
        "stopping (#1\u00a010%)",
        "drained (away\u00a030\u00a0s)",
        "#1 10% and 1 more",
        "#1 completed",
      ],
      // Without a connection nothing counts on.
      lost: "idle 20 s",
      many: ["8", "9", "8, 2 more workers", "8, 3 more workers"],
      here: ["w-0", "w-1", "w-2", "w-3", "w-4", "w-5", "w-10", "w-11"],
      joined: ["w-1", "w-2", "w-3", "w-10", 0, 1],
      // While the reader is in a list, the same ones stay, also if others come first, and say what is true of them now.
      held: ["w-6 away", "w-7 gone", "w-8 #1 10%"],
      // Nor does the button for the others begin another row.
      button: [false, false, true, 1],
    })
  })

  test("keeps a failure until it is dismissed and an undo for its time, and reads out the first of many texts", async () => {
    expect(await shown("toasts")).toEqual({
      first: ["Cancelled A", "D", "E"],
      later: ["Cancelled A", "The disk is full"],
      last: ["The disk is full"],
      turned: ["The disk is full", "The server is another one"],
      heard: ["Song 1. Song 2. Song 3. Song 4", "Song 1. Song 2. Song 3. and 2 more"],
    })
  })

  test("promises the place that an item would have with a priority", async () => {
    expect(await shown("places")).toEqual(["1st of 23", "11th of 23", "11th of 23", "23rd of 23"])
  })

  test("names this week's figures unless today's are the same", async () => {
    expect(await shown("week")).toEqual([
      "Today 3 completed in 0:08 on average",
      "Today 3 completed in 0:08 on average · This week 9 completed in 0:08 on average",
      "Today 3 completed in 0:08 on average · This week 3 completed in 0:08 on average, 2 failed",
    ])
  })

  test("shows the end of each error until all of it is requested, and one line only once", async () => {
    expect(await shown("errors")).toEqual(["…", "step 1", "…", "", "frame 1"])
  })

  test("keeps as much of an output as it must, and says only what is true of attempts, failures and flags", async () => {
    expect(await shown("rest")).toEqual({
      isEnough: true,
      attempts: ["2 of 3", "3 of 3", "4"],
      recent: [1, 2],
      flags: [true, false],
    })
  })

  test("acts on an item as it is now, not as it was when its menu was opened", async () => {
    expect(await shown("changedItem")).toBe("7")
  })

  test("asks before it cancels what cannot be put back as it was, and takes a long title as it is", async () => {
    expect(await shown("asked")).toEqual({
      delayed: "It starts in 5:00. If it is put back later, it starts at once.",
      running: "It has been running for 1:10 and is 45% done. The unfinished render will be lost.",
      longest: ["200", "300"],
    })
  })

  test("sends at most a thousand items at once, and offers for a selection only what its items allow", async () => {
    expect(await shown("selection")).toEqual({
      sizes: [1000, 1],
      // When selecting ends, nothing stays selected.
      counts: ["1,001 items selected", "0 items selected", "1 item selected, 1 not in this view"],
      cancelling: [false, false],
      retrying: [true, true],
      asked: "They go back into the queue as if they were new. 1 of them is not in this view.",
    })
  })

  test("says of an act on many items how many were changed, how many were refused, and that the rest got no answer", async () => {
    expect(await shown("halfDone")).toEqual([
      "998 items were deleted",
      "Queue item 999 is locked. 1 other item was refused too",
      "No answer",
    ])
  })

  test("does what the reader wants although others were faster, and says no failure", async () => {
    expect(await shown("late")).toEqual({
      asked: ["9 before 1", "9 before 2", "9 before 3", "9 before 1", "retry 9"],
      toasts: ["Song 1 is next", "Queue item 9 is processing", "Song 1 is back in the queue"],
    })
  })

  test("says of items that none of them renders any more after a cancel, or that they are being cancelled", async () => {
    expect(await shown("cancelled")).toEqual(["1 item was cancelled", "1 item is being cancelled"])
  })

  test("begins no other search for spaces around the words", async () => {
    expect(await shown("searches")).toEqual(["tide", "tide lines"])
  })

  test("moves an item behind the last one without raising the priority of that one", async () => {
    expect(await shown("movedDown")).toEqual(["2 before 1", "1 gets priority 0", "2 before 1"])
  })

  test("puts a moved item back at its place, and one that no worker can take before no other", async () => {
    expect(await shown("putBack")).toEqual(["retry 3", "3 before 2", "retry 3"])
  })

  test("adds a song with each of its tags once", async () => {
    expect(await shown("addedTags")).toEqual(["gpu", "4k"])
  })

  test("does not replace a title that somebody else has just given, unless the reader insists", async () => {
    expect(await shown("renamedTwice")).toEqual([
      "It was renamed to “Theirs” meanwhile. Press again to replace that",
      "Mine",
    ])
  })

  test("shows a bar that does not go back within its percent, as when the connection is lost", async () => {
    const places = ["40%", "40.5%", "40.5%", "39%"]
    expect(await shown("bar")).toEqual(places.map((place) => `translateX(${place})`))
  })

  test("says of an item that was put back since when it waits, unless the queue is paused, and if nothing renders", async () => {
    expect(await shown("waits")).toEqual([
      "1 of 1 in the queue, waiting 1 min",
      "1 of 1 in the queue, The queue is paused",
      "1 of 1 in the queue, waiting 1 min, no worker runs",
      "1 of 1 in the queue, waiting 1 min",
    ])
  })

  test("links in the panel of a worker what it renders now, also an item that comes back to it", async () => {
    const [one, two] = ["#1 Song 1, 10%", "#2 Song 2, 10%"]
    expect(await shown("panelLinks")).toEqual([[one], [], [one, two], [two]])
  })

  test("says of a running item that it makes no progress, or that it is being cancelled, whatever else it does", async () => {
    expect(await shown("laneStates")).toEqual(["", "No progress for 1 min", "Cancelling", "Cancelling"])
  })

  test("says for how long an item has been running", async () => {
    expect(await shown("laneElapsed")).toBe("1:00 elapsed")
  })

  test("says in a row how an item ended when it ends in another way", async () => {
    expect(await shown("endsInRow")).toEqual(["Failed", "Worker lost"])
  })

  test("divides a long output also if it comes line by line", async () => {
    expect(await shown("dividedText")).toBe(3)
  })

  test("has the buttons of an item again when the item is there again", async () => {
    expect(await shown("buttonsAgain")).toEqual([true, false, true])
  })

  test("runs an item next that is not in the order any more, before the first one of the others", async () => {
    expect(await shown("nextOutOfOrder")).toBe("9 before 1")
  })

  test("shows by how much the clocks differ, whichever is ahead", async () => {
    expect(await shown("clockOffset")).toEqual(["Clock offset60000 ms", "Clock offset1500 ms"])
  })

  test("finds words at the end of a part of a long output, and at the beginning of the next one", async () => {
    expect(await shown("foundInBlocks")).toEqual(["line 200", "line 201"])
  })

  test("says once of each other version that the server has it", async () => {
    const other = (version: string): string =>
      `${version} (abc): The server is now ${version} (abc). This page came from another version.`
    expect(await shown("versionToasts")).toEqual([
      ...["1.0.0 (abc)", "1.0.0 (abc)"],
      ...[other("1.1.0"), "1.1.0 (abc)", other("1.0.0")],
    ])
  })

  test("hides a token that is typed", async () => {
    expect(await shown("tokenField")).toEqual(["password", "current-password"])
  })

  test("acts by a key after a button has moved, and by the pointer after it has got the focus, but not otherwise", async () => {
    const apart = await browser.open(server.url.href)
    await apart.until("parts")
    expect(await apart.evaluate<boolean[]>("parts.steadyButtons()")).toEqual([true, false, false, true])
  })
})
