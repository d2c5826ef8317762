import { type Mistake, of } from "./mistake.ts"

/** Mistakes in understanding what renderers print. */
export const RENDERERS: readonly Mistake[] = [
  ...of(
    "src/renderers/bars-in-sequence.ts",
    ["tests/renderers/bars-in-sequence.test.ts"],
    [
      ["a bar that never moved counts", "before.fraction > 0 && ", ""],
      [
        "progress is taken back though the bars are known",
        " || this.#options.bars !== undefined) return",
        ") return",
      ],
      [
        "a bar around another one counts from the fraction of that one",
        "      this.#current.fraction = fraction\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/renderers/bars.ts",
    ["tests/renderers/bars-together.test.ts"],
    [
      ["any percentage is a drawn bar that is under way", "isDrawn && isBelieved && fraction", "fraction"],
      ["a bar far behind contains the whole, whenever it began", " || !track.isEarly ||", " ||"],
      [
        "a bar that outlasts the whole follows it",
        "      if (this.#outlasts(track, track.parent)) return this.#surround(track)\n",
        "",
      ],
      [
        "two lines that show the same are two bars near their ends",
        "      if (this.#saysTheSame(track, track.parent)) return false\n",
        "",
      ],
      [
        "an inner bar stays inside a part that has ended",
        "root && !this.#isOver(root) ? root : undefined",
        "root",
      ],
      ["a gauge contains bars", "track.isBar && !track.isRejected", "track.isBar"],
      ["what only names something is measured beside the like", " && !root.isDoubtful\n", "\n"],
      ["the bars inside a gauge never count", "if (each.parent === track) each.parent = undefined", ""],
    ],
  ),
  ...of(
    "src/renderers/blender.ts",
    ["tests/renderers/blender.test.ts"],
    [
      ["the distance across skipped frames is taken for a frame step", "    this.#range.skip()\n", ""],
      [
        "a frame of two pictures counts as two",
        "    if (!this.#isSaved) this.#count()\n",
        "    this.#count()\n",
      ],
    ],
  ),
  ...of(
    "src/renderers/counts-in-line.ts",
    ["tests/renderers/lines.test.ts"],
    [["a date after a time is taken for a count", "isDate || isBeside", "isBeside"]],
  ),
  ...of(
    "src/renderers/line-cutter.ts",
    ["tests/renderers/whole-from-98-percent.test.ts"],
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
    "src/renderers/ffmpeg.ts",
    ["tests/renderers/ffmpeg.test.ts"],
    [
      [
        "a thumbnail after the video is a pass of its own",
        "    if (this.#mayBeStill && block.frame !== 1) this.#beginBar()",
        "    if (this.#mayBeStill) this.#beginBar()",
      ],
    ],
  ),
  ...of(
    "src/renderers/blender-frame-in-hand.ts",
    ["tests/renderers/blender.test.ts"],
    [
      [
        "the samples of one frame are shown for the next",
        "    this.#layer = 0\n    this.samples = undefined\n    this.tiles = undefined",
        "    this.#layer = 0\n    this.tiles = undefined",
      ],
    ],
  ),
  ...of(
    "src/renderers/ffmpeg-pass.ts",
    ["tests/renderers/ffmpeg.test.ts"],
    [
      [
        "a time that steps back a little is another ffmpeg",
        "seconds < this.seconds - RESTART_S",
        "seconds < this.seconds",
      ],
    ],
  ),
  ...of(
    "src/renderers/ffmpeg-failures.ts",
    ["tests/renderers/ffmpeg.test.ts"],
    [
      [
        "what failed first and was then written again counts as failed",
        "    this.#unfinished.delete(output)\n    if (FILE.test(output)) this.#unfinished.set(output, this.#lost)",
        "    if (FILE.test(output)) this.#unfinished.set(output, this.#unfinished.get(output))",
      ],
    ],
  ),
  ...of(
    "src/renderers/believed-bar.ts",
    ["tests/renderers/lines.test.ts"],
    [["a gauge that fell is believed again", "    this.isRejected = true\n", ""]],
  ),
  ...of(
    "src/renderers/blender-failures.ts",
    ["tests/renderers/blender.test.ts"],
    [
      [
        "an error in a script fails a render that has its frames",
        "(frames === 0 ? this.#other : undefined)",
        "(frames >= 0 ? this.#other : undefined)",
      ],
    ],
  ),
  ...of(
    "src/renderers/bars-in-sequence.ts",
    ["tests/renderers/bars.test.ts"],
    [
      [
        "a bar that was full at once counts as one that has ended",
        "before.fraction > 0 && !before.isVoid && !this.#isYoung(before)",
        "before.fraction > 0 && !this.#isYoung(before)",
      ],
    ],
  ),
  ...of(
    "src/renderers/ffmpeg-failures.ts",
    ["tests/renderers/ffmpeg-failures.test.ts"],
    [
      [
        "inputs of an earlier ffmpeg count for the next",
        "      this.#inputs = []\n      this.#lengths = []\n",
        "      this.#inputs = []\n",
      ],
    ],
  ),
  ...of(
    "src/renderers/believed-bar.ts",
    ["tests/renderers/lines.test.ts"],
    [
      [
        "a drawn bar may fall seldom, and a figure often",
        "this.#falls * (isRedrawn ? 2 : 10) <= this.#rises",
        "this.#falls * (isRedrawn ? 10 : 2) <= this.#rises",
      ],
    ],
  ),
  ...of(
    "src/renderers/blender-frame-in-hand.ts",
    ["tests/renderers/blender.test.ts"],
    [
      [
        "the frames of a range with a step are counted too few",
        "Math.floor((this.#to - this.#from) / step) + 1",
        "Math.floor((this.#to - this.#from + 1) / step)",
      ],
    ],
  ),
  ...of(
    "src/renderers/blender-frame-in-hand.ts",
    ["tests/renderers/blender-frame-in-hand.test.ts"],
    [
      [
        "a frame with more layers than before is more than done",
        "Math.max(this.#layersBefore, seen, 1)",
        "Math.max(this.#layersBefore, 1)",
      ],
    ],
  ),
  ...of(
    "src/renderers/blender-failures.ts",
    ["tests/renderers/blender-failures.test.ts"],
    [
      [
        "an error that names memory means that it is gone",
        "return out >= 0 && MEMORY.test(said.slice(out))",
        "return out >= 0 || MEMORY.test(said)",
      ],
    ],
  ),
  ...of(
    "src/renderers/preparation.ts",
    ["tests/renderers/preparation.test.ts"],
    [
      [
        "what is rendered while something is loaded says nothing",
        "if (WORK.test(text) || STEP.test(text)) return false",
        "if (STEP.test(text)) return false",
      ],
      [
        "a step that fetches something is no step",
        "if (WORK.test(text) || STEP.test(text)) return false",
        "if (WORK.test(text)) return false",
      ],
      [
        "all bars after a download are its own",
        "if (announces || (!hasFigures && WORD.test(line))) this.#isAnnounced = announces",
        "if (announces) this.#isAnnounced = announces",
      ],
      [
        "a bar without words is taken for work, though the line above says what it fetches",
        "USUALLY.test(text) || (this.#isAnnounced && FETCHES.test(text))",
        "USUALLY.test(text)",
      ],
    ],
  ),
  ...of(
    "src/renderers/counts-and-percentages.ts",
    ["tests/renderers/counted-bars.test.ts"],
    [
      [
        "the percentage of a step is that of all until the next one begins",
        "return isStep ? Math.min(percent.fraction, nestedIn(counts, percent.fraction)) : percent.fraction",
        "return percent.fraction",
      ],
      [
        "steps with other names have nothing to do with each other",
        'return isStep ? "[" : shapeOf(text.slice(0, percent.at))',
        "return shapeOf(text.slice(0, percent.at))",
      ],
    ],
  ),
  ...of(
    "src/renderers/lines.ts",
    ["tests/renderers/counted-bars.test.ts", "tests/renderers/programs.test.ts"],
    [
      [
        "a count after a bar that was full at once is never told",
        "isLater || (wasEmpty && this.#sequence.isVoid)",
        "isLater",
      ],
      [
        "the counts beside the bar of the whole go on counting",
        "    if (this.#isSpanned && this.#sequence.fraction < 1) return undefined\n",
        "",
      ],
      [
        "a line is told once, as long as its first words are the same",
        "    if (text === this.#text) return undefined\n    this.#text = text\n",
        "    if (text.slice(0, MAX_MESSAGE) === this.#text) return undefined\n    this.#text = text.slice(0, MAX_MESSAGE)\n",
      ],
    ],
  ),
  ...of(
    "src/renderers/line-cutter.ts",
    ["tests/renderers/line-cutter.test.ts"],
    [
      [
        "a line after a backspace or a move replaces nothing",
        'this.#isRedrawn = end !== "\\n"',
        'this.#isRedrawn = end === "\\r"',
      ],
    ],
  ),
  ...of(
    "src/renderers/bars-in-sequence.ts",
    ["tests/renderers/bars.test.ts"],
    [
      [
        "a bar that loads a model counts as a part of the render",
        "    if (before && !isRepeated && before.fraction > 0 && !before.isVoid && !this.#isYoung(before)) {",
        "    if (before && !isRepeated && before.fraction > 0 && !before.isVoid) {",
      ],
    ],
  ),
  ...of(
    "src/renderers/line-cutter.ts",
    ["tests/renderers/line-cutter.test.ts"],
    [
      [
        "in a flood of output a bar that is redrawn is taken for a new line",
        '    this.#isRedrawn = this.#piece[start - 1] !== "\\n"\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/renderers/renderer.ts",
    ["tests/renderers/renderer.test.ts"],
    [
      [
        "nothing is read any more after a line that is too long",
        "if (this.#cutters.get(output)?.isTooLong && !hasEnd(bytes)) return NOTHING",
        "if (this.#cutters.get(output)?.isTooLong) return NOTHING",
      ],
    ],
  ),
]
