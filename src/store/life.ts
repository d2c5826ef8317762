/** When a server last used this database. */
export interface Life {
  /** When a server was last known to be alive, in milliseconds of the steady clock (see `Moment`); null if never. */
  aliveAt(): Promise<number | null>

  /** Stores that a server is alive at this time. */
  setAlive(steadyMs: number): Promise<void>
}
