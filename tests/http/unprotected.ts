import { EVERYBODY, type Gate } from "../../src/access/gate.ts"
import type { Tickets } from "../../src/access/tickets.ts"
import { ClientLimits } from "../../src/http/client-limits.ts"

const gate: unknown = { caller: () => EVERYBODY, unknownCaller: () => EVERYBODY }
const tickets: unknown = { isShared: false }

/** The parts of an app that lets everybody do everything, as often as they like. */
export const UNPROTECTED = {
  gate: gate as Gate,
  tickets: tickets as Tickets,
  limits: new ClientLimits({ perAddress: 0, perToken: 0, perLease: 0, held: 0, steadyMs: () => 0 }),
}
