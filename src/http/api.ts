import { Elysia } from "elysia"

/** The beginning of every path of the API. */
export const API = "/api/v1"

/**
 * Makes routes whose paths begin with the base of the API and then with `prefix`, which may be empty. Each
 * route has its whole path from the start, because the framework would create all routes of a group a second
 * time.
 */
export const api = <Prefix extends string>(prefix: Prefix) =>
  new Elysia({ prefix: `${API}${prefix}`, normalize: false })
