/** The part of a report that a trace is made of: what it says about how far the attempt is. */
export interface TracedReport {
  /** How much of the attempt is done, in percent; undefined if the report does not say it. */
  readonly progress?: number | undefined
  /** What is being done, in words; undefined if the report does not say it. */
  readonly current_step?: string | undefined
  /** The current step, its index from 1; undefined if the report names none. */
  readonly step?: { readonly index: number; readonly total: number; readonly name: string } | undefined
  /** What is being counted; undefined if nothing is counted. */
  readonly unit?: { readonly done: number; readonly total: number; readonly name: string } | undefined
  /** How far the attempt is in a medium, in seconds; undefined if the report does not say it. */
  readonly media?: { readonly out_time: number; readonly total: number | null } | undefined
}
