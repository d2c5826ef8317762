import { digest, newToken } from "../access/secret.ts"
import { openAccess } from "../database-commands.ts"
import { AppError } from "../errors.ts"
import { setting, textFlag } from "../settings/read-settings.ts"
import { msIn } from "../settings/values-from-text.ts"
import {
  type Access,
  type OpenAccess,
  type Role,
  ROLES,
  type TokenDraft,
  type TokenRow,
} from "../store/contract/access.ts"
import { counted, printable, safeJson } from "../text.ts"
import { aligned } from "./aligned.ts"
import { type Command, idFlag, say, toPeople, typedId } from "./command.ts"
import { noteDatabaseWait } from "./note-database-wait.ts"
import { type Arguments, refuseMoreWords } from "./usage.ts"

/** Servers notice within this time that a token was revoked. */
const NOTICED_MS = 1000

/** @throws AppError `invalid` */
function roleOf({ flags }: Arguments): Role {
  const named = textFlag(flags, "role")
  const role = ROLES.find((each) => each === named)
  if (role) return role
  const given = named === undefined ? "--role is missing" : `--role cannot be "${named}"`
  throw new AppError("invalid", `${given}; it must be one of ${ROLES.join(", ")}`)
}

/**
 * When a day begins, or a time on it; NaN for a day that does not exist, such as the 31st of a short month.
 */
function timeOf(text: string): number {
  const [, day = ""] = /^(\d{4}-\d\d-\d\d)($|[T ])/.exec(text) ?? []
  const dayMs = Date.parse(day)
  const isDay = !Number.isNaN(dayMs) && new Date(dayMs).toISOString().startsWith(day)
  return isDay ? Date.parse(text) : Number.NaN
}

/** When a token ends, from `30d`, `12h`, `90m` or an RFC 3339 time. @throws AppError `invalid` */
function endOf(text: string | undefined, nowMs: number): string | null {
  if (text === undefined) return null
  const forMs = msIn(text, "mhd")
  const untilMs = forMs === undefined ? timeOf(text) : nowMs + forMs
  if (untilMs > nowMs && untilMs < 8.64e15) return new Date(untilMs).toISOString()
  throw new AppError(
    "invalid",
    `--expires must be a time to come: 90m, 12h, 30d, or a date such as 2030-01-31, not "${text}"`,
  )
}

/** The token that is to be created. @throws AppError `invalid` */
function draftOf(given: Arguments): Omit<TokenDraft, "hash"> {
  const item = idFlag(given, "item")
  const role = roleOf(given)
  if (item !== undefined && role !== "viewer") {
    throw new AppError("invalid", "a token for one item can only read; give it --role viewer")
  }
  const label = textFlag(given.flags, "label") ?? ""
  return { label, role, item: item ?? null, expires_at: endOf(textFlag(given.flags, "expires"), Date.now()) }
}

async function create(draft: Omit<TokenDraft, "hash">, opened: OpenAccess): Promise<void> {
  const { access, created } = opened
  const { item, role, expires_at } = draft
  const secret = newToken()
  if (created !== null) toPeople(`There was no database at ${created}; it was created.`)
  const isFirst = (await access.tokens()).length === 0
  const { id } = await access.addToken({ ...draft, hash: digest(secret) })
  say(secret)
  const until = expires_at === null ? "until it is revoked" : `until ${expires_at}`
  toPeople(`token ${id}, role ${role}, ${until}. This is the only time that it is shown.`)
  if (item !== null) toPeople(`As a link to the page: /items/${item}#token=${secret}`)
  if (isFirst) toPeople("From now on every request needs a token, even from this machine.")
}

function stateOf({ revoked_at, expires_at }: TokenRow): string {
  if (revoked_at !== null) return "revoked"
  return expires_at !== null && Date.parse(expires_at) <= Date.now() ? "expired" : "in force"
}

const day = (time: string | null, absent: string): string =>
  time === null ? absent : time.slice(0, 16).replace("T", " ")

