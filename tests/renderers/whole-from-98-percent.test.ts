import { describe, expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import type { Expected } from "../../src/renderers/line-reader.ts"
import { type RendererName, RENDERERS } from "../../src/renderers/names.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { isWhole } from "../../src/renderers/whole-from-98-percent.ts"

setDefaultTimeout(180_000)

/** Whether an output would complete its item, if its command ended with 0 and only the output is known. */
function completes(name: RendererName, known: Partial<Expected>, output: string): boolean {
  const listener = renderer(name, known)
  for (let at = 0; at < output.length; at += 97) listener.push(output.slice(at, at + 97))
  listener.push("\n")
  const { reached, failure, hasEnded } = listener.evidence
  return failure === undefined && isWhole(reached ?? 0) && (hasEnded || !RENDERERS[name].saysEnd)
}

const NOISE = fc.constantFrom(
  "",
  "100% done\n",
  "frame 300 of 300 saved\n",
  "progress: 100\n",
  "    title           : progress=end\n",
  "[libx264 @ 0x55] frame I:3 Avg QP:12.34\n",
  "x".repeat(70_000) + "\n",
  "Saved by the bell\n",
  "100%|██████████| 20/20\r",
)

const FPS = 25

/** One run of ffmpeg: how far it gets (0 to 1), and how it ends. */
const pass = fc.record({
  isStill: fc.boolean(),
  fraction: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 0.97, noNaN: true })),
  end: fc.constantFrom("by itself", "by SIGTERM", "by SIGKILL"),
  blocks: fc.integer({ min: 2, max: 6 }),
  noise: NOISE,
})
type Pass = typeof pass extends fc.Arbitrary<infer T> ? T : never

const block = (seconds: number, state: string): string =>
  `frame=${Math.max(1, Math.round(seconds * FPS))}\nfps=30\ntotal_size=${Math.round(seconds * 1e5)}\nout_time_us=${Math.round(seconds * 1e6)}\nspeed=1x\nprogress=${state}\n`

/** The output of a run of ffmpeg. Only after SIGKILL its last lines are missing. */
function printed({ isStill, fraction, end, blocks, noise }: Pass, total: number): string {
  if (isStill)
    return `frame=1\nout_time_us=40000\ntotal_size=N/A\nprogress=continue\nframe=1\nout_time_us=40000\ntotal_size=N/A\nprogress=end\n${noise}`
  const times = Array.from({ length: blocks }, (_, i) => (fraction * total * i) / (blocks - 1))
  const isTold = (i: number): boolean => i === blocks - 1 && end !== "by SIGKILL"
  return times.map((seconds, i) => block(seconds, isTold(i) ? "end" : "continue") + noise).join("")
}

const isGood = ({ fraction, end }: Pass): boolean => fraction === 1 && end !== "by SIGKILL"

describe("never completed without what was asked for", () => {
  test("ffmpeg: the last video was whole, and of passes that were declared so many were", () => {
    fc.assert(
      fc.property(
        fc.array(pass, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 5, max: 300 }),
        fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
        (passes, total, bars) => {
          const output = passes.map((one) => printed(one, total)).join("")
          const videos = passes.filter(({ isStill }) => !isStill)
          const last = videos.at(-1)
          const isAll = videos.filter(isGood).length >= (bars ?? 1)
          const isAsked = last !== undefined && isGood(last) && isAll
          if (completes("ffmpeg", { total, bars }, output)) expect(isAsked).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  test("Blender: every frame was saved or was there already, and nothing went wrong for good", () => {
    const frame = fc.record({
      becomes: fc.constantFrom("saved", "saved twice", "appended", "skipped", "unsaved", "lost"),
      noise: NOISE,
    })
    const SAID = {
      saved: (n: number) => `Saved: '/o/${n}.png'\n`,
      "saved twice": (n: number) => `Saved: '/o/${n}_L.png'\nSaved: '/o/${n}_R.png'\n`,
      appended: (n: number) => `Append frame ${n}\n`,
      skipped: (n: number) => `skipping existing frame "/o/${n}.png"\n`,
      unsaved: (n: number) =>
        `Error: Render error (No space left on device) cannot save: '/o/${n}.png'\n Time: 00:01.00\n`,
      lost: () => "",
    }
    const many = fc.oneof(
      fc.array(frame, { minLength: 1, maxLength: 8 }),
      fc.array(frame, { minLength: 60, maxLength: 70 }),
    )
    const mostlyGood = many.chain((frames) =>
      fc.record({
        frames: fc.constant(frames),
        bad: fc.integer({ min: -1, max: frames.length - 1 }),
        isOutOfMemory: fc.integer({ max: 9, min: 0 }),
      }),
    )
    fc.assert(
      fc.property(mostlyGood, ({ frames, bad, isOutOfMemory }) => {
        const isDone = (becomes: string): boolean => becomes !== "unsaved" && becomes !== "lost"
        const made = frames.map(({ becomes, noise }, i) => ({
          noise,
          becomes: i === bad || isDone(becomes) ? becomes : ("saved" as const),
        }))
        const output = made.map(({ becomes, noise }, i) => {
          const head = `Fra:${i + 1} Mem:9M (Peak 9M) | Time:00:00.10 | Scene, ViewLayer | Sample 4/4\n`
          const time = becomes === "skipped" ? "" : " Time: 00:01.00 (Saving: 00:00.10)\n"
          return `${becomes === "skipped" ? "" : head}${SAID[becomes](i + 1)}${time}${noise}`
        })
        const memory = isOutOfMemory === 0 ? "Error: System is out of GPU memory\n" : ""
        const isAsked = made.every(({ becomes }) => isDone(becomes)) && memory === ""
        expect(completes("blender", { total: frames.length }, output.join("") + memory)).toBe(isAsked)
      }),
      { numRuns: 150 },
    )
  })

  test("no other program: whatever it prints, nothing is proven", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(NOISE, fc.string()), { maxLength: 30 }), (pieces) => {
        expect(completes("lines", {}, pieces.join("\n"))).toBe(false)
      }),
    )
  })
})

test("a whole render completes its item", () => {
  const whole: Pass = { isStill: false, fraction: 1, end: "by itself", blocks: 4, noise: "" }
  const still: Pass = { ...whole, isStill: true }
  for (const passes of [[whole], [whole, still], [still, whole], [whole, whole]]) {
    expect(completes("ffmpeg", { total: 60 }, passes.map((one) => printed(one, 60)).join(""))).toBe(true)
  }
  expect(completes("ffmpeg", { total: 60, bars: 2 }, printed(whole, 60) + printed(whole, 60))).toBe(true)
})
