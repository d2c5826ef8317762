/**
 * Bars and counts with these words say nothing about the render; nor do the pictures that ImageMagick reads, and the
 * packages of dnf and apk.
 */
const ALWAYS =
  /\b(?:download(?:s|ed|ing)?|loading|scanning|bundling|buffering|sanity[ -]check(?:ing)?)\b|^load\/image|^\(\d+\/\d+\)(?:: .*b\/s \|| (?:installing|upgrading|purging) \S+ \(\S+\)$)/i
/**
 * The steps in which a program or a container is built before it renders. They are many and short, and a bar that came
 * behind them would be taken for a part of the last one.
 */
const BUILDS = new RegExp(
  [
    // ninja, yarn and the like: "[12/40] Building CXX object a.o", "[3/4] Linking dependencies...".
    "^\\[\\d+\\/\\d+\\] (?:[bB]uilding|[cC]ompiling|[lL]inking) (?:C|C\\+\\+|CXX|CUDA|ASM|OBJC\\w*|Fortran|Swift|Rust) (?:object|executable|(?:(?:static|shared) )?(?:library|[mM]odule)|source)\\b",
    "^\\[\\d+\\/\\d+\\] (?:Resolving|Fetching|Linking|Building|Installing) (?:fresh )?(?:packages|dependencies|modules)\\b",
    // cargo names what it compiles behind its count.
    "^(?:Building|Compiling) \\[[=> ]*\\] \\d+\\/\\d+(?:: |$)",
    "\\bbuilding \\d+\\/\\d+ modules\\b",
    // A compiler that ninja calls without words.
    "^\\[\\d+\\/\\d+\\] (?:ccache )?(?:\\S*\\/)?(?:\\w+-)*(?:gcc|[gc]\\+\\+|cc|clang(?:\\+\\+)?|nvcc|hipcc|rustc)(?:-[\\d.]+)? (?:.* )?-\\w",
    // The instructions of a container's image. Without what stands before them, they may be the steps of any script.
    "^(?:(?:#\\d+|=>) \\[(?:[\\w-]+ )?\\d+\\/\\d+\\]|Step \\d+\\/\\d+ :) (?:FROM|RUN|COPY|ADD|WORKDIR|ENV|ARG|CMD|ENTRYPOINT|LABEL|EXPOSE|USER|VOLUME|SHELL)\\b",
    // What they print follows its time, which has at least four digits: "#9 0.512 done", "#9 12.34 done".
    "^\\[\\+\\] Building |^#\\d+ (?:\\d\\.\\d{3}|\\d\\d\\.\\d\\d|\\d{3,}\\.\\d) ",
  ].join("|"),
  "u",
)
/**
 * These words also say nothing, unless a word of the work is beside them: models are fetched, packages and
 * sources installed.
 */
const USUALLY = new RegExp(
  [
    "\\b(?:fetch(?:ed|ing)|pull(?:ed|ing)|installing|upgrading|loaded|initiali[sz](?:ed|ing)|warm(?:ing)?[- ]?up)\\b",
    // After the name of a step, these words may be about the work: "Step 3 of 10: reading the lyrics".
    "^[^\\p{L}\\p{N}]*(?:preparing|reading|indexing|probing|(?:pre-?)?parsing)\\b",
    "\\bcompiling (?:\\S+ ){0,2}(?:shaders?|kernels?|pipelines?)\\b|\\bbuilding (?:\\S+ )?bvh\\b|\\boffload(?:ed|ing)\\b|\\bsha256:[\\da-f]",
    "\\bcloning (?:into|repo)|\\b(?:enumerating|counting|compressing|receiving|unpacking|writing) objects\\b|\\bresolving deltas\\b|\\bupdating files\\b|\\bfiltering content: ",
    "\\bbuilding dependency tree",
    // The packages of dnf, one after the other.
    "^(?:preparing|verifying|cleanup|erasing|removing|running scriptlet) *: .*\\d\\/\\d+$",
    "^\\d+% \\[(?:working|waiting|connecting|\\d+ )|^[\\da-f]{12}: ",
    // tqdm shows bytes a second only for downloads and uploads.
    "\\| ?[\\d.]+[kmgt]?/[\\d.]+[kmgt]? \\[[^\\]]*b/s\\b",
    // Parts of a model that are read, as their number and bytes a second show.
    "[|\\]] \\d+/\\d+ ?[-,@(]? ?[\\d.]+ ?[kmgt]i?b/s\\b",
  ].join("|"),
  "iu",
)
const WORK =
  /render|encod|export|convert|upload|process|mix|mux|composit|generat|sampling|scaling|interpolat|denois|transcri|separat|stitch|concat/i
/** A line that names what the bar below it fetches or installs, or a sound that MoviePy writes for its video. */
const ANNOUNCES =
  /(?:^(?:\p{Cc}\[[\d;?]*[a-z]|[^\p{L}\p{N}[(])*|\p{Cc}8)(?:(?:downloading|fetching|pulling|unpacking|preparing (?:to unpack|packages)|setting up|processing triggers|get:\d+)\b|saving to: |moviepy - writing audio in .*temp_mpy)/iu
/** A bar of bytes, or that of apt, curl or MoviePy's sound. */
const FETCHES = /\d ?[kmgt]?i?b\/s\b|\d ?[kmgt]i?b\b|^progress: \[ ?\d+%\]|^#+ [\d.]+%$|^chunk: /i
const WORD = /\p{L}{2}/u
/** A step of a script, which may install something. */
const STEP = /^(?:\[\d+ ?\/ ?\d+\]|\(\d+ ?\/ ?\d+\))(?!.*%)/

/** Recognizes the preparation of a script: it fetches, installs and loads what the work needs. */
export class Preparation {
  #isAnnounced = false

  /** Reads a line. `hasFigures` is whether the line itself may show progress. */
  hear(line: string, hasFigures: boolean): void {
    const announces = ANNOUNCES.test(line)
    if (announces || (!hasFigures && WORD.test(line))) this.#isAnnounced = announces
  }

  /** Whether the figures of a line are not progress of the work. */
  isShownIn(text: string): boolean {
    if (ALWAYS.test(text) || BUILDS.test(text)) return true
    if (WORK.test(text) || STEP.test(text)) return false
    return USUALLY.test(text) || (this.#isAnnounced && FETCHES.test(text))
  }
}
