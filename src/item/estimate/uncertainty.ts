import { type Custom, type Hearing, pacesOf } from "./time-left.ts"

/** How much the latest pace adds to the uncertainty if it differs from what is expected of the rest. */
const BY_PACE = 0.5
/** How much an amount of work adds that no run had; by the logarithm of how many times as much there is, for one run. */
const BY_AMOUNT = 0.2
/** How much runs add that differ in what was still to come. */
const BY_RUNS = 0.8
/** An earlier run's pace is not corrected by more than this factor. */
const MAX_PACE = 3
/** With this the band reaches to several times as long, which says that nothing is known. */
const MAX_DOUBT = 1.5

/** Where an attempt is, and how long it takes according to what was heard. */
export interface Told {
  /** Seconds since its start. */
  readonly at: number
  /** Seconds to its end. */
  readonly left: number
  /** When the current step began. */
  readonly stepAt: number
}

/** How far the latest pace is from the one expected for the rest, as far as that matters for the whole. */
function byPace({ said }: Hearing, { at, left, stepAt }: Told): number {
  const rest = said.step - said.inStep + said.after
  if (rest <= 0 || said.behind + said.inStep <= 0) return 0
  const { latest } = pacesOf(said, said.inStep, said.movedAt - stepAt)
  return (BY_PACE * Math.abs(latest - Math.log(left / rest)) * left) / (at + left)
}

/** How far there is more to do, or less, than in any run, as far as that matters for the whole. */
function byAmount({ said }: Hearing, { at, left }: Told, runs: number): number {
  const rest = said.step + said.after
  return rest > 0 ? ((BY_AMOUNT * Math.abs(said.stretched)) / rest / runs) * (left / (at + left)) : 0
}

/**
 * How far the earlier runs are from each other in what was still to come, beside the whole. An earlier run that was slower or
 * faster until there is expected to go on so, as far as an attempt's own pace is believed.
 */
function byRuns({ said, places }: Hearing, { inertia }: Custom): number {
  if (places.length < 2) return 0
  const done = said.behind + said.inStep
  const whole = said.behind + said.step + said.after
  const belief = done / (done + inertia * whole)
  let [mean, squares] = [0, 0]
  for (const place of places) {
    const pace = place.done > 0 ? Math.min(MAX_PACE, Math.max(1 / MAX_PACE, done / place.done)) : 1
    const rest = place.rest * pace ** belief
    mean += place.part * rest
    squares += place.part * rest * rest
  }
  const variance = Math.max(0, squares - mean ** 2) * (places.length / (places.length - 1))
  return (BY_RUNS * Math.sqrt(variance)) / whole
}

/**
 * What makes an estimate less certain than estimates of this kind usually are: a standard deviation of the logarithm of
 * the whole time. `runs` is how many are known.
 */
export function doubtOf(heard: Hearing, told: Told, custom: Custom, runs: number): number {
  if (told.left <= 0) return 0
  const doubt = Math.hypot(byPace(heard, told), byAmount(heard, told, runs), byRuns(heard, custom))
  return Math.min(MAX_DOUBT, doubt)
}
