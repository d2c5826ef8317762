import { type BigIntStats, statSync } from "node:fs"
import { extname, isAbsolute, resolve } from "node:path"

import type { Files } from "../item/report.ts"
import type { Evidence } from "../renderers/line-reader.ts"
import { isWhole } from "../renderers/renderer.ts"
import { type Probe, probe } from "./ffprobe.ts"

const PICTURES = new Set(
  "avif bmp dpx exr gif hdr heic jpeg jpg jxl png ppm tga tif tiff webp".split(" ").map((name) => `.${name}`),
)

/** The files that a command is expected to write; those that its renderer says it saved are looked at as well. */
export interface ExpectedFiles {
  /** The paths of the files, absolute or relative to our own folder; empty if no file is known. */
  readonly paths: readonly string[]
  /** Whether they were guessed from the command: then one fails the attempt only if it is missing or empty. */
  readonly isGuessed: boolean
  /** Seconds that a video must last; undefined if any length will do. */
  readonly seconds: number | undefined
  /** Whether to check the files; if not, they are only entered into the item. */
  readonly isVerified: boolean
}

/** The files that a renderer named. */
export type Named = Pick<Evidence, "saved" | "unfinished">

/** The result of looking at the files. */
export interface FilesEnd {
  /** Why the attempt failed; undefined if all is well. */
  readonly failure: string | undefined
  /** What goes into the item. */
  readonly files: Files
  /** Whether one of the files was written by this attempt, and lasts as long as it must. */
  readonly isWhole: boolean
  /** The paths of files for which ffprobe took too long. */
  readonly unchecked: readonly string[]
}

/**
 * What the system says of a file; undefined if there is no such file, or if the text cannot be a file's name: a
 * command may have printed anything.
 */
function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Whether a file was written between two looks at it. Clocks are not compared: the disk may have one of its own. */
const isWritten = (before: BigIntStats | undefined, after: BigIntStats): boolean =>
  before === undefined ||
  before.ino !== after.ino ||
  before.size !== after.size ||
  before.mtimeNs !== after.mtimeNs ||
  before.ctimeNs !== after.ctimeNs

/** Whether a file is a picture: by what was found in it, and by its name if that does not show it. */
function isStill(path: string, found: Probe): boolean {
  if (found.kind === "still") return true
  // A picture in a video's container, such as AVIF, has no length.
  if (found.kind === "lasting" && found.seconds !== null) return false
  return PICTURES.has(extname(path).toLowerCase())
}

/**
 * Why files that a renderer says it saved are missing or empty: on a full disk Blender saves empty ones without a
 * word. One that is missing may have been moved since, or be on another machine.
 */
function emptyAmong(saved: readonly string[]): string | undefined {
  const path = saved.find((each) => {
    const stat = isAbsolute(each) ? statOf(each) : undefined
    return stat?.isFile() && stat.size === 0n
  })
  return path === undefined ? undefined : `${path} is empty`
}

const brokenWords = (path: string, reason: string): string =>
  `${path} is not a readable media file: ${reason}`

/**
 * Why files cannot be read whose end was not reported. They may be whole anyway, as a script can hide the last
 * words of an ffmpeg; one that is missing may have been moved since.
 */
async function brokenAmong(unfinished: readonly string[]): Promise<string | undefined> {
  for (const path of unfinished) {
    const stat = statOf(path)
    if (!stat?.isFile()) continue
    if (stat.size === 0n) return `${path} is empty`
    const found = await probe(path)
    if (found.kind === "broken") return brokenWords(path, found.reason)
  }
  return undefined
}

/** Watches the files that a command is expected to write. Create it before the command is started. */
export class FileWatch {
  readonly #expected: ExpectedFiles
  readonly #before: ReadonlyMap<string, BigIntStats | undefined>

  constructor(expected: ExpectedFiles) {
    this.#expected = expected
    this.#before = new Map(expected.paths.map((path) => [resolve(path), statOf(path)]))
  }

  /** Looks at the files once the command has ended well, and at those that its renderer named. */
  async end({ saved, unfinished }: Named): Promise<FilesEnd> {
    const { isVerified } = this.#expected
    const unchecked: string[] = []
    let failure = isVerified ? (emptyAmong(saved) ?? (await brokenAmong(unfinished))) : undefined
    let files: Files = {}
    let hasWhole = false
    for (const [path, before] of this.#before) {
      const after = statOf(path)
      const found =
        after && after.size > 0n ? await probe(path) : ({ kind: "unknown", isLate: false } as const)
      hasWhole ||= isVerified && after !== undefined && isWritten(before, after) && this.#isLong(found)
      if (isVerified) failure ??= this.#failureOf(path, { before, after, found })
      if (after === undefined || after.size === 0n || found.kind === "broken") continue
      if (isVerified && found.kind === "unknown" && found.isLate) unchecked.push(path)
      files = isStill(path, found)
        ? { ...files, thumbnail_path: path }
        : { ...files, video_file_path: path, video_file_size: Number(after.size) }
    }
    return { failure, files, isWhole: hasWhole, unchecked }
  }

  /** Whether a file is known to last as long as it must. */
  #isLong(found: Probe): boolean {
    const { seconds } = this.#expected
    if (found.kind !== "lasting" || found.seconds === null || seconds === undefined) return false
    return isWhole(found.seconds / seconds)
  }

  #failureOf(
    path: string,
    {
      before,
      after,
      found,
    }: { before: BigIntStats | undefined; after: BigIntStats | undefined; found: Probe },
  ): string | undefined {
    const { isGuessed, seconds } = this.#expected
    if (after === undefined) return `${path} was not written`
    if (after.size === 0n) return `${path} is empty`
    if (isGuessed) return undefined
    if (!isWritten(before, after)) return `${path} was not written by this attempt`
    if (found.kind === "broken") return brokenWords(path, found.reason)
    if (found.kind !== "lasting" || seconds === undefined || found.seconds === null) return undefined
    if (isWhole(found.seconds / seconds)) return undefined
    return `${path} lasts ${found.seconds.toFixed(1)} s instead of the ${seconds} s of --total`
  }
}
