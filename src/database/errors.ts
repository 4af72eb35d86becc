import pg from 'pg'

/** Whether the database refused a row because this unique constraint holds another. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && error.constraint === constraint
}

/** Whether there is no such table: nothing was ever migrated. */
export function isUndefinedTable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '42P01'
}

/** An organization has had its share of the connections for too long. */
export const noTurn = 'no turn came within the time for it'

/**
 * Whether the database could not be asked, as opposed to having refused: no connection, a connection lost, the server
 * starting or stopping, out of connections, cut off or full (SQLSTATE classes 08, 53, 57, 58, and
 * 55000, 25006: a database that takes no connections, or is a standby).
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(08|53|57|58|55000|25006)/.test(error.code ?? '')
  if (!(error instanceof Error)) return false
  if (error.message === noTurn) return true
  if ('code' in error && /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/.test(String(error.code)))
    return true
  return /^(Connection terminated|Cannot use a pool after calling end|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout)/.test(
    error.message
  )
}
