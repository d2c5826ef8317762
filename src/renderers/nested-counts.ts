import type { Unit } from "../item/item.ts"
import { NEAR_END } from "./believed-bar.ts"
import { type Count, OTHER_RANK } from "./counts-in-line.ts"
import { DoneInAnyOrder } from "./done-in-any-order.ts"
import { LateStart } from "./late-start.ts"

/** The distance between the ranks of two nouns. */
const HALF = 0.5

/** If other counts came this many times instead of it, a count was abandoned. */
const MAX_MISSED = 4

/** How many counts are remembered besides those under way: an output may name another one in each of its lines. */
const MAX_KNOWN = 200

/**
 * From this fraction on, a part inside a count is full: the last redraw of many bars stops before the end.
 */
const FULL = 0.995

/** The effect of a line on a counter. */
type Seen = "unproven" | "same" | "begun" | "moved" | "restarted"

/** The circumstances of a count. */
interface Circumstances {
  readonly isDone: boolean
  readonly isSure: boolean
  readonly isNew: boolean
  readonly isUnderWay: boolean
}

/** How far a count is; the first one of several is the start. */
const fromStart = ({ n, total }: Count): number => (n <= 1 ? 0 : n / total)

/** One counted thing over time. */
class CountedThing {
  readonly rank: number
  /** The words before it when it was first seen. */
  readonly label: string
  /** Whether it is believed: it was first seen at its start, or it has grown. */
  isBelieved = false
  /** How many times another count of its rank came since it was seen. */
  missed = 0
  /** Whether anything was reported inside one of the counted things. */
  hasInner = false
  /** Whether it was reported inside another count. */
  isInner = false
  /** Whether it was last reported beside another count of its rank that was under way. */
  isBeside = false
  /** Whether it has begun again. */
  hasRestarted = false
  /** How often the counts of work had moved when it was seen last. */
  moves = 0
  /** Whether it goes on when a count around it moves: then it is not inside of that, and counts something else. */
  isElsewhere = false
  /** Whether it was first seen at its start, when nothing else had come far. */
  readonly isEarly: boolean
  #count: Count
  #shape = ""
  /** Whether it has grown since it began. */
  #hasMoved = false
  /** Whether its lines have different words each time: then it counts steps that differ. */
  #isVaried = false
  #hasZero = false
  #isDone = false
  readonly #order = new DoneInAnyOrder()
  readonly #start: LateStart

  constructor(count: Count, rank: number, label: string, isEarly: boolean, isNoun: boolean) {
    this.label = label
    this.#start = new LateStart(isNoun, fromStart(count))
    this.rank = rank
    this.isEarly = isEarly
    this.#count = count
  }

  /** How many are done. The current one is not done, unless the counter began at 0 or the words say so. */
  get done(): number {
    const { n } = this.#count
    return this.#hasZero || this.#isDone ? n : Math.max(0, n - 1)
  }

