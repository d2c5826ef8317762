import { expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { holds, type Piece } from "./played.ts"
import { each, lf, read, tqdm } from "./programs.ts"

setDefaultTimeout(180_000)

const NAMES = ["image", "song", "frame", "step", "tile", "sample", "shot", "view"]
const NOISE = fc.constantFrom(
  "",
  "volume at 50 %\n",
  "GPU 97% 45C 105W\n",
  "[libx264 @ 0x55] mb I I16..4: 11.4% 70.8%\n",
  "    track           : 7/12\n",
  "you are 1 of 1\n",
  "wrote 3 of 5 tags\n",
  "Score 4/5\n",
  "see 1/2\n",
)

/** A part of a program's work, from a start to an end, and what it prints. */
interface Phase {
  readonly kind: "bar" | "words" | "count"
  readonly parts: number
  readonly line: number
  readonly apartMs: number
}

const phase = fc.record({
  kind: fc.constantFrom<Phase["kind"]>("bar", "words", "count"),
  parts: fc.integer({ min: 2, max: 12 }),
  line: fc.integer({ min: 0, max: 3 }),
  apartMs: fc.constantFrom(10, 300, 2000, 20_000),
})
/** A phase, and what each of its parts prints about itself. */
const outer = fc.record({ around: phase, within: fc.option(phase, { nil: undefined }) })

/**
 * What is printed before the part with this number, from 0 on. A count is printed at its start, and never as
 * done.
 */
function told({ kind, parts, line }: Phase, name: string, at: number): string {
  const percent = Math.floor((at * 100) / parts)
  if (kind === "bar")
    return `${name}: ${percent}%|${"█".repeat(percent / 10)}| ${at}/${parts} [00:01<00:07]\r`
  if (kind === "words") return `${name}: ${percent}% done\n`
  const begun = `${at + 1}/${parts}`
  const lines = [
    `${name} ${begun.replace("/", " of ")}\n`,
    `${name} ${begun}\n`,
    `rendering ${name} ${begun} ...\n`,
    `[${name} ${begun}]\n`,
  ]
  return lines[line] ?? ""
}

/** Makes an output of phases. */
class Output {
  readonly pieces: Piece[] = []
  readonly #noise: readonly string[]
  #share: number
  #atMs = 0
  #begun = 0

  /** Until the first of the phases ends, it is the only known one, so it counts as the whole work. */
  constructor(noise: readonly string[], phases: number) {
    this.#noise = noise
    this.#share = phases
  }

  /** Prints a phase that is this part of the work, between two fractions of the whole. */
  tell(one: Phase, names: readonly string[], [from, to]: readonly [number, number], within?: Phase): void {
    const [name = "", ...others] = names
    this.#begun += 1
    const place = (part: number): number => from + ((to - from) * part) / one.parts
    for (let part = 0; part < one.parts; part += 1) {
      this.#add(told(one, name, part), place(part), one.apartMs)
      if (within) this.tell(within, others, [place(part), place(part + 1)])
    }
    if (one.kind !== "count") this.#add(told(one, name, one.parts), to, one.apartMs)
  }

  /** Ends the first phase. Whatever begins from now on is another bar. */
  follow(): void {
    this.#begun = Number.POSITIVE_INFINITY
    this.#share = 1
  }

  #add(text: string, work: number, apartMs: number): void {
    this.#atMs += apartMs
    // If there is one phase, everything in its second part is the second bar.
    const known = { work: work * this.#share, atMs: this.#atMs, isSecond: this.#begun > 2 }
    this.pieces.push({ ...known, text })
    const noise = this.#noise[this.pieces.length % Math.max(1, this.#noise.length)]
    if (noise && text.endsWith("\n")) this.pieces.push({ ...known, text: noise })
  }
}

test("whatever counts and bars come, alone or one within another, in turn, with noise between them", () => {
  fc.assert(
    fc.property(
      fc.array(outer, { minLength: 1, maxLength: 4 }),
      fc.shuffledSubarray(NAMES, { minLength: NAMES.length }),
      fc.array(NOISE, { maxLength: 4 }),
      (phases, names, noise) => {
        const output = new Output(noise, phases.length)
        for (const [i, { around, within }] of phases.entries()) {
          const part = [i / phases.length, (i + 1) / phases.length] as const
          if (i > 0) output.follow()
          output.tell(around, names.slice(2 * i), part, within)
        }
        holds(output.pieces)
      },
    ),
    { numRuns: 200 },
  )
})

const images = lf(...[1, 2, 3, 4, 5].map((n) => `image ${n} of 5`))
const half = each([0, 5], (n) => tqdm(n, 10))

/** What begins in the last counted part, and how far the whole is at its half. */
const LAST: readonly (readonly [string, readonly string[], number])[] = [
  ["a bar follows images in which there was none", [...images, ...half], 50],
  [
    "a bar follows an image whose own is full",
    [...lf("image 1 of 1"), ...each([0, 10], (n) => tqdm(n, 10, "a: ")), "\n", ...half],
    50,
  ],
  ["frames follow tiles", [...lf("tile 1 of 2", "tile 2 of 2", "frame 1/4", "frame 2/4", "frame 3/4")], 50],
  [
    "a bar is inside of the last of steps that differ",
    [...lf("[1/3] analysing", "[2/3] drawing", "[3/3] rendering"), ...half],
    83,
  ],
  [
    "a bar is inside of an image as it was of those before",
    [...images.slice(0, 2), ...half, "\n", ...images.slice(2), ...half],
    90,
  ],
]

test.each(LAST)("%s", (_name, pieces, progress) => {
  expect(read([...pieces, "\n"], 10).last).toBe(progress)
})
