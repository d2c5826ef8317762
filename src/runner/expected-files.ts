import { type BigIntStats, statSync } from "node:fs"
import { extname, isAbsolute, resolve } from "node:path"

import type { Files } from "../item/report.ts"
import type { Evidence } from "../renderers/line-reader.ts"
import { isWhole } from "../renderers/whole-from-98-percent.ts"
import { type Probe, probe } from "./ffprobe.ts"

const PICTURES = new Set(
  "avif bmp dpx exr gif hdr heic jpeg jpg jxl png ppm tga tif tiff webp".split(" ").map((name) => `.${name}`),
)

/**
 * The files that a command is expected to write. The files that its renderer says it saved are checked as
 * well.
 */
export interface ExpectedFiles {
  /** The paths of the files, absolute or relative to our own folder; empty if no file is known. */
  readonly paths: readonly string[]
  /**
   * Whether the paths were guessed from the command. Then a file fails the attempt only if it is missing or
   * empty.
   */
  readonly isGuessed: boolean
  /** Seconds that a video must last; undefined if any length will do. */
  readonly seconds: number | undefined
  /** Whether to check the files; otherwise they are only entered into the item. */
  readonly isVerified: boolean
}

/** The files that a renderer named. */
export type Named = Pick<Evidence, "saved" | "unfinished">

/** The result of looking at the files. */
export interface FilesEnd {
  /** Why the attempt failed; undefined if it did not fail. */
  readonly failure: string | undefined
  /** The files to enter into the item. */
  readonly files: Files
  /** Whether one of the files was written by this attempt and is as long as it must be. */
  readonly isWhole: boolean
  /** The paths of files for which ffprobe took too long. */
  readonly unchecked: readonly string[]
}

/**
 * The system's facts about a file; undefined if there is no such file, or if the text cannot be the name of a
 * file: a command may have printed anything.
 */
function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/**
 * Whether a file was written between two looks at it. No clock of ours is compared, because the disk may have
 * a clock of its own.
 */
const isWritten = (before: BigIntStats | undefined, after: BigIntStats): boolean =>
  before === undefined ||
  before.ino !== after.ino ||
  before.size !== after.size ||
  before.mtimeNs !== after.mtimeNs ||
  before.ctimeNs !== after.ctimeNs

/** Whether a file is a picture. Its content decides; if the content does not show it, its name decides. */
function isStill(path: string, found: Probe): boolean {
  if (found.kind === "still") return true
  // A picture in the container of a video, such as AVIF, has no length.
  if (found.kind === "lasting" && found.seconds !== null) return false
  return PICTURES.has(extname(path).toLowerCase())
}

/**
 * The reason if a file is empty that a renderer says it saved: on a full disk Blender saves empty files
 * without a message. A missing file may have been moved in the meantime, or be on another machine.
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
 * The reason if a file cannot be read whose end was not reported. Such a file may be whole, because a script
 * can hide the last lines of ffmpeg. A missing file may have been moved in the meantime.
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

  /**
   * Looks at the expected files after the command has ended well, and at the files that its renderer named.
   */
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

  /** Whether a file is known to be as long as it must be. */
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