async function list(access: Access, isJson: boolean): Promise<void> {
  const tokens = await access.tokens()
  if (isJson) {
    for (const token of tokens) {
      const { hash: _hash, history: _history, ...shown } = token
      say(safeJson({ ...shown, state: stateOf(token) }))
    }
    return
  }
  if (tokens.length === 0) return say("There are no tokens: the server serves this machine alone.")
  const rows = tokens.map((token) => [
    String(token.id),
    token.item === null ? token.role : `${token.role} of item ${token.item}`,
    stateOf(token),
    day(token.created_at, ""),
    day(token.expires_at, "never"),
    day(token.last_used_at, "never"),
    printable(token.label),
  ])
  const names = ["ID", "ROLE", "STATE", "CREATED", "EXPIRES", "LAST USED", "LABEL"]
  for (const line of aligned([names, ...rows])) say(line)
}

async function revoke(id: number, isWithLeases: boolean, access: Access): Promise<void> {
  const isRevoked = await access.revokeToken(id)
  if (!isRevoked && !(isWithLeases && (await access.tokens()).some((token) => token.id === id))) {
    throw new AppError("not_found", `no token ${id} is valid; track-studio token list shows those that are`)
  }
  const is = isRevoked ? "is revoked. Streams that it opened end within a second." : "was revoked before."
  say(`Token ${id} ${is}`)
  if (!isWithLeases) return
  let ended = await access.endLeases(id)
  // A server that does not know of this yet may still have given it an item.
  await Bun.sleep(NOTICED_MS)
  ended += await access.endLeases(id)
  say(
    `${counted(ended, "lease")} that it claimed ended; the renders are stopped, and tried again after half a minute.`,
  )
}

/** The flags of each action. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  create: ["role", "label", "item", "expires"],
  list: ["json"],
  revoke: ["and-leases"],
}

/** Refuses a flag that belongs to another action. @throws AppError `invalid` */
function refuseOthers(verb: string, { flags }: Arguments): void {
  for (const [other, names] of Object.entries(FLAGS)) {
    const one = names.find((name) => flags[name] !== undefined)
    if (other === verb || one === undefined) continue
    throw new AppError("invalid", `--${one} belongs to token ${other}, and has no effect with token ${verb}`)
  }
}

/**
 * What an action does with the tokens, after everything that was typed has been read. @throws AppError
 * `invalid`
 */
function actionOf(
  verb: "create" | "list" | "revoke",
  given: Arguments,
): (opened: OpenAccess) => Promise<void> {
  refuseOthers(verb, given)
  if (verb === "list") return ({ access }) => list(access, given.flags["json"] === true)
  if (verb === "create") {
    const draft = draftOf(given)
    return (opened) => create(draft, opened)
  }
  const id = typedId(given.words[1], "ID")
  return ({ access }) => revoke(id, given.flags["and-leases"] === true, access)
}

/** Creates, lists and revokes tokens, on the database itself. */
export const tokenCommand: Command = {
  usage: {
    line: "token create|list|revoke [ID]",
    choices: ["create", "list", "revoke"],
    about:
      "Creates, lists and revokes the tokens that let people, pages and workers in.\nIt works on the database itself, even while a server runs on it; the server notices within a second.",
    settings: ["database"],
    flags: {
      role: {
        type: "string",
        placeholder: "ROLE",
        choices: ROLES,
        help: `what a new token may do: ${ROLES.join(", ")}`,
      },
      label: { type: "string", placeholder: "TEXT", help: "label of a new token: who or what uses it" },
      item: { type: "string", placeholder: "ID", help: "the only queue item that a new token shows" },
      "and-leases": {
        type: "boolean",
        help: "with revoke: also stop the renders that were claimed with the token; default: they continue",
      },
      json: { type: "boolean", help: "with list: print one token per line as JSON" },
      expires: {
        type: "string",
        placeholder: "TIME",
        help: "when a new token ends: 90m, 12h, 30d, or a date; default never",
      },
    },
  },
  async run(given) {
    const [verb] = given.words
    const [, label] = given.words
    if (verb === "create" && label !== undefined)
      throw new AppError("invalid", `unexpected argument "${label}"; a label is given with --label`)
    refuseMoreWords(given, verb === "revoke" ? 2 : 1)
    if (verb !== "create" && verb !== "list" && verb !== "revoke") {
      const said = verb === undefined ? "missing action" : `unknown action "${verb}"`
      throw new AppError("invalid", `${said}; it must be create, list or revoke`)
    }
    const database = setting("database", given.flags)
    const action = actionOf(verb, given)
    const opened = await openAccess(database, verb === "create", noteDatabaseWait)
    try {
      await action(opened)
    } finally {
      await opened.close()
    }
    return 0
  },
}
