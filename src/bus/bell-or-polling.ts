import { every, type Repetition, type Service, within } from "../background-work.ts"
import { LocalBus } from "./bus.ts"

/** How often a bus that does not hear itself asks for new updates, and how often a bell is checked. */
const POLL_MS = 250
/**
 * After this time without a ring the bus asks for new updates, because another instance may be unable to
 * ring.
 */
const LOOK_MS = 1000
/** How long an echo may take. */
const ECHO_MS = 1000
/** A bell is tested after this time without an echo. */
const QUIET_MS = 2000
/** How long a bell may take to open. */
const OPEN_MS = 2000

/** One way to reach the other instances, as long as it works. A lost bell is not used again. */
export interface Bell {
  /**
   * Connects. From then on `heard` is called with everything that any instance says, this one included, and `lost`
   * once the connection is known to be gone.
   */
  open(heard: (said: string) => void, lost: (error: unknown) => void): Promise<void>
  /** Says something to all instances. */
  say(words: string): Promise<unknown>
  /** Disconnects; never throws. */
  close(): void
}

/** How a bus reaches the other instances, and what it calls when it cannot reach them. */
export interface BellOrPollingBusOptions {
  /** Makes a new bell. */
  readonly bell: () => Bell
  /** The shortest time between two rings to others, in milliseconds. Rings within that time become one. */
  readonly mergeMs: number
  /** Called once when the bus can no longer hear itself, with the reason. From then on it polls. */
  readonly onDeaf: (error: unknown) => void
  /** Called once when it hears itself again after that. */
  readonly onHears: () => void
  /** Called with the error of a listener, which must not throw. */
  readonly onError: (error: unknown) => void
}

/** What an instance sends: a ring is for all instances, a test only for itself. */
type Kind = "ring" | "test"

/** One bell, from its opening until it is lost. It is trusted only while it hears its own words. */
class OpenBell {
  readonly #name: string
  #bell: Bell | undefined
  /** Whether it has heard itself. */
  hears = false
  /** When it heard itself last, in milliseconds of `performance.now()`. */
  heardMs = 0
  /** When it sent something last. */
  saidMs = -Infinity
  /** Since when it waits for an echo. */
  #awaitedMs: number | undefined
  #isSaying = false

  constructor(name: string) {
    this.#name = name
  }

  /** Connects, and says something that it must hear. `heard` is called with each echo and with each ring of others. */
  async open(bell: Bell, heard: (isEcho: boolean) => void, lost: (error: unknown) => void): Promise<void> {
    this.#bell = bell
    const hear = (words: string): void => {
      const isEcho = words.endsWith(` ${this.#name}`)
      if (isEcho) this.#echo()
      if (isEcho || words.startsWith("ring ")) heard(isEcho)
    }
    if (!(await within(OPEN_MS, bell.open(hear, lost)))) throw new Error("it could not connect in time")
    await this.say("test")
  }

  /** Whether it may speak: only one thing is under way at a time. */
  get isFree(): boolean {
    return !this.#isSaying
  }

  async say(kind: Kind): Promise<void> {
    this.#isSaying = true
    this.saidMs = performance.now()
    this.#awaitedMs ??= this.saidMs
    await this.#bell?.say(`${kind} ${this.#name}`)
    this.#isSaying = false
  }

  #echo(): void {
    this.hears = true
    this.heardMs = performance.now()
    this.#awaitedMs = undefined
  }

  /** Whether an echo should have been heard by now. */
  get isOverdue(): boolean {
    return this.#awaitedMs !== undefined && performance.now() - this.#awaitedMs > ECHO_MS
  }

  close(): void {
    this.#bell?.close()
  }
}

/**
 * The doorbell between instances that share a database.
 *
 * It trusts its bell only as long as it hears what it says itself. While it does not, it looks for news every 250 ms
 * and opens a new bell until one is heard. It looks once a second in any case, because another instance may be unable
 * to ring. So a bell that is lost, or that is connected and deaf, delays updates and never loses one.
 */
export class BellOrPollingBus extends LocalBus implements Service {
  readonly #options: BellOrPollingBusOptions
  readonly #name: string = crypto.randomUUID()
  #line: OpenBell | undefined
  #watching: Repetition | undefined
  /** Whether the other instances must still be rung. */
  #isOwed = false
  #isDeaf = false
  #rungMs = 0
  #pause: Timer | undefined

  constructor(options: BellOrPollingBusOptions) {
    super()
    this.#options = options
  }

  /** Begins to open the first bell, and does not wait for it. */
  async start(): Promise<void> {
    this.#rungMs = performance.now()
    this.#watching ??= every(POLL_MS, (lateMs) => this.#watch(lateMs), this.#options.onError)
    void this.#open()
  }

  async stop(): Promise<void> {
    await this.#watching?.stop()
    this.#watching = undefined
    clearTimeout(this.#pause)
    const line = this.#line
    this.#line = undefined
    line?.close()
  }

  override notify(): void {
    this.#ring()
    this.#isOwed = true
    this.#ringOthers()
  }

  #ring(): void {
    this.#rungMs = performance.now()
    super.notify()
  }

  /** Rings the other instances if that is due, now or when the bell may ring again. */
  #ringOthers(): void {
    const line = this.#line
    if (!this.#isOwed || this.#pause || !line?.hears || !line.isFree) return
    const pauseMs = line.saidMs + this.#options.mergeMs - performance.now()
    if (pauseMs > 0) {
      this.#pause = setTimeout(() => {
        this.#pause = undefined
        this.#ringOthers()
      }, pauseMs)
      return
    }
    this.#isOwed = false
    void this.#say(line, "ring")
  }

  async #say(line: OpenBell, kind: Kind): Promise<void> {
    try {
      await line.say(kind)
      this.#ringOthers()
    } catch (error) {
      this.#lose(line, error)
    }
  }

  #heard(line: OpenBell, isEcho: boolean): void {
    if (this.#line !== line) return
    if (!isEcho) this.#ring()
    if (isEcho && this.#isDeaf) {
      this.#isDeaf = false
      this.#options.onHears()
      this.#ring()
    }
    this.#ringOthers()
  }

  async #open(): Promise<void> {
    const line = new OpenBell(this.#name)
    this.#line = line
    try {
      await line.open(
        this.#options.bell(),
        (isEcho) => this.#heard(line, isEcho),
        (error) => this.#lose(line, error),
      )
      this.#ringOthers()
    } catch (error) {
      this.#lose(line, error)
    }
  }

  #lose(line: OpenBell, error: unknown): void {
    if (this.#line !== line) return
    this.#line = undefined
    line.close()
    this.#isOwed = true
    if (this.#isDeaf) return
    this.#isDeaf = true
    this.#options.onDeaf(error)
  }

  #watch(lateMs: number): void {
    const line = this.#line
    // After a pause of this process the echo may be read only after this round.
    if (line?.isOverdue && lateMs < POLL_MS) this.#lose(line, new Error("it does not hear itself"))
    if (!this.#line?.hears || performance.now() - this.#rungMs >= LOOK_MS) this.#ring()
    if (!this.#line) void this.#open()
    else if (line?.hears && line.isFree && performance.now() - line.heardMs > QUIET_MS)
      void this.#say(line, "test")
  }
}
