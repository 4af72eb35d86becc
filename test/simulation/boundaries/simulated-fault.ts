/** A lost connection, as production code sees one: isUnavailable() knows it by its code. */
export class SimulatedFault extends Error {
  readonly code = 'ECONNRESET'
}
