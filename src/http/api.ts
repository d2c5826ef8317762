import { Elysia } from "elysia"

/** Where the paths of the API begin. */
export const API = "/api/v1"

/**
 * For routes whose paths begin with the API's base and then with `prefix`; "" for none. Each route gets its whole
 * path here, because the framework would create all routes of a group again.
 */
export const api = <Prefix extends string>(prefix: Prefix) =>
  new Elysia({ prefix: `${API}${prefix}`, normalize: false })
