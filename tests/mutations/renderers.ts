import { type Mistake, of } from "./mistake.ts"

/** Mistakes in understanding what renderers print. */
export const RENDERERS: readonly Mistake[] = [
  ...of(
    "src/renderers/blender.ts",
    ["tests/renderers/blender.test.ts"],
    [["the distance across skipped frames is taken for a frame step", "    this.#range.skip()\n", ""]],
  ),
  ...of(
    "src/renderers/counts.ts",
    ["tests/renderers/lines.test.ts"],
    [["a date after a time is taken for a count", "n > total || isDate", "n > total"]],
  ),
  ...of(
    "src/renderers/cutter.ts",
    ["tests/renderers/whole.test.ts"],
    [
      [
        "after a line that is too long no line is read",
        "    this.#isTooLong = false\n    this.#isRedrawn = end",
        "    this.#isRedrawn = end",
      ],
    ],
  ),
  ...of(
    "src/renderers/ffmpeg.ts",
    ["tests/renderers/renderer.test.ts"],
    [
      [
        "the lowest integer, which ffmpeg writes for none, is taken for a time",
        "return Math.abs(value) <= 1e18 ? value : undefined",
        "return Number.isNaN(value) ? undefined : value",
      ],
    ],
  ),
  ...of(
    "src/renderers/track.ts",
    ["tests/renderers/lines.test.ts"],
    [["a gauge that fell is believed again", "    this.isRejected = true\n", ""]],
  ),
  ...of(
    "src/renderers/trouble.ts",
    ["tests/renderers/blender.test.ts"],
    [
      [
        "an error in a script fails a render that has its frames",
        "this.#lasting ?? (frames === 0 ? this.#other : undefined)",
        "this.#lasting ?? (frames >= 0 ? this.#other : undefined)",
      ],
    ],
  ),
]
