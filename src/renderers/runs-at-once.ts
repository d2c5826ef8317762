/** The most runs that are followed. */
const MOST_RUNS = 64
/** A run that printed nothing while so many lines came from each of the others has ended. */
const MOST_MISSED = 6
/** How often an earlier run must go on beside a later one. */
const ALTERNATIONS = 3

/** A run that goes on. */
interface RunOfSeveral {
  seconds: number
  /** The number of the line that was its last one. */
  at: number
}

/**
 * Follows several ffmpegs that print their times into one output and do not say which of them a line is from. A time belongs
 * to the run that is nearest below it. Mostly one run follows another: then a time falls only once.
 */
export class RunsAtOnce {
  #runs: RunOfSeveral[] = []
  #line = 0
  /** How often the time came from another run than in the line before, while both went on. */
  #alternations = 0
  /** The time of the run that is furthest behind, in seconds. */
  #lowest = 0

  /** Whether several runs are known to go on at the same time. */
  get areSeveral(): boolean {
    return this.#alternations >= ALTERNATIONS
  }

  /** The time of the run that is furthest behind, in seconds, once a run has reached `seconds`. */
  lowest(seconds: number, hasEnded: boolean): number {
    this.#line += 1
    const before = this.#line - 1
    const [nearest] = this.#runs.filter((run) => run.seconds <= seconds).sort((a, b) => b.seconds - a.seconds)
    const run = nearest ?? { seconds, at: 0 }
    if (nearest && this.#runs.some((other) => other !== run && other.at === before && other.at > run.at))
      this.#alternations += 1
    run.seconds = seconds
    run.at = this.#line
    const most = MOST_MISSED * (this.#runs.length + 1)
    const others = this.#runs.filter((other) => other !== run && this.#line - other.at <= most)
    this.#runs = (hasEnded ? others : [...others, run]).slice(-MOST_RUNS)
    // Runs that follow one another start again from none.
    if (this.#runs.length === 0) this.#alternations = this.#lowest = 0
    if (!this.areSeveral) return seconds
    // A time may have been taken for that of another run.
    this.#lowest = Math.max(this.#lowest, Math.min(seconds, ...this.#runs.map((each) => each.seconds)))
    return this.#lowest
  }
}
