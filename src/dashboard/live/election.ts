import type { FromHub, ToHub } from "../model/messages.ts"

const BEAT_MS = 2000
/** A leader that is silent for this long is gone; hidden tabs have slow timers, so they wait for longer. */
const SILENCE_MS = 5000
const HIDDEN_SILENCE_MS = 90_000
const SPREAD_MS = 400

/** Who leads: the higher term wins, and among equals the later name. */
interface Claim {
  readonly term: number
  readonly leader: string
}

/** What tabs say to each other. */
export type Said =
  | ({ readonly type: "leads" } & Claim)
  | ({ readonly type: "resigns" } & Claim)
  | { readonly type: "asks" }
  | { readonly type: "tab"; readonly tab: string; readonly message: ToHub }
  | ({ readonly type: "hub"; readonly to: string | null; readonly message: FromHub } & Claim)

/** What the tab does when it leads, and when it does no more. */
export interface Role {
  readonly lead: () => void
  readonly resign: () => void
}

const beats = (a: Claim, b: Claim): boolean => a.term > b.term || (a.term === b.term && a.leader > b.leader)

/**
 * Elects the tab that holds the stream for all, where there is no SharedWorker. Tabs talk over a BroadcastChannel;
 * the lock manager would do this better, but does not exist on plain http. A leader that browsers slow down, because it
 * is hidden, loses the lead to a tab in view.
 */
export class Election {
  readonly #say: (said: Said) => void
  readonly #name: string
  readonly #role: Role
  #best: Claim = { term: 0, leader: "" }
  #heardMs = Date.now() - SILENCE_MS + SPREAD_MS
  #saidMs = 0

  constructor(name: string, say: (said: Said) => void, role: Role) {
    this.#name = name
    this.#say = say
    this.#role = role
    say({ type: "asks" })
  }

  get leads(): boolean {
    return this.#best.leader === this.#name
  }

  /** The claim that counts, for what a leader says. */
  get claim(): Claim {
    return this.#best
  }

  /** Takes the lead. */
  stand(): void {
    if (this.leads) return
    this.#best = { term: this.#best.term + 1, leader: this.#name }
    this.#tell()
    this.#role.lead()
  }

  /** Gives the lead away, if it has it. */
  resign(): void {
    if (!this.leads) return
    this.#say({ type: "resigns", ...this.#best })
    this.#best = { ...this.#best, leader: "" }
    this.#role.resign()
  }

  /** Hears another tab. Answers whether what it says is the leader's. */
  hear(said: Said, visible: boolean): boolean {
    switch (said.type) {
      case "asks":
        if (this.leads) this.#tell()
        return false
      case "tab":
        return false
      case "resigns":
        if (said.term < this.#best.term || this.leads) return false
        this.#best = { term: said.term, leader: "" }
        // The first to stand wins; those in view come first.
        this.#heardMs = Date.now() - (visible ? SILENCE_MS - SPREAD_MS : HIDDEN_SILENCE_MS - 5 * SPREAD_MS)
        return false
      case "leads":
      case "hub":
        return this.#heard(said)
    }
  }

  #heard({ term, leader }: Claim): boolean {
    const claim = { term, leader }
    if (leader === this.#best.leader && term === this.#best.term) {
      this.#heardMs = Date.now()
      return true
    }
    if (!beats(claim, this.#best)) {
      if (this.leads) this.#tell()
      return false
    }
    const led = this.leads
    this.#best = claim
    this.#heardMs = Date.now()
    if (led) this.#role.resign()
    return true
  }

  /** Looks at the time: a leader beats, the others stand when there is none. */
  tick(visible: boolean): void {
    const nowMs = Date.now()
    if (this.leads) {
      if (nowMs - this.#saidMs >= BEAT_MS) this.#tell()
    } else if (nowMs - this.#heardMs > (visible ? SILENCE_MS : HIDDEN_SILENCE_MS)) {
      this.#heardMs = nowMs - Math.random() * SPREAD_MS
      this.stand()
    }
  }

  #tell(): void {
    this.#saidMs = Date.now()
    this.#say({ type: "leads", ...this.#best })
  }
}
