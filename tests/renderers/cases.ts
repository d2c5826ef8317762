import { join } from "node:path"

import type { Expected } from "../../src/renderers/line-reader.ts"
import { type RendererName, RENDERERS } from "../../src/renderers/names.ts"
import cases from "../captures/cases/cases.json"

/** An output that people reported about other tools, and the right result for it. */
export interface Case {
  readonly file: string
  readonly reader: RendererName
  /** The query of the ingest: `total=60&finish=true`. */
  readonly query: string
  /** The right result, in words. */
  readonly right: string
  /** The most progress that may ever be shown; 100 by default. */
  readonly most_ever?: number
  /** The least progress at the end of the output. */
  readonly least_at_end?: number
  /** The most progress at the end of the output; 100 by default. */
  readonly most_at_end?: number
  readonly status_at_end: string
  /** False if no unit may be shown at the end. */
  readonly unit_at_end?: boolean
  /** A part of the error message at the end. */
  readonly error_at_end?: string
}

const isName = (name: string): name is RendererName => name in RENDERERS

/** All of them. */
export const CASES: readonly Case[] = cases.flatMap(({ reader, ...rest }) =>
  isName(reader) ? [{ reader, ...rest }] : [],
)

/** The path of the output of a case. */
export const pathOf = ({ file }: Case): string => join(import.meta.dir, "../captures/cases", file)

/** The output of a case. */
export const bytesOf = (one: Case): Promise<Uint8Array> => Bun.file(pathOf(one)).bytes()

/** The output of a case, as the server decodes it. */
export const outputOf = async (one: Case): Promise<string> => new TextDecoder().decode(await bytesOf(one))

/** What a query declares before the output is read. */
export function expectedOf(query: string): Partial<Expected> {
  const values = new URLSearchParams(query)
  const number = (key: string) => (values.has(key) ? Number(values.get(key)) : undefined)
  return { total: number("total"), bars: number("bars") }
}
