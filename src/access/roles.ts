import { AppError } from "../errors.ts"
import { type Role, ROLES } from "../store/contract/access.ts"
import { eitherOf } from "../text.ts"

/**
 * What a route asks of its caller:
 *
 * - `nothing`: anybody may, even without a token.
 * - `item`: reading one queue item. A token for one item reads that item, and every other is unknown to it.
 * - `read`: reading many items. A token for one item gets that item alone.
 * - `figures`: counts and figures over all items. A token for one item may not.
 * - `add`: adding an item.
 * - `change`: changing, cancelling, retrying, deleting items, and pausing the queue.
 * - `files`: as `change`; a worker may too, for the keys that `WORKER_KEYS` names.
 * - `claim`: taking an item to work on it.
 * - `report`: a worker's route of one item. The lease of that item suffices, without any token.
 * - `operations`: metrics, readiness and lists of streams. From this machine, a viewer may.
 * - `admin`: tokens, backups, the servers of a fleet.
 */
export type Need =
  | "nothing"
  | "item"
  | "read"
  | "figures"
  | "add"
  | "change"
  | "files"
  | "claim"
  | "report"
  | "operations"
  | "admin"

const ALLOWED: Readonly<Record<Exclude<Need, "nothing">, readonly Role[]>> = {
  item: ["viewer", "operator", "worker", "admin"],
  read: ["viewer", "operator", "admin"],
  figures: ["viewer", "operator", "admin"],
  add: ["operator", "worker", "admin"],
  change: ["operator", "admin"],
  files: ["operator", "worker", "admin"],
  claim: ["worker", "admin"],
  report: ["worker", "admin"],
  operations: ["admin"],
  admin: ["admin"],
}

/** The keys that a worker may set by PUT: the files that it made. Its reports use its lease. */
const WORKER_KEYS: readonly string[] = ["video_file_path", "video_file_size", "thumbnail_path"]

/** The roles that have the right that a route needs. */
export const rolesFor = (need: Need): readonly Role[] => (need === "nothing" ? ROLES : ALLOWED[need])

/** The rights of a caller. */
export interface Rights {
  /** What the token says; `nobody` for a caller without one. */
  readonly role: Role | "nobody"
  /** The only item that the token shows; undefined for all. */
  readonly item?: number | undefined
}

/** Whether a caller with these rights may do what the route needs. */
export function isAllowed({ role, item }: Rights, need: Need, isLocal: () => boolean = () => false): boolean {
  if (need === "nothing") return true
  if (item !== undefined && need !== "item" && need !== "read") return false
  if (need === "operations" && role === "viewer") return isLocal()
  return role !== "nobody" && ALLOWED[need].includes(role)
}

/** What a client may do on the server, as `GET /me` names it. */
const RIGHTS = ["read", "figures", "add", "change", "claim", "admin"] as const satisfies readonly Need[]

/** The rights of a caller that a client must know before it offers an action. */
export const rightsOf = (rights: Rights): (typeof RIGHTS)[number][] =>
  RIGHTS.filter((need) => isAllowed(rights, need))

/**
 * Checks that the caller may do what the route needs.
 * @throws AppError `unauthorized` for a caller without a token, `forbidden` that names the role that may
 */
export function checkAllowed(rights: Rights, need: Need, isLocal: () => boolean = () => false): void {
  if (need === "nothing" || isAllowed(rights, need, isLocal)) return
  if (rights.role === "nobody") {
    throw new AppError(
      "unauthorized",
      "this server needs a token: send Authorization: Bearer tsk_..., or give it to a command by TRACK_STUDIO_TOKEN or --token-file; create one with track-studio token create",
    )
  }
  throw new AppError(
    "forbidden",
    rights.item === undefined
      ? `the role ${rights.role} may not do this; a token with the role ${eitherOf(ALLOWED[need])} may`
      : `this token shows queue item ${rights.item} and may do nothing else`,
  )
}

/**
 * Checks that a worker sets by PUT only the keys that a worker may set.
 * @throws AppError `forbidden` that names the keys
 */
export function checkAllowedKeys({ role }: Rights, keys: readonly string[]): void {
  if (role !== "worker") return
  const others = keys.filter((key) => !WORKER_KEYS.includes(key))
  if (others.length === 0) return
  throw new AppError(
    "forbidden",
    `the role worker may not set ${others.join(", ")}; it may set ${WORKER_KEYS.join(", ")}`,
  )
}
