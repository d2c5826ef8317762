import type { Access } from "./access.ts"
import type { Deliveries } from "./deliveries.ts"
import type { Figures } from "./figures.ts"
import type { History } from "./history.ts"
import type { Items } from "./items.ts"
import type { Life } from "./life.ts"
import type { Outputs } from "./outputs.ts"
import type { Runs } from "./runs.ts"
import type { Upkeep } from "./upkeep.ts"

/**
 * Everything that one database holds. Only the composition root sees it whole; each service asks for the parts that it
 * needs, so streams, which ask for `History`, cannot write.
 */
export interface Store extends Items, History, Life {
  /** What is sent to webhooks. */
  readonly deliveries: Deliveries

  /** The whole queue in figures. */
  readonly figures: Figures

  /** Who may do what. */
  readonly access: Access
  /** What is remembered of attempts that completed. */
  readonly runs: Runs

  /** What the commands of attempts printed. */
  readonly outputs: Outputs

  /** Keeps the database small. */
  readonly upkeep: Upkeep

  /** From now on a write that another program keeps waiting fails at once. */
  drain(): void

  /**
   * Waits for writes under way, writes everything into the database file as far as it can be written, and releases it.
   */
  close(): Promise<void>
}
