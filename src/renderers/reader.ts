import type { Report } from "../item/item.ts"

/** What a renderer's output came to. */
export interface Heard {
  /** What can be reported now. `progress` is the share done in percent, not rounded; absent while unknown. */
  readonly report: Report
  /** The renderer said that it is done. It says so after a SIGTERM too: this tells nothing about success. */
  readonly ended: boolean
}

/** What a kind of renderer makes of its output, line by line; lines come without their ends, and never empty. */
export interface LineReader {
  /** What the line said, undefined when it said nothing new. */
  read(line: string): Heard | undefined
  readonly reached: number | null
}