  get unit(): Unit {
    return { done: this.done, total: this.#count.total, name: this.#count.name }
  }

  /** Whether the last one is under way, or nearly. */
  get isAtEnd(): boolean {
    const { n, total } = this.#count
    return n >= total || this.done >= NEAR_END * total
  }

  /**
   * Whether the last one is under way, the previous ones were similar, and nothing was reported inside them.
   */
  get isPlainToLast(): boolean {
    const { n, total } = this.#count
    return n >= total && this.#hasMoved && !this.#isVaried && !this.hasInner
  }

  /** Whether the last one is under way. */
  get isAtLast(): boolean {
    return this.#count.n >= this.#count.total
  }

  /** Stores the words of a line. */
  hear(shapeOf: () => string): void {
    if (this.#isVaried) return
    const shape = shapeOf()
    this.#isVaried = this.#shape !== "" && shape !== this.#shape
    this.#shape = shape
  }

  /**
   * `isSure`: the line certainly counts work, from its start. `isUnderWay`: no count around it has gone up.
   */
  see(told: Count, { isDone, isSure, isNew, isUnderWay }: Circumstances): Seen {
    this.missed = 0
    const isGoingOn = isUnderWay && !this.isAtEnd && told.total === this.#count.total
    const count = isDone ? { ...told, n: this.#order.doneWith(told.n, told.total, isGoingOn) } : told
    const before = this.#count
    const isDoubted = this.#start.doubts(fromStart(count))
    // If several things are under way at once, they come in no order. A count that begins again does so at
    // its start.
    const isAside = count.n < before.n && count.n > before.n / 2
    if (isAside && isUnderWay && count.total === before.total) return "same"
    const isOther = isNew || count.total !== before.total
    const isBack = count.n < before.n
    this.#count = count
    this.#isDone = isDone
    this.#hasZero = count.n === 0 || (this.#hasZero && !isOther && !isBack)
    if (isDoubted) return "unproven"
    // A total that grows with the number is the position in a file that is being read, and not the end.
    if (count.total > before.total && count.n > before.n) {
      this.isBelieved = false
      return "unproven"
    }
    if (isOther || isBack) {
      this.#hasMoved = false
      this.hasRestarted ||= !isNew
      const wasBelieved = this.isBelieved
      // A count that was nearly at its end and is now at its start has begun again.
      const isAgain = wasBelieved && !isOther && count.n <= 1 && before.n >= NEAR_END * before.total
      this.isBelieved = isSure || isAgain
      if (!this.isBelieved) return "unproven"
      return wasBelieved ? "restarted" : "begun"
    }
    if (count.n === before.n) return this.isBelieved ? "same" : "unproven"
    this.isBelieved = true
    this.#hasMoved = true
    return "moved"
  }
}

/**
 * Whether a count is proven by one inside it that goes up: it counts work, or it has no noun and is at its start. "7/10"
 * before "step 3/20" may be a setting.
 */
const isAroundParts = ({ n, rank, isWork }: Count): boolean =>
  isWork || (rank < OTHER_RANK && rank > 0 && n <= 1)

/** The progress that a line with counts showed. */
export interface Counted {
  /** Whether one of its counts is believed. */
  readonly isTold: boolean
  /**
   * Whether the earlier counts were not the whole: the outermost count begins again, or another one replaces
   * it.
   */
  readonly isNext: boolean
  /** Whether the outermost count was reported beside the earlier one, and continues after the end of that one. */
  readonly isLonger: boolean
  /** Whether the part inside the counts begins again. */
  readonly isInner: boolean
  /** Whether it begins again because the innermost count went up. */
  readonly isOn: boolean
}

/** The text of a line beside its counts. */
interface CountedLine {
  /** The words before its counts; they distinguish counts without a noun. */
  readonly label: string
  /** All of its words. */
  readonly shape: () => string
  /** Whether they say that the counted thing is done. */
  readonly isDone: boolean
  /** Whether the line is only a name and its value. */
  readonly isProperty: boolean
  /** Whether its words only name something and say nothing of work: "score 37/100". Only a first line is asked. */
  readonly isNoun: () => boolean
  /** The progress of the part inside the counts, 0 to 1. */
  readonly inner: number
  /** The progress of the whole, 0 to 1. */
  readonly outer: number
}

/** What distinguishes a count without a noun: the words before the counts of its line, and which of them it is. */
const keyOf = (label: string, index: number): string => `${label}#${index}`

/** What distinguishes a step: what is being done, unless it is named together with what it is done to. */
const stepOf = (label: string): string => (/^\p{L}{3,}ing /u.test(label) ? "(" : label || "[")

/** Whether a line certainly counts work. `isInner` means that a count before it on the line is believed. */
function isSureOf({ n, total, isWork, isHead }: Count, isInner: boolean, isDone: boolean): boolean {
  if (n <= 1 && (isWork || (isHead && total > 1))) return true
  // A count inside a believed count of the same line needs no start of its own. But the position in a file that
  // is being read is always near the total that is known so far.
  return isWork && ((isInner && n < NEAR_END * total) || isDone)
}

/** Counts that nest: jobs, images and frames around steps, tiles and samples, on one line or on several. */
export class NestedCounts {
  /** The one that was seen last comes last. */
  readonly #known = new Map<string, CountedThing>()
  #nested: CountedThing[] = []
  /** How often a count of work has moved. */
  #moves = 0

  /** Reads the counts of a line, the outermost first. */
  see(counts: readonly Count[], line: CountedLine): Counted {
    const { label, shape, isDone, isProperty, inner } = line
    let [isTold, isNext, isLonger, isInner, isOn] = [false, false, false, false, false]
    const unproven: CountedThing[] = []
    for (const [i, count] of counts.entries()) {
      const key = count.isWork ? count.name : keyOf(count.isHead ? stepOf(label) : label, i)
      const known = this.#known.get(key)
      const counter = known ?? this.#newCounter(count, line, !isTold)
      this.#remember(key, counter)
      counter.hear(shape)
      // The words of a line with nested counts are about the innermost one.
      const isLast = i === counts.length - 1
      const isNamed = !isProperty || count.n === 0
      const isSure = isNamed && isSureOf(count, isTold, isDone && isLast)
      const isUnderWay = this.#nested.includes(counter)
      const seen = counter.see(count, { isDone: isDone && isLast, isSure, isNew: !known, isUnderWay })
      if (seen === "unproven" || this.#isElsewhere(counter, count, seen)) {
        this.#nested = this.#nested.filter((each) => each !== counter)
        if (isAroundParts(count)) unproven.push(counter)
        continue
      }
      // A count that goes up proves the count around it, too; one that has only begun does not.
      const around = unproven.filter((each) => each.rank < counter.rank)
      if (around.length > 0 && seen !== "moved") continue
      for (const outer of around) isNext = this.#believe(outer) || isNext
      const wasBeside = counter.isBeside && seen === "moved" && !counter.hasRestarted
      counter.isBeside = this.#isBeside(counter)
      if (counter.isBeside) continue
      const isAfter = !isTold && !counter.isInner && this.#isBelow(counter) && this.isOver(inner)
      isTold = true
      if (seen === "same" && this.#nested.includes(counter)) continue
      isInner = true
      isOn = seen === "moved" && this.#nested.at(-1) === counter
      if (isAfter) this.clear()
      const isOuter = this.#insert(counter, seen)
      isLonger ||= isOuter && wasBeside
      isNext = isOuter || isAfter || isNext
    }
    return { isTold, isNext: isNext && !isLonger, isLonger, isInner, isOn }
  }

  /** Whether a count without a noun of work goes on from its value when the work moves: it counts something else. */
  #isElsewhere(counter: CountedThing, { isWork, isHead }: Count, seen: Seen): boolean {
    if (isWork && seen === "moved") this.#moves += 1
    if (isWork || isHead || counter.rank < OTHER_RANK) return false
    const isInside = this.#nested.some(({ rank }) => rank < counter.rank)
    const hasPassed = seen === "moved" && !counter.hasRestarted && counter.moves < this.#moves
    counter.isElsewhere ||= isInside && hasPassed
    counter.moves = this.#moves
    return counter.isElsewhere
  }

  /** If there are too many, the one that was not seen for longest is forgotten. */
  #remember(key: string, counter: CountedThing): void {
    this.#known.delete(key)
    this.#known.set(key, counter)
    if (this.#known.size <= MAX_KNOWN) return
    for (const [oldest, each] of this.#known) {
      if (this.#nested.includes(each)) continue
      this.#known.delete(oldest)
      return
    }
  }

  #newCounter(count: Count, { label, outer, isNoun }: CountedLine, isAlone: boolean): CountedThing {
    const isNamed = label !== "" && !count.isHead && !count.isWork && isNoun()
    return new CountedThing(count, this.#rankOf(count, isAlone), label, count.n <= 1 && outer === 0, isNamed)
  }

  /**
   * The rank of a new count. Steps contain what is counted after them, and are inside what was counted
   * before.
   */
  #rankOf({ n, isHead, isWork, rank }: Count, isAlone: boolean): number {
    if (isHead && !this.isEmpty) return OTHER_RANK
    // A count that begins on a line of its own while another one is under way is inside that one, whatever
    // its noun.
    const innermost = this.#nested.at(-1)
    const isInside = isAlone && isWork && n <= 1 && innermost && rank < innermost.rank && !innermost.isAtEnd
    return isInside ? innermost.rank + HALF : rank
  }

  /** Whether another count of its rank is under way. Two that grow side by side do not follow one another. */
  #isBeside(counter: CountedThing): boolean {
    const other = this.#nested.find((each) => each !== counter && each.rank === counter.rank)
    if (!other || other.isAtEnd) return false
    other.missed += 1
    return other.missed < MAX_MISSED
  }

  /** Whether a count differs from the outermost one, and would be inside it. */
  #isBelow({ rank }: CountedThing): boolean {
    const [outermost] = this.#nested
    return outermost !== undefined && rank > outermost.rank
  }

  #believe(counter: CountedThing): boolean {
    counter.isBelieved = true
    return this.#insert(counter, "moved")
  }

