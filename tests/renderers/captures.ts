import { expect } from "bun:test"

import { Value } from "@sinclair/typebox/value"

import { Report } from "../../src/item/item.ts"
import type { Evidence, Expected } from "../../src/renderers/line-reader.ts"
import type { RendererName } from "../../src/renderers/names.ts"
import { renderer } from "../../src/renderers/renderer.ts"

/** The output of a real renderer, as `scripts/make-captures.sh` recorded it. */
export const capture = (name: string): Promise<string> =>
  Bun.file(new URL(`../captures/${name}.txt`, import.meta.url)).text()

/** All captures: the renderer, and the rest of the file's name. */
export const CAPTURES: readonly (readonly [RendererName, string])[] = [
  ...["song", "copy", "audio", "hls", "waiting", "missing", "sigterm", "quit"].map(
    (name) => ["ffmpeg", name] as const,
  ),
  ...["animation", "still", "tiles", "layers", "movie", "skipped", "unsaved", "sequencer"].map(
    (name) => ["blender", name] as const,
  ),
  ["lines", "tqdm"],
]

/** The reports from a text, and what the text proves. */
export interface Listened extends Evidence {
  readonly reports: readonly Report[]
  readonly last: Report
  readonly messages: readonly (string | undefined)[]
  readonly progress: readonly (number | undefined)[]
}

/** Reads a text in pieces, and checks every report against the schema. */
export function listen(
  name: RendererName,
  known: number | Partial<Expected> | undefined,
  ...pieces: string[]
): Listened {
  const listener = renderer(name, typeof known === "object" ? known : { total: known })
  const reports = pieces.flatMap((piece) => listener.push(piece))
  for (const report of reports) {
    expect([...Value.Errors(Report, report)]).toEqual([])
    expect(report.unit?.done ?? 0).toBeLessThanOrEqual(report.unit?.total ?? 0)
  }
  return {
    reports,
    last: reports.at(-1) ?? {},
    messages: reports.map(({ message }) => message),
    progress: reports.map(({ progress }) => progress),
    ...listener.evidence,
  }
}

/** Whether no number is less than the one before it. */
export const ascends = (values: readonly (number | undefined)[]): boolean =>
  values.every((value, index) => index === 0 || Number(value) >= Number(values[index - 1]))
