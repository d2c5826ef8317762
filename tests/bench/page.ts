/**
 * What the page costs a browser: main-thread time a frame, and frames that came late, with 1,000 items and 200
 * updates a second. `bun tests/bench/page.ts`
 */
import { Browser, hasChromium, HOST, type Tab } from "../dashboard/browser.ts"
import { start, type TestServer } from "../server.ts"

const ITEMS = 1000
const UPDATES_A_SECOND = 200
const MEASURE_MS = 10_000
const STEPS = ["Images", "Lyrics", "Rendering video", "Encoding"]

/** A situation to measure: how many items run, and how many of them are shown. */
interface Situation {
  readonly name: string
  readonly running: number
  readonly expanded: boolean
}

const SITUATIONS: readonly Situation[] = [
  { name: "12 running, 988 waiting", running: 12, expanded: false },
  { name: "1,000 running, 24 shown", running: 1000, expanded: false },
  { name: "1,000 running, all shown", running: 1000, expanded: true },
]

async function fill(server: TestServer, running: number): Promise<number[]> {
  const ids: number[] = []
  for (let i = 0; i < ITEMS; i += 50) {
    const some = Array.from({ length: 50 }, (_, k) =>
      server.add({ song_id: i + k + 1, title: `Song of ${i + k}`, priority: (i + k) % 7 }),
    )
    ids.push(...(await Promise.all(some)))
  }
  for (let i = 0; i < running; i += 50) {
    await Promise.all(
      ids.slice(i, Math.min(i + 50, running)).map((id) => server.put(id, { status: "processing" })),
    )
  }
  return ids.slice(0, running)
}

/** Writes at the rate that is to be measured, until a message ends it. */
function write(server: TestServer, ids: readonly number[]): () => number {
  let n = 0
  const startedMs = performance.now()
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) / 1000) * UPDATES_A_SECOND
    for (; n < due; n += 1) {
      const round = Math.floor(n / ids.length)
      const step = STEPS[Math.floor(round / 25) % STEPS.length] ?? ""
      void server.put(ids[n % ids.length] ?? 0, {
        progress: round % 100,
        current_step: step,
        message: `Frame ${n}`,
      })
    }
  }, 10)
  return () => {
    clearInterval(timer)
    return n / ((performance.now() - startedMs) / 1000)
  }
}

const WATCH = `(() => {
  const seen = { frames: 0, late: 0, long: 0, worst: 0, last: performance.now() }
  window.seen = seen
  new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) { seen.long += 1; seen.worst = Math.max(seen.worst, duration) } }).observe({ entryTypes: ["longtask"] })
  const frame = (now) => {
    seen.frames += 1
    if (now - seen.last > 25) seen.late += 1
    seen.last = now
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
})()`

async function metrics(tab: Tab): Promise<Record<string, number>> {
  const { metrics: all }: { metrics?: { name: string; value: number }[] } =
    await tab.send("Performance.getMetrics")
  return Object.fromEntries((all ?? []).map(({ name, value }) => [name, value]))
}

async function measure(browser: Browser, { name, running, expanded }: Situation): Promise<void> {
  await using server = await start()
  const ids = await fill(server, running)
  const startedMs = performance.now()
  const tab = await browser.open(server.url.replace("127.0.0.1", HOST), { width: 1440, height: 960 })
  await tab.until(`document.querySelectorAll(".lane").length >= ${Math.min(24, running)}`)
  const loadedMs = performance.now() - startedMs
  while (
    expanded &&
    (await tab.evaluate<boolean>(
      `(() => { const more = document.querySelector(".running .more"); more.click(); return !more.hidden })()`,
    ))
  );
  await tab.send("Performance.enable")
  const stop = write(server, ids)
  await Bun.sleep(2000)
  await tab.evaluate(WATCH)
  const before = await metrics(tab)
  await Bun.sleep(MEASURE_MS)
  const after = await metrics(tab)
  const seen = await tab.evaluate<{ frames: number; late: number; long: number; worst: number }>(
    "window.seen",
  )
  const rate = stop()
  const badge = await tab.evaluate<string>(`document.querySelector("#badge").innerText.replace(/\\s+/g, " ")`)
  const spent = (key: string): string =>
    ((((after[key] ?? 0) - (before[key] ?? 0)) * 1000) / seen.frames).toFixed(2)
  process.stdout.write(
    `${name}: ${Math.round(rate)} updates/s, first shown after ${Math.round(loadedMs)} ms; ${seen.frames} frames in ${MEASURE_MS / 1000} s, ${seen.late} late; ` +
      `a frame: script ${spent("ScriptDuration")} ms, style ${spent("RecalcStyleDuration")} ms, layout ${spent("LayoutDuration")} ms, all tasks ${spent("TaskDuration")} ms; ` +
      `${seen.long} tasks over 50 ms, the longest ${Math.round(seen.worst)} ms; heap ${Math.round((after["JSHeapUsedSize"] ?? 0) / 1e6)} MB, ${after["Nodes"]} nodes; badge: ${badge}\n`,
  )
  await tab.close()
}

if (hasChromium) {
  const browser = await Browser.start()
  for (const situation of SITUATIONS) await measure(browser, situation)
  await browser.stop()
}
