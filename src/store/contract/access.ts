/** All roles that a token can have. */
export const ROLES = ["viewer", "operator", "worker", "admin"] as const

/**
 * What a token lets its bearer do: `viewer` reads; `operator` also adds, changes, cancels, retries, deletes and pauses;
 * `worker` claims, reports, adds its own items and names the files it made; `admin` may do everything.
 */
export type Role = (typeof ROLES)[number]

/** A token as it is stored: its role, and for what it is valid. */
export interface TokenRow {
  /** The ID of the token. IDs ascend in the order in which tokens were created. */
  readonly id: number
  /** SHA-256 of the token, in hex; the token itself is stored nowhere. */
  readonly hash: string
  /** A label for people; empty if none was given. */
  readonly label: string
  /** What a caller with the token may do. */
  readonly role: Role
  /** The ID of the only queue item that it shows; null for all items. */
  readonly item: number | null
  /** The history that `item` belongs to: in another one, its number means another item. */
  readonly history: string
  /** When it was created. This and all other times are RFC 3339 UTC. */
  readonly created_at: string
  /** When it expires; null for never. */
  readonly expires_at: string | null
  /** When it was revoked; null if it was not. */
  readonly revoked_at: string | null
  /** When it was last used, to a minute; null for never. */
  readonly last_used_at: string | null
}

/** A token before the database has given it an id. */
export type TokenDraft = Pick<TokenRow, "hash" | "label" | "role" | "item" | "expires_at">

/** The right to one path for a client that can send no header. */
export interface TicketRow {
  /** SHA-256 of the ticket, in hex. */
  readonly hash: string
  /** The ID of the token that it stands for. It ends with that token. */
  readonly token_id: number
  /** `GET` or `POST`. */
  readonly method: string
  /** The only path, with its query, as the client sends it, but without the ticket. */
  readonly path: string
  /** It must be used for the first time before this time. This and all other times are RFC 3339 UTC. */
  readonly use_by: string
  /** When it ends, whether it was used or not. */
  readonly expires_at: string
  /** When it was used first; null if it was not. */
  readonly used_at: string | null
}

/** Tokens and tickets. Each method is one transaction. */
export interface Access {
  /** All tokens that were ever created, also those that are revoked or expired, by id. */
  tokens(): Promise<readonly TokenRow[]>

  /**
   * A number that changes whenever another process has written the database. Then tokens may have been
   * created or revoked beside this server. Reading the number costs nearly nothing.
   */
  version(): Promise<number>

  /**
   * Adds a token; it belongs to the present history.
   * @throws AppError `not_found` if the only item that it should show does not exist
   */
  addToken(draft: TokenDraft): Promise<TokenRow>

  /**
   * Revokes a token and forgets its tickets. Returns false if there is no such token, or if it was revoked
   * before.
   */
  revokeToken(id: number): Promise<boolean>

  /**
   * Revokes the leases that were claimed with a token. Their workers are refused from then on, and learn that they must
   * stop; the items are taken back. Returns how many leases there were; 0 the second time.
   */
  endLeases(id: number): Promise<number>

  /** Notes that these tokens were used now. */
  useTokens(ids: readonly number[]): Promise<void>

  /** Whether several servers use the database, so that others give out tickets as well. */
  readonly isShared: boolean

  /** The ticket with this hash; null if there is none, or it has ended. */
  ticket(hash: string): Promise<TicketRow | null>

  /** The tickets that have not ended. */
  tickets(): Promise<readonly TicketRow[]>

  /** Adds a ticket, and forgets those that have ended or were not used in time. */
  addTicket(ticket: Omit<TicketRow, "used_at">): Promise<void>

  /** Notes that the ticket with this hash was used for the first time now. */
  useTicket(hash: string): Promise<void>
}

/** The tokens of a database that a command has opened. */
export interface OpenAccess {
  /** The tokens themselves. */
  readonly access: Access
  /** The path of the database if it was created now; null if it existed. */
  readonly created: string | null
  /** Closes the database. */
  close(): void | Promise<void>
}