  /**
   * Inserts a counter by its rank and drops the counters inside it; returns whether the outermost one has
   * changed.
   */
  #insert(counter: CountedThing, seen: Seen): boolean {
    const [outermost] = this.#nested
    const had =
      outermost !== undefined && (outermost !== counter ? this.fraction(0) > 0 : seen === "restarted")
    const around = this.#nested.filter(({ rank }) => rank < counter.rank)
    for (const each of around) each.hasInner = true
    counter.isInner ||= around.length > 0
    this.#nested = [...around, counter]
    return had && this.#nested[0] === counter
  }

  /** Whether a count without a noun, after these words, is believed and under way. */
  isCounting(label: string): boolean {
    const counter = this.#known.get(keyOf(label, 0))
    return counter !== undefined && this.#nested.includes(counter)
  }

  /** Whether the only count is of so many things after these words. */
  isOnly(label: string, total: number): boolean {
    const [only, ...more] = this.#nested
    return only !== undefined && more.length === 0 && only.label === label && only.unit.total === total
  }

  /** Whether the outermost count was reported before any bar began, so that all bars are inside of it. */
  get isAround(): boolean {
    return this.#nested[0]?.isEarly ?? false
  }

  /** Whether anything is counted. */
  get isEmpty(): boolean {
    return this.#nested.length === 0
  }

  /**
   * Whether something new begins after the counted things: the last one is under way, and the part inside it,
   * `inner` of 1, is full, or the previous ones had no parts inside them.
   */
  isOver(inner: number): boolean {
    const innermost = this.#nested.at(-1)
    if (!innermost || !this.#nested.every(({ isAtLast }) => isAtLast)) return false
    return inner >= FULL || innermost.isPlainToLast
  }

  /** Records that something was counted inside the innermost one. */
  enter(): void {
    const innermost = this.#nested.at(-1)
    if (innermost) innermost.hasInner = true
  }

  /** What the outermost count counts; undefined if nothing is counted. */
  get unit(): Unit | undefined {
    return this.#nested[0]?.unit
  }

  /** The progress of the whole, 0 to 1, if the part inside the innermost count has reached this fraction. */
  fraction(inner: number): number {
    return this.#nested.reduceRight((fraction, counter) => {
      const { done, total } = counter.unit
      return Math.min(1, (done + (done < total ? fraction : 0)) / total)
    }, inner)
  }

  /** Forgets the counts, because they are over. */
  clear(): void {
    this.#nested = []
  }
}
