export type EmbeddedPostgresErrorCode =
  | 'already-running'
  | 'half-initialised'
  | 'wrong-major-version'
  | 'unsupported-platform'
  | 'binaries-incomplete'
  | 'no-unprivileged-user'
  | 'unreachable-directory'
  | 'permission-denied'
  | 'port-taken'
  | 'start-failed'
  | 'stop-failed'

/** Says what went wrong with the embedded database, where, and how to mend it. */
export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresErrorCode

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EmbeddedPostgresError'
    this.code = code
  }
}
