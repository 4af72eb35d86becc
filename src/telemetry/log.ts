import { pino, type DestinationStream, type Logger } from 'pino'

export type Log = Logger

/**
 * JSON lines, on standard output unless told otherwise. Names, IBANs and descriptions are never passed to it: ids and
 * counts are enough. PostgreSQL quotes the row it refuses in `detail` and `where`, so these are left out.
 */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: ['err.detail', 'err.where', 'err.internalQuery', 'err.cause.detail'], remove: true }
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
